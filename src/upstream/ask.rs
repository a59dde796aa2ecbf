//! One question to an address outside of what providers serve: through the same door as everything that goes
//! out, so with the same look at addresses, framing and TLS (C-06). No redirect is followed, and no more is
//! read than was asked for.

use std::rc::Rc;

use actors::provider::card::Timeouts;
use awc::http::{Method, header::HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use url::Url;

use super::{
    Outgoing, Settings,
    client::ProviderClient,
    fetch::{FetchFault, card},
    resolver::Resolver,
};

/// A question.
#[derive(Debug)]
pub struct Ask<'a> {
    /// To where.
    pub url: &'a Url,
    /// Whether that may be a private address, and plain http be spoken to it.
    pub allow_private_network: bool,
    /// How.
    pub method: Method,
    /// What goes along.
    pub headers: HeaderMap,
    /// What is said.
    pub body: Bytes,
    /// How long its stages may take.
    pub timeouts: Timeouts,
    /// The most bytes that are taken for an answer.
    pub limit: usize,
}

/// A whole answer.
#[derive(Debug)]
pub struct Told {
    /// Any status, redirects included.
    pub status: u16,
    /// As they came, except for those of the connection.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Bytes,
}

impl Ask<'_> {
    /// Asks, over a connection of its own.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(self, settings: &Settings) -> Result<Told, FetchFault> {
        let card = card(self.url.origin().ascii_serialization(), self.allow_private_network, self.timeouts);
        let resolver = Rc::new(Resolver::new(settings.lookup.clone()));
        let client = ProviderClient::new(&card, settings.tls.clone(), resolver)?;
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let outgoing = Outgoing {
            method: self.method,
            path_and_query: format!("{}{query}", self.url.path()),
            headers: self.headers,
            body: self.body,
            deadline: None,
        };
        let mut incoming = client.send(outgoing).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = incoming.body.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > self.limit {
                return Err(FetchFault::TooLong(self.limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Told { status: incoming.status.as_u16(), headers: incoming.headers, body: body.freeze() })
    }
}
