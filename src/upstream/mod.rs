//! The way out: awc behind a wire guard.
//!
//! One [`Clients`] per worker sends requests to providers. Below it, per provider, sits an awc client
//! with its own pool; below that a connector that resolves names, checks addresses, speaks TLS; and
//! on every connection a guard that follows the framing, since awc by itself hands one request's
//! answer to another, and takes a cut answer for a whole one. What goes wrong comes out as a
//! [`Fault`].
//!
//! Who may be asked, how often, and what an answer means is not decided here: redirects, for one,
//! are returned like any other status (C-07).

mod address;
mod alarm;
pub mod ask;
mod base_url;
mod body;
mod chunks;
mod client;
mod connector;
pub mod deliver;
mod fault;
pub mod fetch;
mod framing;
mod guard;
mod head;
mod resolver;
mod tls;

use std::{cell::RefCell, collections::HashMap, path::Path, rc::Rc, sync::Arc, time::Duration};

use actors::{ids::ProviderId, provider::card::Card};
use awc::http::{Method, StatusCode, header::HeaderMap};
use bytes::Bytes;
use tokio::time::Instant;

pub use self::{
    address::Unfit,
    base_url::{BaseUrl, UrlRefused, check_base_url},
    body::Body,
    fault::{Fault, Malformed, TlsFault, Unsendable},
    resolver::{Lookup, SystemLookup},
    tls::{TlsSetup, tls_config},
};
use self::{client::ProviderClient, resolver::Resolver};

/// What all workers share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whom to trust.
    pub tls: Arc<rustls::ClientConfig>,
    /// Where addresses come from.
    pub lookup: Arc<dyn Lookup>,
}

impl Settings {
    /// The public and the system's authorities, and those in `extra_ca`; the system's resolver.
    ///
    /// # Errors
    /// When `extra_ca` is given and unusable.
    pub fn new(extra_ca: Option<&Path>) -> Result<Self, TlsSetup> {
        Ok(Self { tls: Arc::new(tls_config(extra_ca)?), lookup: Arc::new(SystemLookup) })
    }
}

/// A request, complete but for the origin, which is the card's.
#[derive(Debug)]
pub struct Outgoing {
    /// As it goes out.
    pub method: Method,
    /// Appended to the card's base url; starts with a slash.
    pub path_and_query: String,
    /// Filtered by the caller and with the credential in place. `host`, `accept-encoding` and
    /// whatever belongs to the connection is set here.
    pub headers: HeaderMap,
    /// Kept whole for the one retry.
    pub body: Bytes,
    /// When the attempt must be over, if that is before the card's own total limit.
    pub deadline: Option<Instant>,
}

/// An answer whose head is there.
#[derive(Debug)]
pub struct Incoming {
    /// Any status, redirects included.
    pub status: StatusCode,
    /// As they came, except for those of the connection.
    pub headers: HeaderMap,
    /// The rest.
    pub body: Body,
    /// Whether the first try met a stale connection and this is the second (I-24).
    pub retried_stale: bool,
}

/// The providers' clients on one worker. Cheap to clone; not to be sent elsewhere.
#[derive(Clone)]
pub struct Clients(Rc<Inner>);

struct Inner {
    tls: Arc<rustls::ClientConfig>,
    resolver: Rc<Resolver>,
    by_provider: RefCell<HashMap<ProviderId, (i64, Rc<ProviderClient>)>>,
}

impl Clients {
    /// No clients yet; they are made at first use.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self(Rc::new(Inner {
            tls: settings.tls.clone(),
            resolver: Rc::new(Resolver::new(settings.lookup.clone())),
            by_provider: RefCell::default(),
        }))
    }

    /// Sends a request to the provider of `card` and waits for the head of its answer.
    ///
    /// Dropping the future, or later the body, closes the connection at once.
    ///
    /// # Errors
    /// The fault that left the attempt without an answer.
    pub async fn send(&self, card: &Card, outgoing: Outgoing) -> Result<Incoming, Fault> {
        self.client(card)?.send(outgoing).await
    }

    /// Closes the resting connections of a provider that is gone; running streams go on.
    pub fn forget(&self, provider: ProviderId) {
        self.0.by_provider.borrow_mut().remove(&provider);
    }

    /// The client for this version of the card. A newer version takes the place of the older one;
    /// a dispatch that still holds an older card does not bring it back.
    fn client(&self, card: &Card) -> Result<Rc<ProviderClient>, Fault> {
        let mut clients = self.0.by_provider.borrow_mut();
        let newest = clients.get(&card.id);
        if let Some((version, client)) = newest
            && *version == card.version
        {
            return Ok(client.clone());
        }
        let outdated = newest.is_some_and(|(version, _)| *version > card.version);
        let client = ProviderClient::new(card, self.0.tls.clone(), self.0.resolver.clone())?;
        let client = Rc::new(client);
        if !outdated {
            clients.insert(card.id, (card.version, client.clone()));
        }
        Ok(client)
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients")
            .field("providers", &self.0.by_provider.borrow().len())
            .finish_non_exhaustive()
    }
}

/// `start` plus `wait`, or a year if that cannot be said.
fn instant_after(start: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
    start + wait.min(YEAR)
}
