//! Can each provider be reached from here, by the very way requests take; and do its clock and ours agree.

use std::time::Duration;

use actors::provider::card::Timeouts;
use awc::http::{
    Method,
    header::{DATE, HeaderMap},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::finding::Finding;
use crate::{
    cli::{exit::Failure, remote::Remote},
    upstream::{self, Clients, Fault, Outgoing, UrlRefused, fetch},
};

/// A doctor does not wait long.
const TIMEOUTS: Timeouts =
    Timeouts { connect_ms: 5_000, first_byte_ms: 5_000, idle_ms: 5_000, total_ms: 10_000 };
/// Certificates, expiry of keys and windows of limits suffer from more.
const SKEW: TimeDelta = TimeDelta::seconds(30);

/// Where a provider is.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    base_url: String,
    allow_private: bool,
}

impl Place {
    pub(super) const fn new(name: String, base_url: String, allow_private: bool) -> Self {
        Self { name, base_url, allow_private }
    }
}

pub(super) async fn look(
    remote: &Remote,
    places: Vec<Place>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let settings = upstream::Settings::new(remote.ca.as_deref()).map_err(Failure::usage)?;
    let knocks = places.into_iter().map(|place| {
        // Clients are kept by provider; here each is asked once.
        let clients = Clients::new(&settings);
        async move { knock(&clients, place).await }
    });
    let mut skews = Vec::new();
    for (finding, skew) in join_all(knocks).await {
        findings.push(finding);
        skews.extend(skew);
    }
    findings.extend(clock(skews));
    Ok(())
}

/// Asks for the head of its base address, without any credential: any answer at all is a good one.
async fn knock(clients: &Clients, place: Place) -> (Finding, Option<TimeDelta>) {
    let check = format!("provider/{}", place.name);
    let card = fetch::card(place.base_url.clone(), place.allow_private, TIMEOUTS);
    let outgoing = Outgoing {
        method: Method::HEAD,
        path_and_query: "/".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        deadline: None,
    };
    let before = Utc::now();
    match clients.send(&card, outgoing).await {
        Ok(incoming) => {
            let ours = before + (Utc::now() - before) / 2;
            let date = incoming.headers.get(DATE).and_then(|date| date.to_str().ok());
            let theirs = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
            let skew = theirs.map(|theirs| ours - theirs.to_utc());
            (Finding::ok(&check, format!("{} answers ({})", place.base_url, incoming.status.as_u16())), skew)
        }
        // It was there, and does not care for such a question.
        Err(Fault::NoAnswer | Fault::HeadTimeout | Fault::Malformed(_)) => {
            (Finding::ok(&check, format!("{} takes connections", place.base_url)), None)
        }
        Err(fault) => {
            (Finding::bad(&check, format!("{}: {fault}", place.base_url), mend(&fault, &place.name)), None)
        }
    }
}

fn mend(fault: &Fault, name: &str) -> String {
    let edit = format!("pointsman provider edit {name}");
    match fault {
        Fault::AddressRefused(_) | Fault::BaseUrl(UrlRefused::Address(_) | UrlRefused::Scheme) => {
            format!("if that host is meant to be reached: `{edit} --allow-private-network`; else correct its base url")
        }
        Fault::Resolve => format!("the name has no address here: look at DNS, or `{edit} --base-url URL`"),
        Fault::Connect | Fault::ConnectTimeout => {
            format!("is it up, and does a firewall let this machine out? Or `{edit} --base-url URL`")
        }
        Fault::Tls(_) => "its certificate is not one this machine trusts: look at its chain, name and dates, and at the clock here".to_owned(),
        _ => format!("correct its base url: `{edit} --base-url URL`"),
    }
}

/// One of them may be wrong; if the middle one differs, it is we.
fn clock(mut skews: Vec<TimeDelta>) -> Option<Finding> {
    skews.sort_unstable();
    let skew = *skews.get(skews.len() / 2)?;
    let off = Duration::from_secs(skew.num_seconds().unsigned_abs());
    Some(if skew.abs() > SKEW {
        let way = if skew > TimeDelta::zero() { "ahead of" } else { "behind" };
        let cause = format!("the clock here is {} s {way} the providers'", off.as_secs());
        Finding::warning("clock", cause, "keep it right with NTP (timedatectl set-ntp true)")
    } else {
        Finding::ok("clock", format!("within {} s of the providers'", off.as_secs().max(1)))
    })
}
