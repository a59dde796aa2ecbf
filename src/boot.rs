//! The only file that knows every room: builds the house, serves, and closes it down in order.

mod foundation;
pub mod pid_file;
mod resets;
mod rooms;
mod server;
mod stopper;

use std::{
    future::Future,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actors::Gateway;
use anyhow::Context;
use tokio::time::timeout;

use self::{
    foundation::{Opened, lay_when_there, open_store},
    rooms::Plan,
    stopper::{last_one_out, stop_when_told},
};
pub use self::{
    resets::{reset_admin_token, reset_sealing_key},
    stopper::Stopper,
};
use crate::{
    config::Config,
    current::Current,
    drain::Drain,
    exports::Files,
    journal::{
        quarantine::Quarantine,
        recorder::{self, Recorder},
    },
    metrics,
    secrets::digest::Digester,
    store::Store,
    traces::Tracer,
};

/// How long the last rows may take to be written when everything else has ended.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
/// The same for the last traces, which are worth less.
const TRACES_WITHIN: Duration = Duration::from_secs(5);

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
    let files = Files::open(&config.data_dir).context("exports")?;
    let drain = Drain::default();
    let (tracer, exporter) = Tracer::new(&config.traces, &foundation.upstream);
    let exporter = exporter.map(|exporter| actix_web::rt::spawn(exporter.run()));
    let plan = Plan {
        config: config.clone(),
        foundation,
        recorder: recorder.clone(),
        drain: drain.clone(),
        tracer: tracer.clone(),
        files,
    };

    let (rooms, handle, server) = server::open(plan, listener).await?;
    let (metrics_address, metrics_server) =
        metrics::listener::serve(metrics_listener, &rooms.metrics)?.unzip();
    replay(&recorder).await;
    rooms.current.load().await?;
    let stopper = Stopper::new();
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

/// Brings the database up to this version.
///
/// # Errors
/// When it can't be reached or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let Opened { store, .. } = open_store(&config)?;
    let applied = store.migrate().await.context("migrations")?;
    let mut out = io::stdout().lock();
    for name in &applied {
        writeln!(out, "applied {name}")?;
    }
    writeln!(out, "{} migrations applied, the database is up to date", applied.len())?;
    Ok(())
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
