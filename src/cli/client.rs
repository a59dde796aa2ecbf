//! The client of our own admin API: over the same door as everything that goes out, with TLS verified.

use std::cell::OnceCell;

use actors::{
    ids::ProviderId,
    provider::card::{Card, Timeouts},
};
use awc::http::{
    Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::{
    exit::{Exit, Failure},
    remote::Remote,
};
use crate::upstream::{self, Clients, Fault, Incoming, Outgoing, fetch};

/// What stays as it is within a segment of a path, or within a value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What goes on for long goes by this: the same server, with other time limits.
const LONG: ProviderId = ProviderId(1);
const LONGEST_MS: u64 = 24 * 3_600_000;

/// Speaks with one server.
pub(super) struct Client {
    clients: Clients,
    card: Card,
    server: String,
    token: OnceCell<HeaderValue>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A no in the API's words.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
    #[serde(default)]
    errors: Vec<Flaw>,
}

#[derive(Debug, Deserialize)]
struct Flaw {
    field: String,
    code: String,
    message: String,
}

impl Client {
    /// Prepares to speak with the server; nothing is sent yet, and no token is looked for.
    pub(super) fn new(remote: &Remote, server: &str) -> Result<Self, Failure> {
        let settings = upstream::Settings::new(remote.ca.as_deref()).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::usage(format!("--ca: {error}{cause}"))
        })?;
        upstream::check_base_url(server, true).map_err(|refused| {
            Failure::usage(format!("--server: {refused}; expected is http(s)://host[:port]"))
        })?;
        let ms = u64::from(remote.timeout) * 1_000;
        let timeouts = Timeouts { connect_ms: ms.min(10_000), first_byte_ms: ms, idle_ms: ms, total_ms: ms };
        let server = server.trim_end_matches('/').to_owned();
        let card = fetch::card(server.clone(), true, timeouts);
        Ok(Self { clients: Clients::new(&settings), card, server, token: OnceCell::new() })
    }

    /// Whom we speak with.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// From now on sends this along.
    pub(super) fn sign_in(&self, token: &str) -> Result<(), Failure> {
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::usage("the admin token holds characters that no header can carry"))?;
        value.set_sensitive(true);
        // A second token would be ours, and the same.
        let _ = self.token.set(value);
        Ok(())
    }

    /// Asks, and takes whatever comes as an answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        self.try_ask(method, path, body).await.map_err(|fault| self.unreachable(fault))
    }

    fn unreachable(&self, fault: Fault) -> Failure {
        let server = &self.server;
        let hint = match fault {
            Fault::Tls(upstream::TlsFault::UnknownIssuer) => "; --ca names whom else to trust",
            Fault::Tls(upstream::TlsFault::Handshake) => "; does it speak https?",
            Fault::Connect => "; is the server running, and is --server right?",
            _ => "",
        };
        Failure::new(Exit::Unreachable, format!("{server}: {fault}{hint}"))
    }

    /// The same, with what went wrong on the way.
    pub(super) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Reply, Fault> {
        whole(self.begin(&self.card, method, path, body).await?).await
    }

    /// The same as far as the head of the answer.
    async fn begin(
        &self,
        card: &Card,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Incoming, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = self.token.get() {
            headers.insert(AUTHORIZATION, token.clone());
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let outgoing = Outgoing {
            method,
            path_and_query: path.to_owned(),
            headers,
            body: body.unwrap_or_default(),
            deadline: None,
        };
        self.clients.send(card, outgoing).await
    }

    /// Asks below `/api/v1`; everything but a 2xx is a failure.
    pub(super) async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        let reply = self.ask(method, &format!("/api/v1{path}"), body).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(reply.refusal()) }
    }

    /// Begins to read below `/api/v1`, however long all of it takes.
    pub(super) async fn open(&self, path: &str) -> Result<Incoming, Failure> {
        let mut card = self.card.clone();
        (card.id, card.timeouts.total_ms) = (LONG, LONGEST_MS);
        let told = |fault| self.unreachable(fault);
        let incoming = self.begin(&card, Method::GET, &format!("/api/v1{path}"), None).await.map_err(told)?;
        if incoming.status.is_success() {
            Ok(incoming)
        } else {
            Err(whole(incoming).await.map_err(told)?.refusal())
        }
    }

    /// Reads a file below `/api/v1` piece by piece.
    pub(super) async fn download(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let mut incoming = self.open(path).await?;
        while let Some(piece) = incoming.body.next().await {
            take(&piece.map_err(|fault| self.unreachable(fault))?)?;
        }
        Ok(())
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.api(Method::GET, path, None).await
    }
}

async fn whole(mut incoming: Incoming) -> Result<Reply, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = incoming.body.next().await {
        body.extend_from_slice(&chunk?);
    }
    Ok(Reply { status: incoming.status, body: body.freeze() })
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Failure::new(Exit::No, "the answer is not JSON; is this the address of a Pointsman?")
        })
    }

    /// What a no means, and how it is told: code, detail, and each field.
    pub(super) fn refusal(&self) -> Failure {
        let exit = match self.status.as_u16() {
            401 | 403 => Exit::Forbidden,
            404 => Exit::NotFound,
            409 => Exit::Conflict,
            _ => Exit::No,
        };
        let Ok(problem) = serde_json::from_slice::<Problem>(&self.body) else {
            let status = self.status;
            return Failure::new(
                exit,
                format!("the answer was {status}; is this the address of a Pointsman?"),
            );
        };
        let mut text = problem.code;
        // With fields the detail is nothing but all of them in a row.
        if problem.errors.is_empty() {
            text = format!("{text}: {}", problem.detail);
        }
        for Flaw { field, code, message } in problem.errors {
            text = format!("{text}\n  {field}: {message} ({code})");
        }
        Failure::new(exit, text)
    }
}

/// A value as it stands within a path or a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
