//! Lists of models in each vendor's shape; `GET /v1/models` belongs to three of them.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::format::Format;

/// A model as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model<'a> {
    /// The name callers ask for.
    pub id: &'a str,
    /// Since when it is offered, in unix seconds; 0 if nobody knows.
    pub created_unix: i64,
    /// Who is named as its owner.
    pub owner: &'a str,
}

/// In which shape a caller wants its list, told by the headers only its SDK sends. `header` looks a
/// header up by its lower-case name.
#[must_use]
pub fn list_dialect<'h>(header: &dyn Fn(&str) -> Option<&'h str>) -> Format {
    if header("anthropic-version").is_some() {
        Format::Anthropic
    } else if header("x-goog-api-key").or_else(|| header("x-goog-api-client")).is_some() {
        Format::Gemini
    } else {
        Format::OpenaiChat
    }
}

/// A list of models. All of them come at once, so that no shape needs a second page.
#[must_use]
pub fn list(format: Format, models: &[Model<'_>]) -> Vec<u8> {
    let items: Vec<Value> = models.iter().map(|model| object(format, model)).collect();
    let list = match format {
        Format::Anthropic => json!({
            "data": items,
            "first_id": models.first().map(|model| model.id),
            "last_id": models.last().map(|model| model.id),
            "has_more": false,
        }),
        Format::OpenaiChat | Format::OpenaiResponses => json!({"object": "list", "data": items}),
        Format::Gemini => json!({"models": items}),
    };
    list.to_string().into_bytes()
}

/// One model.
#[must_use]
pub fn one(format: Format, model: &Model<'_>) -> Vec<u8> {
    object(format, model).to_string().into_bytes()
}

fn object(format: Format, model: &Model<'_>) -> Value {
    match format {
        Format::Anthropic => json!({
            "type": "model",
            "id": model.id,
            "display_name": model.id,
            "created_at": rfc3339(model.created_unix),
        }),
        Format::OpenaiChat | Format::OpenaiResponses => json!({
            "id": model.id,
            "object": "model",
            "created": model.created_unix,
            "owned_by": model.owner,
        }),
        Format::Gemini => json!({
            "name": format!("models/{}", model.id),
            "baseModelId": model.id,
            "version": "001",
            "displayName": model.id,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        }),
    }
}

fn rfc3339(unix: i64) -> String {
    let time = DateTime::from_timestamp(unix, 0).unwrap_or(DateTime::UNIX_EPOCH);
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
