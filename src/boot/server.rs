//! The HTTP server: its workers, who make the rooms as they come up.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use actix::{Arbiter, ArbiterHandle};
use actix_web::{App, HttpServer, dev::ServerHandle, web};
use anyhow::Context;
use tokio::sync::oneshot;

use super::{
    rooms::{Plan, Rooms},
    stopper::BREAK_OFF_WITHIN,
};
use crate::{
    admin, compat,
    config::server::{Placement, ServerSettings},
    ops, proxy,
    upstream::Clients,
};

/// How long a client's idle connection is kept. Longer than clients keep theirs, so that neither side closes
/// just as the other sends.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

pub(super) type Serving = tokio::task::JoinHandle<io::Result<()>>;

/// Starts the workers and with them the rooms.
pub(super) async fn open(
    plan: Plan,
    listener: TcpListener,
) -> anyhow::Result<(Rooms, ServerHandle, Serving)> {
    let ServerSettings { drain_timeout, .. } = plan.config.server;
    let (workers, placement) = placement(&plan.config.server);
    let own = (placement == Placement::Own).then(Arbiter::new);
    let own = own.map(|arbiter| arbiter.handle());
    let (tell, made) = oneshot::channel();
    let once = Arc::new(Once { rooms: OnceLock::new(), plan: Mutex::new(Some((plan, tell))) });
    let server = HttpServer::new(move || {
        let rooms = once.rooms(own.as_ref());
        App::new()
            .app_data(Clients::new(&rooms.upstream))
            .app_data(rooms.proxy)
            .app_data(rooms.admin.clone())
            .app_data(rooms.ops)
            .app_data(rooms.metrics)
            .configure(proxy::configure)
            .configure(ops::configure)
            .configure(admin::configure)
            .configure(compat::configure(rooms.admin))
            .default_service(web::route().to(proxy::serve))
    })
    .workers(workers)
    .tcp_nodelay(true)
    // A caller that leaves must be noticed at once, also while nothing is being written (S12).
    .h1_allow_half_closed(false)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_WITHIN)
    // Ours ends before: it tells those who run, who then write down why they ended.
    .shutdown_timeout((drain_timeout + BREAK_OFF_WITHIN).as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let server = actix_web::rt::spawn(server);
    let rooms = made.await.context("no worker came up")?;
    Ok((rooms, handle, server))
}

struct Once {
    rooms: OnceLock<Rooms>,
    plan: Mutex<Option<(Plan, oneshot::Sender<Rooms>)>>,
}

impl Once {
    /// The rooms; the first worker to ask makes them, beside itself unless there is an own thread.
    fn rooms(&self, own: Option<&ArbiterHandle>) -> Rooms {
        let made = self.rooms.get_or_init(|| {
            let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (plan, tell) = plan.expect("the rooms are made once");
            let rooms = match own {
                Some(thread) => Rooms::make(plan, thread),
                None => Rooms::make(plan, &Arbiter::current()),
            };
            // The receiver waits for this and nothing else.
            let _ = tell.send(rooms.clone());
            rooms
        });
        made.clone()
    }
}

/// How many workers, and where the state actors live: beside the only worker, or on their own thread.
fn placement(server: &ServerSettings) -> (usize, Placement) {
    let cores = available_parallelism().map_or(1, usize::from);
    let workers = server.workers.map_or(if cores <= 2 { 1 } else { cores }, usize::from);
    let placement = match server.placement {
        Placement::Auto if workers == 1 => Placement::Beside,
        Placement::Auto => Placement::Own,
        chosen => chosen,
    };
    if placement == Placement::Beside { (1, placement) } else { (workers, placement) }
}
