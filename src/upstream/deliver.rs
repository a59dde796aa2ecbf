//! Bodies to one address that an operator configured, for those who are no provider: through the same door as
//! everything that goes out, so with the same look at addresses, framing and TLS (C-06).
//!
//! Private addresses are gone to: what collects for an operator usually lives on one. Whether plain http may
//! be spoken there is for the configuration to say.

use std::{rc::Rc, time::Duration};

use actors::provider::card::Timeouts;
use awc::http::{Method, header::HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use url::Url;

use super::{Outgoing, Settings, client::ProviderClient, fault::Fault, fetch, resolver::Resolver};

/// How much of an answer is read.
const ANSWER_BYTES: usize = 64 << 10;

/// An address to deliver to. Keeps its connection; stays on the thread that made it.
pub struct Deliver {
    client: ProviderClient,
    path_and_query: String,
    headers: HeaderMap,
}

/// What was answered to a delivery.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// As much of the body as anybody wants to read.
    pub body: Bytes,
}

impl Deliver {
    /// Delivers to `url`, with these headers each time.
    ///
    /// # Errors
    /// When the address is not one we go to.
    pub fn new(settings: &Settings, url: &Url, headers: HeaderMap, within: Duration) -> Result<Self, Fault> {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let timeouts = Timeouts {
            connect_ms: within_ms,
            first_byte_ms: within_ms,
            idle_ms: within_ms,
            total_ms: within_ms,
        };
        let card = fetch::card(url.origin().ascii_serialization(), true, timeouts);
        let resolver = Rc::new(Resolver::new(settings.lookup.clone()));
        let client = ProviderClient::new(&card, settings.tls.clone(), resolver)?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self { client, path_and_query: format!("{}{query}", url.path()), headers })
    }

    /// Posts `body`.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn post(&self, body: Bytes) -> Result<Answered, Fault> {
        let outgoing = Outgoing {
            method: Method::POST,
            path_and_query: self.path_and_query.clone(),
            headers: self.headers.clone(),
            body,
            deadline: None,
        };
        let mut incoming = self.client.send(outgoing).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = incoming.body.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > ANSWER_BYTES {
                break;
            }
        }
        Ok(Answered { status: incoming.status.as_u16(), headers: incoming.headers, body: body.freeze() })
    }
}

impl std::fmt::Debug for Deliver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliver").finish_non_exhaustive()
    }
}
