//! Our refusals as clients of the Responses API understand them, Codex above all.
//!
//! Codex repeats a turn up to thirty times on any 5xx but a 503 with `server_is_overloaded`, which
//! it gives up after five. So everything that is nobody's fault but a provider's is said that way,
//! a failed or late upstream too (I-21); the message tells which it was.

use serde_json::{Value, json};

use crate::openai_chat;
use crate::refusal::{Cut, Reason, Refusal};

/// Status and body.
pub(crate) fn body(refusal: &Refusal) -> (u16, Value) {
    let object = |kind, code| openai_chat::error::object(&refusal.text(), kind, code);
    match refusal.reason {
        // A 404 is shown at once, a 403 tried six times.
        Reason::ForbiddenModel => (404, object("invalid_request_error", Some("model_not_found"))),
        Reason::Forbidden => (404, object("invalid_request_error", Some("permission_denied"))),
        Reason::SpendLimit | Reason::PaymentRequired => {
            let mut body = object("usage_limit_reached", Some("usage_limit_reached"));
            if let Some(at) = refusal.resets_at_unix {
                body["error"]["resets_at"] = at.into();
            }
            (if refusal.reason == Reason::SpendLimit { 429 } else { 402 }, body)
        }
        Reason::NoProvider { .. }
        | Reason::Overloaded
        | Reason::Draining
        | Reason::UpstreamFailed
        | Reason::Timeout => (503, object("server_error", Some("server_is_overloaded"))),
        _ => openai_chat::error::body(refusal),
    }
}

/// The event that ends a stream: `response.failed` where the response has told its id, a bare
/// `error` where it has not.
pub(crate) fn cut(cut: &Cut<'_>) -> String {
    let (name, body) = match cut.response_id {
        Some(id) => (
            "response.failed",
            json!({
                "type": "response.failed",
                "sequence_number": cut.next_sequence,
                "response": {
                    "id": id,
                    "object": "response",
                    "status": "failed",
                    "model": cut.model,
                    "output": [],
                    "error": {"code": "server_error", "message": cut.text()},
                    "incomplete_details": null,
                    "usage": null,
                },
            }),
        ),
        None => (
            "error",
            json!({
                "type": "error",
                "sequence_number": cut.next_sequence,
                "code": "server_error",
                "message": cut.text(),
                "param": null,
            }),
        ),
    };
    format!("event: {name}\ndata: {body}\n\n")
}
