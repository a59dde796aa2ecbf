//! What an upstream's error means: whose fault it is, and what may cure it.
//!
//! Read from status and body, or from an error event inside a 200. Vendors, and those compatible
//! with them, put the decisive word now into `code`, now into `type`, `status` or the text, so one
//! reading serves all formats.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::counts::lenient;
use crate::hints;

/// The longest error text that is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 2048;

/// What an error means to the dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The request itself; every provider would say the same.
    CallersFault,
    /// Too long for this model; another model or provider may have more room.
    ContextOverflow,
    /// The credential is unknown, revoked, or its account may not do this.
    CredentialRejected,
    /// The account is out of money or plan: waiting seconds does not help.
    QuotaExhausted,
    /// Too much at once; waiting helps.
    RateLimited,
    /// The vendor has no room at the moment.
    Overloaded,
    /// The provider does not offer this model.
    ModelUnknown,
    /// The provider does not know this path or this stored thing.
    NotFound,
    /// The provider is broken, or answers what is no answer.
    ProviderFailed,
}

impl ErrorClass {
    /// The name used in rows and in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallersFault => "callers_fault",
            Self::ContextOverflow => "context_overflow",
            Self::CredentialRejected => "credential_rejected",
            Self::QuotaExhausted => "quota_exhausted",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ModelUnknown => "model_unknown",
            Self::NotFound => "not_found",
            Self::ProviderFailed => "provider_failed",
        }
    }
}

/// An upstream's error, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpstreamError {
    /// What it means.
    pub class: ErrorClass,
    /// The vendor's most telling word for it.
    pub kind: Option<String>,
    /// The vendor's text; for logs, and for the caller only where the fault is the caller's.
    pub message: Option<String>,
    /// How long to wait, if the body says so.
    pub retry_after: Option<Duration>,
    /// When it will be over, in unix seconds, if the body says so.
    pub resets_at_unix: Option<i64>,
}

impl UpstreamError {
    /// What is said of an answer that is none.
    pub(crate) fn garbage() -> Self {
        Self {
            class: ErrorClass::ProviderFailed,
            kind: None,
            message: Some("the answer cannot be read".to_owned()),
            retry_after: None,
            resets_at_unix: None,
        }
    }
}

/// Reads the body of an answer that is an error by its status.
#[must_use]
pub fn read_error(status: u16, body: &[u8]) -> UpstreamError {
    match Detail::find(body) {
        Some(detail) => detail.understood(status),
        None => Detail::plain(&String::from_utf8_lossy(&body[..body.len().min(4 * MAX_MESSAGE_CHARS)]))
            .understood(status),
    }
}

/// Reads an error inside an answer whose status was good. `json` is the data of an event or a
/// whole body, with the error under `error` or on its top level.
pub(crate) fn read_inner(json: &[u8]) -> UpstreamError {
    Detail::find(json).map_or_else(UpstreamError::garbage, |detail| detail.understood(200))
}

/// An error as all vendors describe it, under `error` or bare.
#[derive(Deserialize, Default)]
struct Detail<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    code: Option<Code<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    message: Option<Cow<'a, str>>,
    /// What Python's web frameworks, and so some vendors, call the message.
    #[serde(borrow, default, deserialize_with = "lenient")]
    detail: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    details: Option<Vec<Hint<'a>>>,
    #[serde(default, deserialize_with = "lenient")]
    resets_at: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    resets_in_seconds: Option<f64>,
}

/// A code is a word at OpenAI and a status at Google; relays write statuses as words, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code<'a> {
    Number(u16),
    #[serde(borrow)]
    Word(Cow<'a, str>),
}

/// One of Google's `details`: why, or for how long.
#[derive(Deserialize)]
struct Hint<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "retryDelay", deserialize_with = "lenient")]
    retry_delay: Option<Cow<'a, str>>,
}

impl<'a> Detail<'a> {
    /// Unwraps an error: `{"error": {…}}`, `{"error": "text"}`, `[{"error": {…}}]`, or bare.
    fn find(body: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow, default)]
            error: Option<&'a RawValue>,
        }
        let envelope = match body.trim_ascii_start().first() {
            Some(b'{') => serde_json::from_slice::<Envelope<'a>>(body),
            _ => serde_json::from_slice::<[Envelope<'a>; 1]>(body).map(|[only]| only),
        };
        match envelope.ok()?.error.map(RawValue::get) {
            None | Some("null") => serde_json::from_slice(body).ok(),
            Some(object) if object.starts_with('{') => serde_json::from_str(object).ok(),
            Some(other) => {
                let text = serde_json::from_str::<Cow<'a, str>>(other).unwrap_or(Cow::Borrowed(other));
                Some(Self { message: Some(text), ..Self::default() })
            }
        }
    }

    /// What is not JSON is text for people.
    fn plain(text: &str) -> Detail<'static> {
        Detail { message: Some(Cow::Owned(text.to_owned())), ..Detail::default() }
    }

    fn understood(&self, status: u16) -> UpstreamError {
        let message =
            self.message.as_deref().or(self.detail.as_deref()).map(cleaned).filter(|text| !text.is_empty());
        let text = message.as_deref().unwrap_or_default();
        let details = self.details.as_deref().unwrap_or_default();
        let code_word = match &self.code {
            Some(Code::Word(word)) => Some(word.as_ref()),
            _ => None,
        };
        // An error inside a 200 tells its status, if at all, in the code.
        let inner = match &self.code {
            Some(Code::Number(number)) => Some(*number),
            Some(Code::Word(word)) => word.parse().ok(),
            None => None,
        };
        let status =
            if status < 300 { inner.filter(|inner| *inner >= 300).unwrap_or(status) } else { status };
        let words: Vec<&str> = details
            .iter()
            .filter_map(|hint| hint.reason.as_deref())
            .chain(code_word)
            .chain(self.kind.as_deref())
            .chain(self.status.as_deref())
            .collect();
        let in_seconds = self.resets_in_seconds.and_then(hints::seconds);
        UpstreamError {
            class: classify(status, &words, text),
            kind: words.iter().find(|word| word.parse::<u16>().is_err()).map(|word| short(word)),
            retry_after: details
                .iter()
                .find_map(|hint| hints::span(hint.retry_delay.as_deref()?))
                .or(in_seconds)
                .or_else(|| hints::in_text(text)),
            resets_at_unix: self.resets_at,
            message,
        }
    }
}

