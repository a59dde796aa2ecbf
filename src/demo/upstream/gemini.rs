//! Gemini: `POST /{v1beta|v1}/models/{model}:{method}`.

use bytes::Bytes;
use protocol::Usage;
use serde_json::{Value, json};

use super::answer::{Answer, Asked, Takes, Tool, prompt_of, seal};

/// How a stream is written: as events with `?alt=sse`, otherwise as a JSON array that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Sse,
    Array,
}

/// Reads a turn; the model and whether to stream stand in the path.
pub(super) fn read(body: &Value, model: &str, stream: bool) -> Result<Asked, String> {
    // `countTokens` may wrap the turn.
    let body = body.get("generateContentRequest").unwrap_or(body);
    let contents =
        body["contents"].as_array().ok_or("* GenerateContentRequest.contents: contents is not specified")?;
    check_seals(contents)?;
    let of_user = |content: &&Value| content["role"] != "model";
    let texts = contents.iter().filter(of_user).flat_map(parts).filter_map(|part| part["text"].as_str());
    let result = contents.last().filter(of_user).into_iter().flat_map(parts);
    let result = result.filter_map(|part| part.get("functionResponse")).last();
    let declared = body["tools"].as_array().into_iter().flatten();
    let declared = declared.flat_map(|tool| tool["functionDeclarations"].as_array()).flatten();
    let tools = declared.filter_map(|function| {
        // The Python SDK writes this one member in snake case.
        let schema = ["parametersJsonSchema", "parameters_json_schema", "parameters"];
        let schema = schema.iter().find_map(|name| function.get(name)).unwrap_or(&Value::Null);
        Some(Tool { name: function["name"].as_str()?.into(), schema: schema.clone(), takes: Takes::Json })
    });
    let config = &body["generationConfig"];
    let schema = config.get("responseJsonSchema").or_else(|| config.get("responseSchema"));
    Ok(Asked {
        model: model.into(),
        stream,
        prompt: prompt_of(texts.collect::<Vec<_>>().into_iter()),
        tool_result: result.map(|result| result["response"].to_string()),
        tools: tools.collect(),
        json_schema: schema.cloned(),
        include_usage: true,
    })
}

fn parts(content: &Value) -> impl Iterator<Item = &Value> {
    content["parts"].as_array().into_iter().flatten()
}

/// Signed calls must come back as they were given out, as at the vendor.
fn check_seals(contents: &[Value]) -> Result<(), String> {
    for part in contents.iter().filter(|content| content["role"] == "model").flat_map(parts) {
        let call = &part["functionCall"];
        if call.is_object() && part["thoughtSignature"] != seal(&call["args"].to_string()) {
            let name = call["name"].as_str().unwrap_or_default();
            return Err(format!("Function call `{name}` has a missing or altered thought_signature."));
        }
    }
    Ok(())
}

/// The answer in one piece.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut parts = Vec::new();
    if !answer.thought.is_empty() {
        parts.push(json!({"text": answer.whole_thought(), "thought": true}));
    }
    parts.push(call_part(answer).unwrap_or_else(|| json!({"text": answer.whole_text()})));
    chunk(asked, answer, &json!(parts), true)
}

/// The answer chunk by chunk; the last one carries the reason of its end.
pub(super) fn events(asked: &Asked, answer: &Answer, framing: Framing) -> Vec<Bytes> {
    let thought = answer.thought.iter().map(|piece| json!({"text": piece, "thought": true}));
    let text = answer.text.iter().map(|piece| json!({"text": piece}));
    let mut parts: Vec<_> = thought.chain(text).chain(call_part(answer)).collect();
    // Google likes to close with an empty text.
    parts.push(json!({"text": ""}));
    let last = parts.len() - 1;
    let chunks = parts.into_iter().enumerate();
    chunks
        .map(|(at, part)| framed(&chunk(asked, answer, &json!([part]), at == last), framing, at, at == last))
        .collect()
}

/// The event that ends a stream in place of the rest.
pub(super) fn error_event(framing: Framing, at: usize) -> Bytes {
    let error = json!({"code": 503, "message": "scripted error in the stream", "status": "UNAVAILABLE"});
    framed(&json!({"error": error}), framing, at, true)
}

fn framed(chunk: &Value, framing: Framing, at: usize, last: bool) -> Bytes {
    Bytes::from(match framing {
        Framing::Sse => format!("data: {chunk}\r\n\r\n"),
        Framing::Array => {
            let before = if at == 0 { "[" } else { ",\r\n" };
            let after = if last { "\n]\n" } else { "\n" };
            format!("{before}{chunk}{after}")
        }
    })
}

fn chunk(asked: &Asked, answer: &Answer, parts: &Value, last: bool) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if last {
        candidate["finishReason"] = json!("STOP");
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage(&answer.usage),
        "modelVersion": asked.model,
        "responseId": format!("demo-{}", answer.number),
    })
}

fn call_part(answer: &Answer) -> Option<Value> {
    let call = answer.call.as_ref()?;
    let arguments = call.arguments_value();
    let signature = seal(&arguments.to_string());
    let call = json!({"id": call.id, "name": call.name, "args": arguments});
    Some(json!({"functionCall": call, "thoughtSignature": signature}))
}

/// What `countTokens` answers.
pub(super) fn count(tokens: u64) -> Value {
    json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})
}

/// `promptTokenCount` includes the cached ones; `candidatesTokenCount` excludes the thoughts. There are no cache writes.
fn usage(usage: &Usage) -> Value {
    json!({
        "promptTokenCount": usage.total_input(),
        "cachedContentTokenCount": usage.cache_read_tokens,
        "candidatesTokenCount": usage.output_tokens.saturating_sub(usage.reasoning_tokens),
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": usage.total_input() + usage.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.total_input()}],
    })
}
