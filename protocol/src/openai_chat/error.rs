//! Our refusals as OpenAI's clients understand them: `{"error":{message,type,param,code}}`.

use serde_json::{Value, json};

use crate::refusal::{Cut, Reason, Refusal};

/// Status and body.
pub(crate) fn body(refusal: &Refusal) -> (u16, Value) {
    let (status, kind, code) = match refusal.reason {
        Reason::UnknownKey => (401, "invalid_request_error", Some("invalid_api_key")),
        Reason::ForbiddenModel => (403, "invalid_request_error", Some("model_not_allowed")),
        Reason::Forbidden => (403, "invalid_request_error", Some("permission_denied")),
        Reason::Malformed => (400, "invalid_request_error", None),
        Reason::Unsupported => (400, "invalid_request_error", Some("unsupported")),
        Reason::TooLarge => (413, "invalid_request_error", Some("request_too_large")),
        Reason::NotFound => (404, "invalid_request_error", Some("not_found")),
        Reason::MethodNotAllowed => (405, "invalid_request_error", Some("method_not_allowed")),
        Reason::UpgradeRequired => (426, "invalid_request_error", Some("upgrade_required")),
        Reason::SpendLimit => (429, "insufficient_quota", Some("insufficient_quota")),
        Reason::PaymentRequired => (402, "insufficient_quota", Some("insufficient_quota")),
        Reason::RateLimit => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        Reason::NoProvider { .. } | Reason::Overloaded | Reason::Draining => {
            (503, "server_error", Some("server_is_overloaded"))
        }
        Reason::UpstreamFailed => (502, "server_error", Some("upstream_failed")),
        Reason::Timeout => (504, "server_error", Some("timeout")),
        Reason::Internal => (500, "server_error", Some("internal_error")),
    };
    (status, object(&refusal.text(), kind, code))
}

/// The error object of the chunk that ends a stream.
pub(crate) fn cut(cut: &Cut<'_>) -> Value {
    object(&cut.text(), "server_error", Some("stream_cut"))
}

/// The envelope, shared with Responses.
pub(crate) fn object(message: &str, kind: &str, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}
