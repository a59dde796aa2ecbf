//! OpenAI Chat Completions: `POST /v1/chat/completions`.

use bytes::Bytes;
use protocol::Usage;
use serde_json::{Value, json};

use super::answer::{Answer, Asked, Call, Takes, Tool, prompt_of};
use super::anthropic::halves;

/// Answers carry no real time, so that the same question has the same answer.
pub(super) const CREATED: u64 = 1_760_000_000;

/// Reads a turn.
pub(super) fn read(body: &Value) -> Result<Asked, String> {
    let model = body["model"].as_str().ok_or("you must provide a model parameter")?;
    let messages = body["messages"].as_array().ok_or("Missing required parameter: 'messages'.")?;
    let texts = messages.iter().filter(|message| message["role"] == "user");
    let result = messages.last().filter(|message| message["role"] == "tool");
    let tools = body["tools"].as_array().into_iter().flatten().filter_map(|tool| {
        let function = &tool["function"];
        let name = function["name"].as_str()?.into();
        Some(Tool { name, schema: function["parameters"].clone(), takes: Takes::Json })
    });
    Ok(Asked {
        model: model.into(),
        stream: body["stream"] == true,
        prompt: prompt_of(
            texts.flat_map(|message| texts_of(&message["content"])).collect::<Vec<_>>().into_iter(),
        ),
        tool_result: result.map(|message| texts_of(&message["content"]).join("\n")),
        tools: tools.collect(),
        json_schema: body.pointer("/response_format/json_schema/schema").cloned(),
        include_usage: body.pointer("/stream_options/include_usage") == Some(&json!(true)),
    })
}

/// Content is a text or a list of parts.
pub(super) fn texts_of(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The answer in one piece.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    if !answer.thought.is_empty() {
        message["reasoning_content"] = json!(answer.whole_thought());
    }
    match &answer.call {
        Some(call) => message["tool_calls"] = json!([tool_call(call, &call.arguments)]),
        None => message["content"] = json!(answer.whole_text()),
    }
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(answer)});
    json!({
        "id": id(answer), "object": "chat.completion", "created": CREATED, "model": asked.model,
        "choices": [choice], "usage": usage(&answer.usage), "service_tier": "default",
    })
}

/// The answer chunk by chunk.
pub(super) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut frames = Vec::with_capacity(answer.text.len() + answer.thought.len() + 6);
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": id(answer), "object": "chat.completion.chunk", "created": CREATED, "model": asked.model,
            "service_tier": "default", "choices": choices,
        });
        // The member is there in every chunk when usage was asked for, and in none otherwise.
        if asked.include_usage {
            chunk["usage"] = usage;
        }
        data(&chunk)
    };
    let mut put = |delta: Value, finish_reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        frames.push(chunk(json!([choice]), Value::Null));
    };
    put(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
    for piece in &answer.thought {
        put(json!({"reasoning_content": piece}), Value::Null);
    }
    for piece in &answer.text {
        put(json!({"content": piece}), Value::Null);
    }
    if let Some(call) = &answer.call {
        let mut opening = tool_call(call, "");
        opening["index"] = json!(0);
        put(json!({"tool_calls": [opening]}), Value::Null);
        let (head, tail) = halves(&call.arguments);
        for piece in [head, tail] {
            put(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), Value::Null);
        }
    }
    put(json!({}), json!(finish_reason(answer)));
    if asked.include_usage {
        frames.push(chunk(json!([]), usage(&answer.usage)));
    }
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}

/// The event that ends a stream in place of the rest.
pub(super) fn error_event() -> Bytes {
    let error = json!({"message": "scripted error in the stream", "type": "server_error", "param": null, "code": null});
    data(&json!({"error": error}))
}

fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

fn id(answer: &Answer) -> String {
    format!("chatcmpl-demo-{}", answer.number)
}

fn tool_call(call: &Call, arguments: &str) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.call.is_some() { "tool_calls" } else { "stop" }
}

/// `prompt_tokens` includes the cached ones, `completion_tokens` the reasoning.
fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.total_input(),
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_input() + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0},
    })
}
