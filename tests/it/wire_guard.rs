//! The way out, on real awc: what an upstream can do on the wire, and what comes of it.

mod answers;
mod limits;
mod origin;
mod reuse;
mod tls;

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc};

use actors::{
    ids::ProviderId,
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
    restrictions::ProviderRestrictions,
};
use awc::http::{Method, header::HeaderMap};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use pointsman::upstream::{Body, Clients, Fault, Incoming, Lookup, Outgoing, Settings};

use crate::scripted::Upstream;

/// A provider at `base_url` that may be on this machine.
fn card(base_url: String) -> Card {
    let kind = Kind::Claude;
    Card {
        id: ProviderId(1),
        version: 1,
        name: "scripted".to_owned(),
        kind,
        base_url,
        credential: Credential::new("secret".to_owned()),
        formats: kind.formats().to_vec(),
        weight: 1,
        priority: 0,
        cost_multiplier: Money::default(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        breaker: BreakerSettings::default(),
        timeouts: Timeouts::default(),
        allow_private_network: true,
        enabled: true,
    }
}

fn card_of(upstream: &Upstream) -> Card {
    card(format!("http://{}", upstream.address))
}

/// Every name is this machine.
#[derive(Debug)]
struct Here;

impl Lookup for Here {
    fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }.boxed()
    }
}

fn settings() -> Settings {
    Settings { lookup: Arc::new(Here), ..Settings::new(None).expect("no extra ca") }
}

fn clients() -> Clients {
    Clients::new(&settings())
}

fn post(body: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        method: Method::POST,
        path_and_query: "/v1/messages".to_owned(),
        headers: HeaderMap::new(),
        body: body.into(),
        deadline: None,
    }
}

/// What came of a body, and how it ended.
async fn drain(mut body: Body) -> (Vec<u8>, Result<(), Fault>) {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => all.extend_from_slice(&chunk),
            Err(fault) => return (all, Err(fault)),
        }
    }
    (all, Ok(()))
}

/// A body that must be whole, as text.
async fn text(incoming: Incoming) -> String {
    let (body, end) = drain(incoming.body).await;
    assert_eq!(end, Ok(()));
    String::from_utf8(body).expect("a text body")
}

/// Sends `body` to `upstream` and gives back status and whole text, or the fault wherever it came.
async fn exchange(clients: &Clients, card: &Card, body: &str) -> Result<(u16, String), Fault> {
    let incoming = clients.send(card, post(body.to_owned())).await?;
    let status = incoming.status.as_u16();
    let (body, end) = drain(incoming.body).await;
    end.map(|()| (status, String::from_utf8(body).expect("a text body")))
}
