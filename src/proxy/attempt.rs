//! One attempt: a request goes to one upstream, and either begins to be answered or has failed.
//!
//! *Begun* means that the first meaningful frame is here, or a whole plain answer that is sound. What came
//! before it is held back, so that a "200, then an error" can still go to another provider (D11). Holding
//! is bounded: a preamble followed by silence is let go after half a second, since clients count silence.

use std::time::Duration;

use actix_web::{
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap},
    },
    web::{Bytes, BytesMut},
};
use actors::provider::{card::Card, outcome::Outcome};
use futures_util::StreamExt;
use protocol::{
    Call, Format, Operation, Reading, Streaming,
    failure::{self, ErrorClass, UpstreamError},
    hints,
    openai_chat::filter::UsageFilter,
    tap::{Shape, Stage, Tap},
};
use tokio::time::{Instant, timeout_at};

use super::dispatch::{Dispatch, Setback};
use crate::upstream::{Body, Clients, Fault, Outgoing};

/// How long a preamble is held back for the first meaningful frame.
const HELD_FOR: Duration = Duration::from_millis(500);
/// How much of a plain answer is held back until it is whole. Longer ones are let go as they come.
const HELD_BYTES: usize = 256 * 1024;
/// How much of an error answer is read.
const ERROR_BYTES: usize = 1024 * 1024;

/// What the caller wants of the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) format: Format,
    pub(super) operation: Operation,
    pub(super) streaming: Streaming,
    /// Whether we ask for usage on behalf of a caller who did not, and keep it from them again.
    pub(super) ask_usage: bool,
}

impl Wish {
    /// What this call wants.
    pub(super) fn of(call: &Call) -> Self {
        let ask_usage = call.stream == Streaming::Sse && !call.usage_asked && call.usage_edit.is_some();
        Self { format: call.format, operation: call.operation, streaming: call.stream, ask_usage }
    }
}

/// An attempt that has begun to be answered.
pub(super) struct Begun {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How it comes.
    pub(super) shape: Shape,
    /// What was held back; the tap has read it.
    pub(super) held: Vec<Bytes>,
    /// What is still to come; none when everything is here.
    pub(super) rest: Option<Body>,
    pub(super) tap: Tap,
    /// Takes out what our asking for usage put in.
    pub(super) filter: Option<UsageFilter>,
}

/// An attempt that has failed.
pub(super) struct Dead {
    /// What it means to the row and to the actors.
    pub(super) setback: Setback,
    /// The upstream's own words, where the caller may read them if nobody does better.
    pub(super) answer: Option<Answer>,
}

/// An upstream's whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Dead {
    /// A failure before anything was sent.
    pub(super) fn before_sending(outcome: Outcome, error: &str) -> Box<Self> {
        Self::without_answer(outcome, None, error.to_owned(), false)
    }

    fn without_answer(outcome: Outcome, status: Option<u16>, error: String, sent: bool) -> Box<Self> {
        let setback = Setback { outcome, status, cool_down: None, error, sent, reading: None };
        Box::new(Self { setback, answer: None })
    }

    fn by_fault(fault: Fault, status: Option<u16>) -> Box<Self> {
        Self::without_answer(outcome_of(&fault), status, fault.to_string(), !fault.nothing_was_sent())
    }

    /// An answer that had begun to come, and broke off.
    fn broken_off(begun: &Begun, fault: &Fault) -> Box<Self> {
        Self::within(begun, outcome_of(fault), fault.to_string())
    }

    /// An answer that had begun to come.
    fn within(begun: &Begun, outcome: Outcome, error: String) -> Box<Self> {
        let mut dead = Self::without_answer(outcome, Some(begun.status.as_u16()), error, true);
        dead.setback.reading = Some(Box::new(begun.tap.reading().clone()));
        dead
    }
}

