//! Our own refusals, spoken in the caller's dialect.
//!
//! Which status, type and headers a reason gets is decided per format, since clients act on them:
//! a final refusal in the wrong words is retried for minutes, a passing one shown as final. The
//! words are in `error.rs` of each format; what is common to all is here.

use std::time::Duration;

use crate::format::Format;
use crate::tap::Shape;
use crate::{anthropic, gemini, openai_chat, openai_responses};

/// While no provider is there but one is expected back, clients are asked to wait this long at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why we refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No key, or one that is unknown, disabled or expired.
    UnknownKey,
    /// The key may not use this model.
    ForbiddenModel,
    /// The key may not be used from this client, or for this.
    Forbidden,
    /// The request cannot be understood.
    Malformed,
    /// The body is beyond the limit.
    TooLarge,
    /// There is nothing at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// Understood, but not served: a conversion that does not exist.
    Unsupported,
    /// Websockets are not spoken here.
    UpgradeRequired,
    /// A limit on money is reached.
    SpendLimit,
    /// Likewise, where the operator wants it told by its own status.
    PaymentRequired,
    /// A limit on requests, tokens or concurrency is reached; it passes soon.
    RateLimit,
    /// No provider can take the request.
    NoProvider {
        /// When one is expected back, if any is.
        coming_back: Option<Duration>,
    },
    /// Every provider that was tried failed.
    UpstreamFailed,
    /// No answer came in time.
    Timeout,
    /// This process is about to end.
    Draining,
    /// This process has no room, or cannot record what it would spend.
    Overloaded,
    /// A fault of ours.
    Internal,
}

impl Reason {
    /// Whether the same request will be refused again however long the caller waits. Such refusals
    /// carry `x-should-retry: false`, without which some clients try for minutes.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::UnknownKey
            | Self::ForbiddenModel
            | Self::Forbidden
            | Self::Malformed
            | Self::TooLarge
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Unsupported
            | Self::UpgradeRequired
            | Self::SpendLimit
            | Self::PaymentRequired => true,
            Self::RateLimit
            | Self::NoProvider { .. }
            | Self::UpstreamFailed
            | Self::Timeout
            | Self::Draining
            | Self::Overloaded
            | Self::Internal => false,
        }
    }
}

/// A refusal, before it is put into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What the user reads: which limit, how much, when it resets.
    pub message: String,
    /// The id of the request, for asking back.
    pub request_id: String,
    /// How long to wait, where waiting helps.
    pub retry_after: Option<Duration>,
    /// When the limit resets, in unix seconds, where one does.
    pub resets_at_unix: Option<i64>,
}

impl Refusal {
    /// A refusal that time does not change.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>, request_id: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            request_id: request_id.into(),
            retry_after: None,
            resets_at_unix: None,
        }
    }

    /// The message with the request's id, which is what a user can quote.
    pub(crate) fn text(&self) -> String {
        if self.request_id.is_empty() || self.message.contains(&self.request_id) {
            self.message.clone()
        } else {
            format!("{} (request {})", self.message, self.request_id)
        }
    }

    /// How long the caller is asked to wait: as told, or what the reason suggests.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self.reason {
            Reason::NoProvider { coming_back } => {
                coming_back.or(self.retry_after).map(|wait| wait.min(LONGEST_WAIT))
            }
            // Codex gives up without it, other clients guess.
            Reason::RateLimit => Some(self.retry_after.unwrap_or(Duration::from_secs(1))),
            Reason::Draining | Reason::Overloaded => {
                Some(self.retry_after.unwrap_or(Duration::from_secs(1)).min(LONGEST_WAIT))
            }
            _ => self.retry_after,
        }
    }
}

/// A refusal as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The HTTP status.
    pub status: u16,
    /// Headers, content type included.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Puts a refusal into the words of a format.
#[must_use]
pub fn render(format: Format, refusal: &Refusal) -> Rendered {
    let (status, body) = match format {
        Format::Anthropic => anthropic::error::body(refusal),
        Format::OpenaiChat => openai_chat::error::body(refusal),
        Format::OpenaiResponses => openai_responses::error::body(refusal),
        Format::Gemini => gemini::error::body(refusal),
    };
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if !refusal.request_id.is_empty() {
        let name = if format == Format::Anthropic { "request-id" } else { "x-request-id" };
        headers.push((name, header_safe(&refusal.request_id)));
    }
    if let Some(wait) = refusal.wait().or_else(|| default_wait(format, refusal.reason)) {
        headers.push(("retry-after", whole_seconds(wait).to_string()));
    }
    if refusal.reason.is_final() {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    Rendered { status, headers, body: body.to_string().into_bytes() }
}

/// OpenAI's clients come back within half a second unless they are told otherwise.
fn default_wait(format: Format, reason: Reason) -> Option<Duration> {
    let openai = matches!(format, Format::OpenaiChat | Format::OpenaiResponses);
    (openai && matches!(reason, Reason::NoProvider { .. })).then_some(Duration::from_secs(5))
}

/// What it takes to end a stream with an error after the commit point.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// What the user reads.
    pub message: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// How the answer was coming.
    pub shape: Shape,
    /// Whether what the caller has got so far ends between two events. Set it when a filter stands
    /// between tap and caller that passes whole events only.
    pub between_events: bool,
    /// The vendor's id of the answer, if it was told.
    pub response_id: Option<&'a str>,
    /// The model that was answering, if it was told.
    pub model: Option<&'a str>,
    /// The number that would come next (Responses).
    pub next_sequence: u64,
}

/// The bytes that tell the caller of a cut, to be followed by an abnormal end of the connection.
///
/// An event cut in the middle is closed first, so that ours is an event of its own; nothing can
/// take the torn one back. A torn element of an array cannot be closed at all, and a whole body
/// has no place for errors: there nothing is written, and the abnormal end must speak.
#[must_use]
pub fn cut(format: Format, cut: &Cut<'_>) -> Vec<u8> {
    let event = match (format, cut.shape) {
        (_, Shape::Whole) => return Vec::new(),
        (_, Shape::JsonArray) if !cut.between_events => return Vec::new(),
        (_, Shape::JsonArray) => return format!(",\r\n{}", gemini::error::cut(cut)).into_bytes(),
        (Format::Anthropic, Shape::Sse) => anthropic::error::cut(cut),
        (Format::OpenaiChat, Shape::Sse) => format!("data: {}\n\n", openai_chat::error::cut(cut)),
        (Format::OpenaiResponses, Shape::Sse) => openai_responses::error::cut(cut),
        (Format::Gemini, Shape::Sse) => format!("data: {}\r\n\r\n", gemini::error::cut(cut)),
    };
    match (cut.between_events, format) {
        (true, _) => event.into_bytes(),
        (false, Format::Gemini) => format!("\r\n\r\n{event}").into_bytes(),
        (false, _) => format!("\n\n{event}").into_bytes(),
    }
}

impl Cut<'_> {
    pub(crate) fn text(&self) -> String {
        format!("{} (request {})", self.message, self.request_id)
    }
}

/// Whole seconds, rounded up: a client that comes back early is refused again.
pub(crate) fn whole_seconds(span: Duration) -> u64 {
    (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
}

/// What may stand in a header's value.
fn header_safe(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}
