//! One file from one address that an operator configured, for those who are no provider: through the same
//! door as everything that goes out, so with the same look at addresses, framing and TLS (C-06, C-23).
//!
//! Nothing of ours goes along, and no redirect is followed: what is fetched is what was configured.

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
    restrictions::ProviderRestrictions,
};
use awc::http::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use bytes::Bytes;
use url::{Host, Url};

use super::{Settings, ask::Ask, fault::Fault};

/// How long its stages may take.
const TIMEOUTS: Timeouts =
    Timeouts { connect_ms: 10_000, first_byte_ms: 30_000, idle_ms: 10_000, total_ms: 60_000 };

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// It could not be had.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The answer was not 200.
    #[error("the answer was {0}")]
    Status(u16),
    /// It is longer than was asked for; the rest was not read.
    #[error("more than {0} bytes came")]
    TooLong(usize),
}

/// An address to fetch from.
#[derive(Debug, Clone)]
pub struct Fetch {
    settings: Settings,
    url: Url,
    this_machine: bool,
}

impl Fetch {
    /// Fetches from `url`. A private address is gone to only where the url spells this very machine.
    #[must_use]
    pub fn new(settings: &Settings, url: Url) -> Self {
        Self { settings: settings.clone(), this_machine: spells_this_machine(&url), url }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The file, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, limit: usize) -> Result<Bytes, FetchFault> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain"));
        let ask = Ask {
            url: &self.url,
            allow_private_network: self.this_machine,
            method: Method::GET,
            headers,
            body: Bytes::new(),
            timeouts: TIMEOUTS,
            limit,
        };
        let told = ask.ask(&self.settings).await?;
        if told.status == 200 { Ok(told.body) } else { Err(FetchFault::Status(told.status)) }
    }
}

/// Whether a url spells an address of this very machine.
pub(crate) fn spells_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

/// What the client needs to know of a far side that is no provider, as it knows it of providers.
pub(crate) fn card(base_url: String, allow_private_network: bool, timeouts: Timeouts) -> Card {
    Card {
        id: ProviderId(0),
        version: 0,
        name: "no provider".to_owned(),
        kind: Kind::OpenaiCompatible,
        base_url,
        credential: Credential::new(String::new()),
        formats: Vec::new(),
        weight: 0,
        priority: 0,
        cost_multiplier: Money::one(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        breaker: BreakerSettings::default(),
        timeouts,
        allow_private_network,
        enabled: true,
    }
}
