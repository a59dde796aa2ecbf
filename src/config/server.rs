//! `[server]`: listening and the HTTP side.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use ipnet::IpNet;

use super::typed::{ConfigError, Knob, Typed};

pub(super) const LISTEN_ADDR: &str = "server.listen_addr";
pub(super) const PORT: &str = "server.port";
const WORKERS: &str = "server.workers";
const PLACEMENT: &str = "server.placement";
const MAX_BODY_BYTES: &str = "server.max_body_bytes";
const DRAIN_TIMEOUT_S: &str = "server.drain_timeout_s";
const TRUSTED_PROXIES: &str = "server.trusted_proxies";
const METRICS_LISTEN: &str = "server.metrics_listen";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(LISTEN_ADDR, &["LISTEN_ADDR"], Some("0.0.0.0")),
    Knob::new(PORT, &["APP_PORT"], Some("23000")),
    Knob::new(WORKERS, &[], Some("0")),
    Knob::new(PLACEMENT, &[], Some("auto")),
    Knob::new(MAX_BODY_BYTES, &[], Some("33554432")),
    Knob::new(DRAIN_TIMEOUT_S, &[], Some("600")),
    Knob::new(TRUSTED_PROXIES, &[], Some("")),
    Knob::new(METRICS_LISTEN, &["METRICS_ADDR"], Some("")),
];

/// Listening and the HTTP side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Threads that serve HTTP; none means one per core.
    pub workers: Option<NonZeroUsize>,
    /// Where the state actors live.
    pub placement: Placement,
    /// The largest request body that is accepted.
    pub max_body_bytes: usize,
    /// How long running requests may take to end once the server is told to stop.
    pub drain_timeout: Duration,
    /// Peers whose word about the caller's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where metrics are shown to whoever can reach it, apart from the main port.
    pub metrics_listen: Option<SocketAddr>,
}

/// Where the state actors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Whichever of the two suits the number of workers.
    Auto,
    /// On the thread of the only HTTP worker: no message crosses threads.
    Beside,
    /// On a thread of their own: many workers, one crossing per request.
    Own,
}

pub(super) fn meant(typed: &Typed) -> Result<ServerSettings, ConfigError> {
    let address = typed.read(LISTEN_ADDR, |text| match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        other => other
            .trim_matches(['[', ']'])
            .parse()
            .map_err(|_| format!("must be an IP address, not `{text}`; the port is {PORT}")),
    })?;
    let workers = NonZeroUsize::new(typed.number(WORKERS, 0, 1_024)?);
    let placement = typed.choice(
        PLACEMENT,
        &[("auto", Placement::Auto), ("beside", Placement::Beside), ("own", Placement::Own)],
    )?;
    if placement == Placement::Beside && workers.is_some_and(|workers| workers.get() > 1) {
        return Err(typed.wrong(PLACEMENT, format!("`beside` needs {WORKERS} = 1")));
    }
    Ok(ServerSettings {
        listen: SocketAddr::new(address, typed.number(PORT, 0, u16::MAX)?),
        workers,
        placement,
        max_body_bytes: typed.number(MAX_BODY_BYTES, 1_024, 1 << 30)?,
        drain_timeout: Duration::from_secs(typed.number(DRAIN_TIMEOUT_S, 0, 86_400)?),
        trusted_proxies: typed.read(TRUSTED_PROXIES, networks)?,
        metrics_listen: typed.read(METRICS_LISTEN, metrics_listen)?,
    })
}

/// An address with its port, or nothing.
fn metrics_listen(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("must be an IP address with a port, such as 127.0.0.1:9464, not `{text}`")),
    }
}

/// Addresses and networks, separated by commas.
fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| {
            item.parse::<IpNet>()
                .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("`{item}` is neither an IP address nor a network such as 10.0.0.0/8"))
        })
        .collect()
}
