//! Anthropic Messages: `POST /v1/messages` and `/v1/messages/count_tokens`.

use bytes::Bytes;
use protocol::Usage;
use serde_json::{Value, json};

use super::answer::{Answer, Asked, Takes, Tool, prompt_of, seal};

/// Reads a turn.
pub(super) fn read(body: &Value) -> Result<Asked, String> {
    if !body["max_tokens"].is_u64() {
        return Err("max_tokens: Field required".into());
    }
    read_prompt(body)
}

/// Reads what `count_tokens` needs, which is a turn without its bound.
pub(super) fn read_prompt(body: &Value) -> Result<Asked, String> {
    let model = body["model"].as_str().ok_or("model: Field required")?;
    let messages = body["messages"].as_array().ok_or("messages: Field required")?;
    check_seals(messages)?;
    let of_user = |message: &&Value| message["role"] == "user";
    let texts = messages.iter().filter(of_user).flat_map(|message| texts_of(&message["content"]));
    let last = messages.last().filter(of_user).map(|message| &message["content"]);
    let result = last.and_then(Value::as_array).and_then(|blocks| {
        blocks.iter().rev().find(|block| block["type"] == "tool_result").map(|block| &block["content"])
    });
    let tools = body["tools"].as_array().into_iter().flatten().filter_map(|tool| {
        Some(Tool {
            name: tool["name"].as_str()?.into(),
            schema: tool["input_schema"].clone(),
            takes: Takes::Json,
        })
    });
    Ok(Asked {
        model: model.into(),
        stream: body["stream"] == true,
        prompt: prompt_of(texts.collect::<Vec<_>>().into_iter()),
        tool_result: result.map(|content| texts_of(content).join("\n")),
        tools: tools.collect(),
        json_schema: body.pointer("/output_config/format/schema").cloned(),
        include_usage: true,
    })
}

/// Content is a text or a list of blocks.
fn texts_of(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks
            .iter()
            .filter(|block| block["type"] == "text")
            .filter_map(|block| block["text"].as_str())
            .collect(),
        _ => Vec::new(),
    }
}

/// Thoughts must come back as they were given out, as at the vendor.
fn check_seals(messages: &[Value]) -> Result<(), String> {
    for (index, message) in messages.iter().enumerate() {
        for (place, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            if block["type"] == "thinking" {
                let thought = block["thinking"].as_str().unwrap_or_default();
                if block["signature"] != seal(thought) {
                    return Err(format!(
                        "messages.{index}.content.{place}: Invalid `signature` in `thinking` block"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The id in the body of an error and in the `request-id` header.
pub(super) fn request_id(number: u64) -> String {
    format!("req_demo_{number}")
}

/// The answer in one piece.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut content = Vec::new();
    if !answer.thought.is_empty() {
        let thought = answer.whole_thought();
        content.push(json!({"type": "thinking", "thinking": thought, "signature": seal(&thought)}));
    }
    match &answer.call {
        Some(call) => content.push(
            json!({"type": "tool_use", "id": call_id(answer), "name": call.name, "input": call.arguments_value()}),
        ),
        None => content.push(json!({"type": "text", "text": answer.whole_text()})),
    }
    message(
        asked,
        answer,
        &json!(content),
        stop_reason(answer),
        usage(&answer.usage, answer.usage.output_tokens),
    )
}

/// The answer event by event.
pub(super) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut frames = Vec::with_capacity(answer.text.len() + answer.thought.len() + 10);
    let mut put = |kind: &str, rest: Value| frames.push(event(kind, rest));
    let opening = message(asked, answer, &json!([]), Value::Null, usage(&answer.usage, 1));
    put("message_start", json!({"message": opening}));
    let mut index = 0;
    if !answer.thought.is_empty() {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        put("content_block_start", json!({"index": index, "content_block": block}));
        for piece in &answer.thought {
            let delta = json!({"type": "thinking_delta", "thinking": piece});
            put("content_block_delta", json!({"index": index, "delta": delta}));
        }
        let delta = json!({"type": "signature_delta", "signature": seal(&answer.whole_thought())});
        put("content_block_delta", json!({"index": index, "delta": delta}));
        put("content_block_stop", json!({"index": index}));
        index += 1;
    }
    let block = match &answer.call {
        Some(call) => json!({"type": "tool_use", "id": call_id(answer), "name": call.name, "input": {}}),
        None => json!({"type": "text", "text": ""}),
    };
    put("content_block_start", json!({"index": index, "content_block": block}));
    put("ping", json!({}));
    for piece in &answer.text {
        put("content_block_delta", json!({"index": index, "delta": {"type": "text_delta", "text": piece}}));
    }
    if let Some(call) = &answer.call {
        let (head, tail) = halves(&call.arguments);
        for piece in ["", head, tail] {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            put("content_block_delta", json!({"index": index, "delta": delta}));
        }
    }
    put("content_block_stop", json!({"index": index}));
    let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    put("message_delta", json!({"delta": delta, "usage": final_usage(&answer.usage)}));
    put("message_stop", json!({}));
    frames
}

/// The event that ends a stream in place of the rest.
pub(super) fn error_event(number: u64) -> Bytes {
    let error = json!({"type": "overloaded_error", "message": "scripted error in the stream"});
    event("error", json!({"error": error, "request_id": request_id(number)}))
}

fn event(kind: &str, rest: Value) -> Bytes {
    let mut data = json!({"type": kind});
    if let (Some(data), Value::Object(rest)) = (data.as_object_mut(), rest) {
        data.extend(rest);
    }
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

fn message(asked: &Asked, answer: &Answer, content: &Value, stop_reason: Value, usage: Value) -> Value {
    json!({
        "id": format!("msg_demo_{}", answer.number), "type": "message", "role": "assistant",
        "model": asked.model, "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "usage": usage,
    })
}

fn call_id(answer: &Answer) -> String {
    format!("toolu_demo_{}", answer.number)
}

fn stop_reason(answer: &Answer) -> Value {
    json!(if answer.call.is_some() { "tool_use" } else { "end_turn" })
}

/// `input_tokens` excludes what was read from or written to a cache.
fn usage(usage: &Usage, output_tokens: u64) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    })
}

/// The counts at the end of a stream: cumulative, and without the split of cache writes.
fn final_usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    })
}

/// Two parts of a text, cut between characters.
pub(super) fn halves(text: &str) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(text.len() / 2))
}
