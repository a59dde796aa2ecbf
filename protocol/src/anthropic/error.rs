//! Our refusals as Anthropic's clients understand them: `{"type":"error","error":{…}}`.

use serde_json::{Value, json};

use crate::refusal::{Cut, Reason, Refusal};

/// Status and body.
pub(crate) fn body(refusal: &Refusal) -> (u16, Value) {
    let (status, kind) = match refusal.reason {
        Reason::UnknownKey => (401, "authentication_error"),
        Reason::ForbiddenModel | Reason::Forbidden => (403, "permission_error"),
        Reason::Malformed | Reason::Unsupported => (400, "invalid_request_error"),
        Reason::TooLarge => (413, "request_too_large"),
        Reason::NotFound => (404, "not_found_error"),
        Reason::MethodNotAllowed => (405, "invalid_request_error"),
        Reason::UpgradeRequired => (426, "invalid_request_error"),
        Reason::SpendLimit | Reason::RateLimit => (429, "rate_limit_error"),
        Reason::PaymentRequired => (402, "billing_error"),
        // Claude Code waits on a 503 with `retry-after`, and ends after three tries on a 529.
        Reason::NoProvider { coming_back: Some(_) } => (503, "api_error"),
        Reason::NoProvider { coming_back: None } => (529, "overloaded_error"),
        Reason::UpstreamFailed => (502, "api_error"),
        Reason::Timeout => (504, "timeout_error"),
        Reason::Draining | Reason::Overloaded => (503, "api_error"),
        Reason::Internal => (500, "api_error"),
    };
    (status, object(kind, &refusal.text(), &refusal.request_id))
}

/// The event that ends a stream; `api_error` makes Claude Code repeat the turn.
pub(crate) fn cut(cut: &Cut<'_>) -> String {
    format!("event: error\ndata: {}\n\n", object("api_error", &cut.text(), cut.request_id))
}

fn object(kind: &str, message: &str, request_id: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})
}
