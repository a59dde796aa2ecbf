//! The only file that knows every room: builds the house, serves, and closes it down in order.

mod foundation;
pub mod pid_file;

use std::{
    future::Future,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    thread::available_parallelism,
    time::Duration,
};

use actix::{Arbiter, ArbiterHandle, System};
use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    web::{self, Data},
};
use actors::{Gateway, clock::Clock};
use anyhow::{Context, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, oneshot},
    time::{sleep, timeout},
};

use self::foundation::{Foundation, lay_when_there, open_store};
use crate::{
    admin::{self, Admin},
    compat,
    config::{
        Config,
        server::{Placement, ServerSettings},
    },
    current::Current,
    drain::Drain,
    events::{self, Events, Watch},
    journal::{
        quarantine::Quarantine,
        recorder::{self, Recorder},
    },
    metrics::{self, Metrics, meters::Meters},
    ops::{self, Ops},
    proxy::{self, Proxy},
    secrets::{admin_token::AdminToken, digest::Digester, session_token::SessionTokens},
    store::Store,
    traces::Tracer,
    upstream::{self, Clients, fetch::Fetch},
};

/// How long the last rows may take to be written when everything else has ended.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
/// The same for the last traces, which are worth less.
const TRACES_WITHIN: Duration = Duration::from_secs(5);
/// How long what runs may take to be broken off once its time is over: an error event has to leave.
const BREAK_OFF_WITHIN: Duration = Duration::from_secs(5);
/// How long a client's idle connection is kept. Longer than clients keep theirs, so that neither side closes
/// just as the other sends.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// The longest any provider may be given for an answer; what is reserved for longer is given back.
const LONGEST_ANSWER: Duration = Duration::from_secs(24 * 3600);
/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A house that serves.
pub struct House {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where metrics are shown without a token, if they are.
    pub metrics_address: Option<SocketAddr>,
    /// The database.
    pub store: Store,
    /// The current configuration.
    pub current: Arc<Current>,
    /// What makes digests of api keys.
    pub digester: Digester,
    /// The actors.
    pub gateway: Gateway,
    /// Where rows go.
    pub recorder: Recorder,
    /// Where traces go.
    pub tracer: Tracer,
    /// Stops it, as a signal would.
    pub stopper: Stopper,
    /// The admin token, if it was made just now.
    pub new_admin_token: Option<String>,
}

/// Serves until told to stop. `opened` is called once requests are answered.
///
/// # Errors
/// When the house can't be built; nothing is served then.
pub async fn serve<F>(config: Config, opened: impl FnOnce(House) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let listener = listen(config.server.listen)?;
    let metrics_listener = config.server.metrics_listen.map(metrics::listener::listen).transpose()?;
    let address = listener.local_addr()?;
    let foundation = lay_when_there(&config, &listener).await?;
    let _pid_file = pid_file::leave(&config.data_dir);
    let quarantine = Quarantine::new(&config.data_dir);
    let (recorder, writer) = recorder::recorder(foundation.store.clone(), quarantine, config.journal.clone())
        .context("journal")?;
    let writer = actix_web::rt::spawn(writer.run());
    let drain = Drain::default();
    let (tracer, exporter) = Tracer::new(&config.traces, &foundation.upstream);
    let exporter = exporter.map(|exporter| actix_web::rt::spawn(exporter.run()));
    let plan = Plan {
        config: config.clone(),
        foundation,
        recorder: recorder.clone(),
        drain: drain.clone(),
        tracer: tracer.clone(),
    };

    let (rooms, handle, server) = open(plan, listener).await?;
    let (metrics_address, metrics_server) =
        metrics::listener::serve(metrics_listener, &rooms.metrics)?.unzip();
    replay(&recorder).await;
    rooms.current.load().await?;
    let stopper = Stopper { told: Arc::new(Semaphore::new(0)) };
    let running = Arc::downgrade(&rooms.proxy.into_inner());
    log::info!("serving on http://{address}");
    let house = House {
        address,
        metrics_address,
        store: rooms.store,
        current: rooms.current,
        digester: rooms.digester,
        gateway: rooms.gateway,
        recorder: recorder.clone(),
        tracer: tracer.clone(),
        stopper: stopper.clone(),
        new_admin_token: rooms.new_admin_token,
    };
    announce(&house)?;
    opened(house).await?;

    let stopping = stop_when_told(stopper, handle, drain.clone(), config.server.drain_timeout);
    let stopping = actix_web::rt::spawn(stopping);
    match server.await {
        Err(error) if error.is_cancelled() => log::warn!("callers that take nothing were left behind"),
        served => served??,
    }
    stopping.abort();
    drain.finish();
    let all_written = async {
        last_one_out(&running).await;
        recorder.flush().await;
    };
    if timeout(FLUSH_WITHIN, all_written).await.is_err() {
        let left = recorder.backlog();
        log::warn!("{left} request rows stay in the journal; the next start posts them");
    }
    if let Some(server) = metrics_server {
        server.stop(false).await;
    }
    drop(recorder);
    writer.abort();
    if timeout(TRACES_WITHIN, tracer.flush()).await.is_err() {
        log::warn!("the last traces were not taken in time");
    }
    exporter.into_iter().for_each(|exporter| exporter.abort());
    log::info!("stopped");
    Ok(())
}

