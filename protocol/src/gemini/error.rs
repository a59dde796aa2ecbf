//! Our refusals as Google's clients understand them: `{"error":{code,message,status,details}}`.
//!
//! Gemini CLI ignores the `retry-after` header and reads `details`: a `RetryInfo` says how long to
//! wait (over 300 s it gives up and shows the message), a `QuotaFailure` per day that waiting is
//! no use.

use std::time::Duration;

use serde_json::{Value, json};

use crate::refusal::{Cut, Reason, Refusal, whole_seconds};

/// Up to this wait Gemini CLI waits by itself, ten times if need be.
const CLIENT_WAITS: Duration = Duration::from_secs(300);

/// Status and body.
pub(crate) fn body(refusal: &Refusal) -> (u16, Value) {
    let (code, status) = match refusal.reason {
        Reason::UnknownKey => (401, "UNAUTHENTICATED"),
        Reason::ForbiddenModel | Reason::Forbidden => (403, "PERMISSION_DENIED"),
        Reason::Malformed | Reason::Unsupported => (400, "INVALID_ARGUMENT"),
        Reason::TooLarge => (413, "INVALID_ARGUMENT"),
        Reason::NotFound => (404, "NOT_FOUND"),
        Reason::MethodNotAllowed => (405, "UNIMPLEMENTED"),
        Reason::UpgradeRequired => (426, "FAILED_PRECONDITION"),
        Reason::SpendLimit | Reason::RateLimit => (429, "RESOURCE_EXHAUSTED"),
        Reason::PaymentRequired => (402, "RESOURCE_EXHAUSTED"),
        Reason::NoProvider { .. } | Reason::Draining | Reason::Overloaded => (503, "UNAVAILABLE"),
        Reason::UpstreamFailed => (502, "UNAVAILABLE"),
        Reason::Timeout => (504, "DEADLINE_EXCEEDED"),
        Reason::Internal => (500, "INTERNAL"),
    };
    let mut body = object(code, &refusal.text(), status);
    if let Some(details) = details(refusal) {
        body["error"]["details"] = json!([details]);
    }
    (code, body)
}

fn details(refusal: &Refusal) -> Option<Value> {
    let wait = refusal.wait();
    if refusal.reason == Reason::SpendLimit && wait.is_none_or(|wait| wait <= CLIENT_WAITS) {
        return Some(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": "SpendLimitPerDay", "description": refusal.message}],
        }));
    }
    let delay = format!("{}s", whole_seconds(wait?));
    Some(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}))
}

/// The chunk or element that ends a stream.
pub(crate) fn cut(cut: &Cut<'_>) -> Value {
    object(503, &cut.text(), "UNAVAILABLE")
}

fn object(code: u16, message: &str, status: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}