/// Sends the request and waits until it begins to be answered.
pub(super) async fn run(
    clients: &Clients,
    card: &Card,
    outgoing: Outgoing,
    wish: Wish,
    dispatch: &mut Dispatch,
) -> Result<Begun, Box<Dead>> {
    let first_byte = dispatch.patience(card.timeouts.first_byte());
    let incoming = clients.send(card, outgoing).await.map_err(|fault| Dead::by_fault(fault, None))?;
    let (status, mut headers) = (incoming.status, incoming.headers);
    // Upstreams, and proxies before them, quote what they were sent in headers of any name (C-25).
    headers.retain(|_, value| !holds_credential(value.as_bytes(), card));
    dispatch.head(status.as_u16(), incoming.retried_stale);
    if status.is_redirection() {
        let error = "the upstream redirects, which is not followed".to_owned();
        return Err(Dead::without_answer(Outcome::Redirected, Some(status.as_u16()), error, true));
    }
    if !status.is_success() {
        return Err(refused_by_upstream(card, status, headers, incoming.body, dispatch.unix_now()).await);
    }
    let shape = shape(&headers, wish.streaming);
    let begun = Begun {
        status,
        headers,
        shape,
        held: Vec::new(),
        rest: Some(incoming.body),
        tap: Tap::new(wish.format, wish.operation, shape),
        filter: (wish.ask_usage && shape == Shape::Sse).then(UsageFilter::new),
    };
    match shape {
        Shape::Whole => whole(begun).await,
        Shape::Sse | Shape::JsonArray => first_frame(begun, first_byte).await,
    }
}

/// Waits for a stream's first meaningful frame.
async fn first_frame(mut begun: Begun, first_byte: Instant) -> Result<Begun, Box<Dead>> {
    let mut patience = first_byte;
    loop {
        let Some(rest) = &mut begun.rest else { return judge(begun) };
        match timeout_at(patience, rest.next()).await {
            Ok(Some(Ok(chunk))) => {
                begun.tap.push(&chunk);
                if begun.held.is_empty() {
                    patience = patience.min(Instant::now() + HELD_FOR);
                }
                begun.held.push(chunk);
            }
            Ok(Some(Err(fault))) => return Err(Dead::broken_off(&begun, &fault)),
            Ok(None) => {
                begun.rest = None;
                begun.tap.finish();
                return judge(begun);
            }
            // A preamble and then nothing: that it is alive is worth telling.
            Err(_) if !begun.held.is_empty() => return Ok(begun),
            Err(_) => return Err(Dead::broken_off(&begun, &Fault::HeadTimeout)),
        }
        match begun.tap.stage() {
            Stage::Silent if held_bytes(&begun.held) > HELD_BYTES => return Ok(begun),
            Stage::Silent => {}
            Stage::Meaningful | Stage::Ended | Stage::Broken => return Ok(begun),
            Stage::Failed => return judge(begun),
        }
    }
}

/// Waits for a plain answer, up to a bound.
async fn whole(mut begun: Begun) -> Result<Begun, Box<Dead>> {
    while let Some(rest) = &mut begun.rest {
        match rest.next().await {
            Some(Ok(chunk)) => {
                begun.tap.push(&chunk);
                begun.held.push(chunk);
                if held_bytes(&begun.held) > HELD_BYTES {
                    return Ok(begun);
                }
            }
            Some(Err(fault)) => return Err(Dead::broken_off(&begun, &fault)),
            None => {
                begun.rest = None;
                begun.tap.finish();
            }
        }
    }
    judge(begun)
}

/// Whether an answer that is here so far may go to the caller.
fn judge(begun: Begun) -> Result<Begun, Box<Dead>> {
    let reading = begun.tap.reading();
    if let Some(error) = &reading.error {
        return match outcome_of_error(error, own_failure(reading)) {
            // What is wrong with the request is for the caller to read.
            Outcome::CallersFault => Ok(begun),
            outcome => {
                let mut dead = Dead::within(&begun, outcome, describe(error));
                dead.setback.cool_down = error.retry_after;
                Err(dead)
            }
        };
    }
    if reading.ended || begun.rest.is_some() {
        return Ok(begun);
    }
    let error = "the answer ended before its end mark".to_owned();
    Err(Dead::within(&begun, Outcome::Cut, error))
}