/// Waits until what an earlier process left in the journal is posted. Until then nothing is admitted, and
/// `/readyz` says why.
async fn replay(recorder: &Recorder) {
    let left = recorder.snapshot();
    if left.to_replay > 0 {
        log::info!("journal: posting {} records that an earlier process left", left.to_replay);
    }
    recorder.flush().await;
}

/// Stops a house that serves. Clones stop the same one.
#[derive(Debug, Clone)]
pub struct Stopper {
    /// One permit for each time it was told: none is lost while nobody waits for it.
    told: Arc<Semaphore>,
}

impl Stopper {
    /// Lets running requests end; told a second time, stops at once.
    pub fn stop(&self) {
        self.told.add_permits(1);
    }

    async fn told(&self) {
        // Nobody closes it.
        if let Ok(permit) = self.told.acquire().await {
            permit.forget();
        }
    }
}

/// Brings the database up to this version.
///
/// # Errors
/// When it can't be reached or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let (store, _) = open_store(&config)?;
    let applied = store.migrate().await.context("migrations")?;
    let mut out = io::stdout().lock();
    for name in &applied {
        writeln!(out, "applied {name}")?;
    }
    writeln!(out, "{} migrations applied, the database is up to date", applied.len())?;
    Ok(())
}

/// Makes a new admin token, prints it and stores its digest.
///
/// # Errors
/// When the database can't be written, or the token is set from outside.
pub async fn reset_admin_token(config: Config) -> anyhow::Result<()> {
    if config.secrets.admin_token.is_some() {
        bail!("admin_token is set in the configuration; change it there");
    }
    let (store, key) = open_store(&config)?;
    store.migrate().await.context("migrations")?;
    let settled = AdminToken::settle(Digester::for_admin_token(&key), None, None)?;
    if let (Some(digest), Some(token)) = (settled.store, settled.made) {
        store.put_admin_token_digest(&digest).await?;
        writeln!(io::stdout(), "{token}")?;
    }
    Ok(())
}

/// Everything the rooms are made from.
struct Plan {
    config: Config,
    foundation: Foundation,
    recorder: Recorder,
    drain: Drain,
    tracer: Tracer,
}

/// The rooms, made once, on the thread where the state actors shall live.
#[derive(Clone)]
struct Rooms {
    proxy: Data<Proxy>,
    admin: Data<Admin>,
    ops: Data<Ops>,
    metrics: Data<Metrics>,
    upstream: upstream::Settings,
    gateway: Gateway,
    store: Store,
    current: Arc<Current>,
    digester: Digester,
    new_admin_token: Option<String>,
}

