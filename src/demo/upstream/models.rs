//! Model lists, in each vendor's shape. Any model is served; these are the ones it names.

use protocol::Format;
use serde_json::{Value, json};

use super::openai_chat::CREATED;

/// The models on offer, one per vendor.
const MODELS: [&str; 3] = ["claude-demo-1", "gpt-demo-1", "gemini-demo-1"];

/// The list, as the vendor of that format writes it.
pub(super) fn list(format: Format) -> Value {
    let models: Vec<_> = MODELS.iter().map(|model| one(format, model)).collect();
    match format {
        Format::Anthropic => {
            json!({"data": models, "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last()})
        }
        Format::OpenaiChat | Format::OpenaiResponses => json!({"object": "list", "data": models}),
        Format::Gemini => json!({"models": models}),
    }
}

/// One model, as the vendor of that format describes it.
pub(super) fn one(format: Format, model: &str) -> Value {
    match format {
        Format::Anthropic => {
            json!({"type": "model", "id": model, "display_name": model, "created_at": "2025-10-09T00:00:00Z"})
        }
        Format::OpenaiChat | Format::OpenaiResponses => {
            json!({"id": model, "object": "model", "created": CREATED, "owned_by": "demo"})
        }
        Format::Gemini => json!({
            "name": format!("models/{model}"), "version": "1", "displayName": model,
            "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }),
    }
}
