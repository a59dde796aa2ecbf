//! The one way a request takes: note it, read it, follow its script, answer.

use std::collections::HashMap;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, rt};
use arc_swap::ArcSwap;
use bytes::Bytes;
use protocol::Format;
use serde_json::Value;

use super::answer::{Answer, Asked};
use super::log::{End, Exchange, Log};
use super::mode::Mode;
use super::refusal::{Reason, Refusal};
use super::script::{Failure, Script};
use super::{anthropic, script, send};

/// Prompts whose errors are counted; above it counting starts afresh.
const MOST_COUNTED: usize = 10_000;

/// What all requests of one upstream share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) log: Arc<Log>,
    mode: ArcSwap<Mode>,
    credential: Option<String>,
    /// How often a prompt has met its error.
    met: Mutex<HashMap<String, u32>>,
}

impl Shared {
    pub(super) fn new(record: bool, credential: Option<String>) -> Self {
        Self { log: Arc::new(Log::new(record)), mode: ArcSwap::default(), credential, met: Mutex::default() }
    }

    pub(super) fn mode(&self) -> Mode {
        **self.mode.load()
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.store(Arc::new(mode));
    }

    /// Forgets all requests, and which errors have struck.
    pub(super) fn forget(&self) {
        self.log.forget();
        self.met().clear();
    }

    fn met(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an error that strikes only so many times strikes once more.
    fn strikes(&self, prompt: &str, times: Option<u32>) -> bool {
        let Some(times) = times else { return true };
        let mut met = self.met();
        if met.len() >= MOST_COUNTED {
            met.clear();
        }
        let count = met.entry(prompt.to_owned()).or_default();
        *count += 1;
        *count <= times
    }
}

/// What a format makes of an answer.
pub(super) enum Reply {
    Whole(Value),
    Events { content_type: &'static str, frames: Vec<Bytes>, error: Box<dyn FnOnce(usize) -> Bytes> },
}

impl Reply {
    /// Events as two of the three vendors send them.
    pub(super) fn sse(frames: Vec<Bytes>, error: impl FnOnce(usize) -> Bytes + 'static) -> Self {
        Self::Events { content_type: "text/event-stream; charset=utf-8", frames, error: Box::new(error) }
    }
}

/// The way of every request.
pub(super) async fn serve(
    format: Format,
    shared: &Shared,
    request: &HttpRequest,
    body: &[u8],
    read: impl FnOnce(&Value) -> Result<Asked, String>,
    reply: impl FnOnce(&Asked, &Script, &Answer) -> Reply,
) -> HttpResponse {
    // Before it counts as open: whoever waits for that may change the mode for what comes next.
    let mode = shared.mode();
    let mut exchange = shared.log.receive(request, body);
    let number = exchange.number();
    let (asked, script, text) = match understand(shared, request, body, &exchange, read) {
        Ok((asked, script, text)) => (asked, mode.over(script), text),
        Err(refusal) => return refuse(&refusal, format, exchange),
    };
    if !script.wait.is_zero() {
        rt::time::sleep(script.wait).await;
    }
    match script.failure {
        // Forever, or until the caller leaves: then the exchange is dropped with this future.
        Some(Failure::Silence) => return future::pending().await,
        // A Responses stream starts before it says that the prompt is too long.
        Some(Failure::Overflow) if asked.stream && format == Format::OpenaiResponses => {}
        Some(Failure::Overflow) => return refuse(&Refusal::new(Reason::Overflow), format, exchange),
        Some(Failure::Status { status, retry_after_seconds, times })
            if shared.strikes(&asked.prompt, times) =>
        {
            return refuse(&Refusal::scripted(status, retry_after_seconds), format, exchange);
        }
        Some(Failure::Status { .. }) | None => {}
    }
    let answer = Answer::compose(&asked, &script, &text, number);
    exchange.answered(200);
    let mut head = HttpResponse::Ok();
    vendor_headers(&mut head, format, number, request);
    match reply(&asked, &script, &answer) {
        Reply::Whole(body) => {
            head.content_type("application/json");
            send::whole(head, body.to_string(), &script, exchange).await
        }
        Reply::Events { content_type, frames, error } => {
            head.content_type(content_type).insert_header(("cache-control", "no-cache"));
            send::events(head, frames, error, &script, exchange)
        }
    }
}

/// Reads a request and what its prompt wants of it.
fn understand(
    shared: &Shared,
    request: &HttpRequest,
    body: &[u8],
    exchange: &Exchange,
    read: impl FnOnce(&Value) -> Result<Asked, String>,
) -> Result<(Asked, Script, String), Refusal> {
    if !shared.credential.as_deref().is_none_or(|expected| accepts(request, expected)) {
        return Err(Refusal::new(Reason::WrongCredential));
    }
    let invalid = |why| Refusal::new(Reason::Invalid(why));
    let body =
        serde_json::from_slice(body).map_err(|error| invalid(format!("the body is not JSON: {error}")))?;
    let asked = read(&body).map_err(invalid)?;
    exchange.asked(&asked.prompt);
    let (script, text) = script::read(&asked.prompt).map_err(invalid)?;
    Ok((asked, script, text))
}

/// Whether the expected credential is there and no other beside it: a gateway that lets its caller's
/// key through is found out here.
fn accepts(request: &HttpRequest, expected: &str) -> bool {
    let headers = ["authorization", "x-api-key", "x-goog-api-key", "api-key"].into_iter();
    let headers = headers.flat_map(|name| request.headers().get_all(name)).map(|value| {
        let value = value.to_str().unwrap_or_default();
        value.strip_prefix("Bearer ").unwrap_or(value)
    });
    let mut presented =
        headers.chain(request.query_string().split('&').filter_map(|pair| pair.strip_prefix("key=")));
    let mut found = false;
    presented.all(|credential| {
        found = true;
        credential == expected
    }) && found
}

fn vendor_headers(head: &mut HttpResponseBuilder, format: Format, number: u64, request: &HttpRequest) {
    match format {
        Format::Anthropic => {
            head.insert_header(("request-id", anthropic::request_id(number)))
                .insert_header(("anthropic-ratelimit-requests-limit", "4000"))
                .insert_header(("anthropic-ratelimit-requests-remaining", "3999"))
                .insert_header(("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"));
        }
        Format::OpenaiChat | Format::OpenaiResponses => {
            head.insert_header(("x-request-id", anthropic::request_id(number)))
                .insert_header(("openai-version", "2020-10-01"))
                .insert_header(("x-ratelimit-limit-requests", "10000"))
                .insert_header(("x-ratelimit-remaining-requests", "9999"));
            // Codex sends this back until its turn ends, so that the turn stays on one host.
            if request.headers().contains_key("x-codex-window-id") {
                head.insert_header(("x-codex-turn-state", format!("turn-demo-{number}")));
            }
        }
        Format::Gemini => {
            head.insert_header(("x-request-id", anthropic::request_id(number)));
        }
    }
}

pub(super) fn refuse(refusal: &Refusal, format: Format, exchange: Exchange) -> HttpResponse {
    let (head, body) = refusal.response(format, exchange.number());
    finished(exchange, head, &body)
}

/// A small whole answer that goes out at once.
pub(super) fn finished(mut exchange: Exchange, mut head: HttpResponseBuilder, body: &str) -> HttpResponse {
    let response = head.body(body.to_owned());
    exchange.answered(response.status().as_u16());
    exchange.sent(body.as_bytes());
    exchange.finish(End::Complete);
    response
}