/// Decides what an error means: first by words that mean one thing whatever the status, then by the
/// status, and for an error inside a 200 by the words that merely name a status.
fn classify(status: u16, words: &[&str], text: &str) -> ErrorClass {
    use ErrorClass::*;
    if let Some(class) = words.iter().find_map(|word| by_telling_word(word)) {
        return class;
    }
    match status {
        // A page for people is a wall in front of the API, and says nothing about the credential.
        403 if words.is_empty() && text.starts_with('<') => ProviderFailed,
        401..=403 => CredentialRejected,
        404 | 405 => not_found(words, text),
        429 => RateLimited,
        408 | 409 | 425 => ProviderFailed,
        400..=499 => callers_fault(text),
        503 | 529 => Overloaded,
        200..=299 => match words.iter().find_map(|word| by_status_word(word)) {
            Some(CallersFault) => callers_fault(text),
            Some(NotFound) => not_found(words, text),
            Some(class) => class,
            None => ProviderFailed,
        },
        _ => ProviderFailed,
    }
}

/// Words that mean one thing, whatever status they come with.
fn by_telling_word(word: &str) -> Option<ErrorClass> {
    use ErrorClass::*;
    Some(match word {
        "API_KEY_INVALID"
        | "invalid_api_key"
        | "account_deactivated"
        | "authentication_error"
        | "permission_error"
        | "billing_error"
        | "billing_not_active"
        | "token_revoked" => CredentialRejected,
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "usage_limit_reached"
        | "usage_not_included"
        | "quota_exceeded" => QuotaExhausted,
        "context_length_exceeded" | "string_above_max_length" => ContextOverflow,
        "model_not_found" => ModelUnknown,
        "overloaded_error" | "server_is_overloaded" | "slow_down" => Overloaded,
        "rate_limit_error" | "rate_limit_exceeded" | "RATE_LIMIT_EXCEEDED" => RateLimited,
        _ => return None,
    })
}

/// Words that only repeat a status, for errors that have none.
fn by_status_word(word: &str) -> Option<ErrorClass> {
    use ErrorClass::*;
    Some(match word {
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => CredentialRejected,
        "RESOURCE_EXHAUSTED" => RateLimited,
        "UNAVAILABLE" => Overloaded,
        "NOT_FOUND" | "not_found_error" => NotFound,
        "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "OUT_OF_RANGE"
        | "invalid_request_error"
        | "request_too_large"
        | "invalid_prompt"
        | "cyber_policy"
        | "content_policy_violation"
        | "invalid_image" => CallersFault,
        _ => return None,
    })
}

/// A 400 is the caller's, except where vendors answer so for a full context or a dead account.
fn callers_fault(text: &str) -> ErrorClass {
    const OVERFLOW: [&str; 6] = [
        "prompt is too long",
        "exceed context limit",
        "exceeds the context window",
        "maximum context length",
        "exceeds the maximum number of tokens",
        "input is too long",
    ];
    const DEAD_ACCOUNT: [&str; 5] = [
        "credit balance is too low",
        "organization has been disabled",
        "api key not valid",
        "api key expired",
        "user location is not supported",
    ];
    let text = text.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if says(&OVERFLOW) {
        ErrorClass::ContextOverflow
    } else if says(&DEAD_ACCOUNT) {
        ErrorClass::CredentialRejected
    } else {
        ErrorClass::CallersFault
    }
}

/// Whether a 404 is about the model: vendors then name it (`model: x`, `models/x is not found`).
fn not_found(words: &[&str], text: &str) -> ErrorClass {
    let vendor_says_so = words.iter().any(|word| matches!(*word, "not_found_error" | "NOT_FOUND"));
    if text.to_ascii_lowercase().contains("model") && (vendor_says_so || text.contains("does not exist")) {
        ErrorClass::ModelUnknown
    } else {
        ErrorClass::NotFound
    }
}

/// A text for rows and logs: no control characters, and an end.
fn cleaned(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(MAX_MESSAGE_CHARS).collect()
}

fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}