/// An answer whose status is an error.
async fn refused_by_upstream(
    card: &Card,
    status: StatusCode,
    headers: HeaderMap,
    mut rest: Body,
    unix_now: i64,
) -> Box<Dead> {
    let mut body = BytesMut::new();
    while let Some(Ok(chunk)) = rest.next().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - body.len())]);
        if body.len() == ERROR_BYTES {
            break;
        }
    }
    let error = failure::read_error(status.as_u16(), &body);
    let outcome = outcome_of_error(&error, Outcome::ProviderFailed);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let cool_down = hints::cool_down(status.as_u16(), &header, unix_now).or(error.retry_after);
    let answer = Answer { status, headers, body: body.freeze() };
    Box::new(Dead {
        setback: Setback {
            outcome,
            status: Some(status.as_u16()),
            cool_down,
            error: describe(&error),
            sent: true,
            reading: None,
        },
        answer: may_be_read(&answer, outcome, card).then_some(answer),
    })
}

/// Whether the caller may read an upstream's error: never one about our credential, never one that holds
/// it, and only one in the API's own form (C-25).
fn may_be_read(answer: &Answer, outcome: Outcome, card: &Card) -> bool {
    let is_json = serde_json::from_slice::<&serde_json::value::RawValue>(&answer.body).is_ok();
    outcome != Outcome::CredentialRejected && is_json && !holds_credential(&answer.body, card)
}

fn holds_credential(bytes: &[u8], card: &Card) -> bool {
    let secret = card.credential.reveal().as_bytes();
    !secret.is_empty() && memchr::memmem::find(bytes, secret).is_some()
}

fn shape(headers: &HeaderMap, streaming: Streaming) -> Shape {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is = |wanted: &str| {
        content_type.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    };
    match streaming {
        _ if is("text/event-stream") => Shape::Sse,
        Streaming::Sse if content_type.is_empty() => Shape::Sse,
        Streaming::JsonArray => Shape::JsonArray,
        Streaming::Sse | Streaming::No => Shape::Whole,
    }
}

/// What a fault on the way means.
pub(super) fn outcome_of(fault: &Fault) -> Outcome {
    match fault {
        Fault::BaseUrl(_) | Fault::AddressRefused(_) | Fault::Unsendable(_) => Outcome::AddressRefused,
        Fault::Resolve | Fault::Connect | Fault::ConnectTimeout | Fault::Tls(_) => Outcome::ConnectFailed,
        Fault::HeadTimeout => Outcome::FirstByteTimeout,
        Fault::IdleTimeout => Outcome::IdleTimeout,
        Fault::TotalTimeout => Outcome::TotalTimeout,
        Fault::Malformed(_) | Fault::TooManyInterimHeads => Outcome::Garbage,
        Fault::Cut | Fault::NoAnswer | Fault::StaleReuse => Outcome::Cut,
    }
}

/// What an error of the upstream means; `own` where it failed on its own account.
pub(super) fn outcome_of_error(error: &UpstreamError, own: Outcome) -> Outcome {
    match error.class {
        ErrorClass::CallersFault | ErrorClass::ContextOverflow => Outcome::CallersFault,
        ErrorClass::CredentialRejected => Outcome::CredentialRejected,
        ErrorClass::RateLimited | ErrorClass::QuotaExhausted => Outcome::RateLimited,
        ErrorClass::Overloaded => Outcome::Overloaded,
        ErrorClass::ModelUnknown | ErrorClass::NotFound => Outcome::ModelUnknown,
        ErrorClass::ProviderFailed => own,
    }
}

/// What to call an error inside a good status that is the provider's own: told in its API's words, or an answer
/// that is none of that API.
pub(super) fn own_failure(reading: &Reading) -> Outcome {
    if reading.garbage { Outcome::Garbage } else { Outcome::ErrorInside }
}

/// An upstream's error in a line, for the row.
pub(super) fn describe(error: &UpstreamError) -> String {
    let kind = error.kind.as_deref().unwrap_or_else(|| error.class.name());
    match &error.message {
        Some(message) => format!("{kind}: {}", message.chars().take(500).collect::<String>()),
        None => kind.to_owned(),
    }
}

fn held_bytes(held: &[Bytes]) -> usize {
    held.iter().map(Bytes::len).sum()
}
