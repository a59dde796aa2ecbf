//! A port of their own for the metrics, for whoever can reach it, on a thread of its own.

use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpServer, dev::ServerHandle, web, web::Data};
use anyhow::Context as _;

use super::{Metrics, PATH, show};

/// Takes the port.
///
/// # Errors
/// When somebody else has it.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("server.metrics_listen: cannot listen on {address}"))
}

/// Shows the metrics there, and nothing else. Says where, and how it is ended.
///
/// # Errors
/// When the port can't be used.
pub fn serve(
    listener: Option<TcpListener>,
    metrics: &Data<Metrics>,
) -> anyhow::Result<Option<(SocketAddr, ServerHandle)>> {
    let Some(listener) = listener else { return Ok(None) };
    let (address, metrics) = (listener.local_addr()?, metrics.clone());
    let app = move || App::new().app_data(metrics.clone()).route(PATH, web::get().to(show));
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    log::info!("metrics on http://{address}{PATH}");
    Ok(Some((address, handle)))
}