impl Rooms {
    fn make(plan: Plan, state_thread: &ArbiterHandle) -> Self {
        let Plan { config, foundation, recorder, drain, tracer } = plan;
        let Foundation { store, key, token, new_admin_token, upstream, settings } = foundation;
        let events = Events::default();
        let process = config.describe().to_vec();
        let behaviour = actors::Settings {
            session_ttl: config.routing.session_ttl,
            max_attempts: config.routing.max_attempts,
            request_deadline: config.routing.request_deadline,
            leash: config.routing.leash,
            seed: rand::random(),
            // An attempt that begins at the last moment may still take all of its provider's time.
            longest_request: config.routing.request_deadline + LONGEST_ANSWER,
            balances: Arc::new(recorder.clone()),
            calendar: settings.calendar(config.time_zone),
            waiting: settings.waiting.terms(),
        };
        let gateway = Gateway::start(state_thread, Clock::system(), behaviour);
        gateway.watch(state_thread);
        let digester = Digester::for_api_keys(&key);
        let current =
            Arc::new(Current::new(store.clone(), gateway.clone(), digester.clone(), config.time_zone));
        let meters = Arc::new(Meters::new());
        let proxy = Data::new(Proxy {
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder: recorder.clone(),
            events: events.clone(),
            tracer,
            drain: drain.clone(),
            max_body_bytes: config.server.max_body_bytes,
            trusted_proxies: config.server.trusted_proxies.clone(),
            meters: Arc::clone(&meters),
        });
        let ops = Data::new(Ops::new(ops::Parts {
            store: store.clone(),
            store_kind: config.store.url.kind(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder: recorder.clone(),
            drain: drain.clone(),
        }));
        let metrics = Data::new(Metrics::new(meters, ops.clone()));
        let watch = Watch::new(events::Parts {
            events: events.clone(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            ops: Arc::clone(&ops),
            drain,
        });
        actix_web::rt::spawn(watch.run());
        let admin = Data::new(Admin::new(admin::Parts {
            store: store.clone(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder,
            token,
            digester: digester.clone(),
            sessions: SessionTokens::new(&key),
            console: config.console,
            trusted_proxies: config.server.trusted_proxies,
            process,
            events,
            price_source: config.prices.source_url.map(|url| Fetch::new(&upstream, url)),
        }));
        Self { proxy, admin, ops, metrics, upstream, gateway, store, current, digester, new_admin_token }
    }
}

type Serving = tokio::task::JoinHandle<io::Result<()>>;

/// Starts the workers and with them the rooms.
async fn open(plan: Plan, listener: TcpListener) -> anyhow::Result<(Rooms, ServerHandle, Serving)> {
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

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("server.port: cannot listen on {address}"))
}

/// Tells the operator what to know at the first start.
fn announce(house: &House) -> io::Result<()> {
    let Some(token) = &house.new_admin_token else { return Ok(()) };
    let mut out = io::stdout().lock();
    writeln!(out, "admin token (shown only now, keep it): {token}")
}

/// Waits until no request is being handled: one that was broken off ends, and is recorded, as its thread ends.
async fn last_one_out(proxy: &Weak<Proxy>) {
    while proxy.strong_count() > 0 {
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits for SIGTERM or SIGINT, then drains; a second one ends the draining.
async fn stop_when_told(
    stopper: Stopper,
    handle: ServerHandle,
    drain: Drain,
    limit: Duration,
) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut told = async || {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => (), () = stopper.told() => () }
    };
    told().await;
    drain.begin();
    log::info!(
        "stopping: running requests may take up to {} s to end; signal again to stop at once",
        limit.as_secs()
    );
    // Once it stops gracefully the server hears of nothing else: who runs must be told by ourselves.
    actix_web::rt::spawn(handle.stop(true));
    if timeout(limit, told()).await.is_ok() {
        log::warn!("stopping at once");
    }
    drain.finish();
    sleep(BREAK_OFF_WITHIN).await;
    // The server takes no other order until it has carried out the first; the threads of its workers do.
    System::current().stop();
    Ok(())
}
