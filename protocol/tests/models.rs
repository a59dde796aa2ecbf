//! Lists of models in each vendor's shape, and which caller gets which.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use protocol::Format;
use protocol::models::{Model, list, list_dialect, one};
use serde_json::{Value, json};

const MODELS: [Model<'static>; 2] = [
    Model { id: "claude-sonnet-4-5", created_unix: 1_758_672_000, owner: "anthropic" },
    Model { id: "team/fast", created_unix: 0, owner: "pointsman" },
];

fn listed(format: Format) -> Value {
    serde_json::from_slice(&list(format, &MODELS)).unwrap()
}

#[test]
fn each_vendor_lists_in_its_own_shape() {
    assert_eq!(
        listed(Format::Anthropic),
        json!({
            "data": [
                {"type": "model", "id": "claude-sonnet-4-5", "display_name": "claude-sonnet-4-5", "created_at": "2025-09-24T00:00:00Z"},
                {"type": "model", "id": "team/fast", "display_name": "team/fast", "created_at": "1970-01-01T00:00:00Z"},
            ],
            "first_id": "claude-sonnet-4-5", "last_id": "team/fast", "has_more": false,
        })
    );
    assert_eq!(
        listed(Format::OpenaiChat),
        json!({
            "object": "list",
            "data": [
                {"id": "claude-sonnet-4-5", "object": "model", "created": 1_758_672_000, "owned_by": "anthropic"},
                {"id": "team/fast", "object": "model", "created": 0, "owned_by": "pointsman"},
            ],
        })
    );
    let gemini = listed(Format::Gemini);
    assert_eq!(gemini["models"][0]["name"], "models/claude-sonnet-4-5");
    assert_eq!(gemini["models"][1]["supportedGenerationMethods"][0], "generateContent");
    let none: Value = serde_json::from_slice(&list(Format::Anthropic, &[])).unwrap();
    assert_eq!(none, json!({"data": [], "first_id": null, "last_id": null, "has_more": false}));
}

#[test]
fn one_model_looks_as_it_does_in_the_list() {
    for (format, items) in
        [(Format::Anthropic, "data"), (Format::OpenaiResponses, "data"), (Format::Gemini, "models")]
    {
        let single: Value = serde_json::from_slice(&one(format, &MODELS[1])).unwrap();
        assert_eq!(single, listed(format)[items][1], "{}", format.name());
    }
}

#[test]
fn a_caller_gets_the_shape_of_its_sdk() {
    let dialect = |present: &[&str]| list_dialect(&|name| present.contains(&name).then_some("x"));
    assert_eq!(dialect(&["anthropic-version", "authorization"]), Format::Anthropic);
    assert_eq!(dialect(&["anthropic-version", "x-goog-api-key"]), Format::Anthropic);
    assert_eq!(dialect(&["x-goog-api-key"]), Format::Gemini);
    assert_eq!(dialect(&["x-goog-api-client", "authorization"]), Format::Gemini);
    assert_eq!(dialect(&["authorization"]), Format::OpenaiChat);
}
