//! OpenAI Responses: `POST /v1/responses` and `/v1/responses/input_tokens`.

use bytes::Bytes;
use protocol::{Format, Usage};
use serde_json::{Value, json};

use super::answer::{Answer, Asked, Call, Takes, Tool, prompt_of, seal};
use super::anthropic::halves;
use super::openai_chat::{CREATED, texts_of};
use super::refusal::overflow;

/// Reads a turn.
pub(super) fn read(body: &Value) -> Result<Asked, String> {
    let model = body["model"].as_str().ok_or("Missing required parameter: 'model'.")?;
    let none = Vec::new();
    let (texts, items) = match &body["input"] {
        Value::String(text) => (vec![text.as_str()], &none),
        Value::Array(items) => {
            check_seals(items)?;
            (
                items
                    .iter()
                    .filter(|item| item["role"] == "user")
                    .flat_map(|item| texts_of(&item["content"]))
                    .collect(),
                items,
            )
        }
        _ => return Err("Missing required parameter: 'input'.".into()),
    };
    // For models it knows, Codex sends its tools as an item of the input.
    let listed = items.iter().filter(|item| item["type"] == "additional_tools");
    let tools = std::iter::once(body).chain(listed).flat_map(|place| place["tools"].as_array()).flatten();
    Ok(Asked {
        model: model.into(),
        stream: body["stream"] == true,
        prompt: prompt_of(texts.into_iter()),
        tool_result: items
            .last()
            .filter(|item| item["type"].as_str().is_some_and(|kind| kind.ends_with("_output")))
            .map(output),
        tools: tools.filter_map(tool).collect(),
        json_schema: body.pointer("/text/format/schema").cloned(),
        include_usage: true,
    })
}

fn tool(tool: &Value) -> Option<Tool> {
    let takes = match tool["type"].as_str()? {
        "function" => Takes::Json,
        "custom" => Takes::Text,
        _ => return None,
    };
    Some(Tool { name: tool["name"].as_str()?.into(), schema: tool["parameters"].clone(), takes })
}

fn output(item: &Value) -> String {
    texts_of(&item["output"]).join("\n")
}

/// Encrypted reasoning must come back as it was given out, as at the vendor.
fn check_seals(items: &[Value]) -> Result<(), String> {
    let sealed = items.iter().filter(|item| item["type"] == "reasoning");
    for item in sealed {
        let thought = item.pointer("/summary/0/text").and_then(Value::as_str).unwrap_or_default();
        if item["encrypted_content"].is_string() && item["encrypted_content"] != seal(thought) {
            return Err("The encrypted content could not be verified.".into());
        }
    }
    Ok(())
}

/// The answer in one piece.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut output = Vec::new();
    if !answer.thought.is_empty() {
        output.push(reasoning(answer, true));
    }
    output.push(match &answer.call {
        Some(call) => call_item(answer, call, true),
        None => message(answer, true),
    });
    response(asked, answer.number, "completed", &json!(output), usage(&answer.usage))
}

/// The answer event by event.
pub(super) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut tape = Tape::opened(asked, answer.number);
    if !answer.thought.is_empty() {
        let id = format!("rs_demo_{}", answer.number);
        let thought = answer.whole_thought();
        let at = json!({"item_id": id, "output_index": 0, "summary_index": 0});
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        tape.put(
            "response.output_item.added",
            json!({"output_index": 0}),
            json!({"item": reasoning(answer, false)}),
        );
        tape.put("response.reasoning_summary_part.added", at.clone(), json!({"part": part("")}));
        for piece in &answer.thought {
            tape.put("response.reasoning_summary_text.delta", at.clone(), json!({"delta": piece}));
        }
        tape.put("response.reasoning_summary_text.done", at.clone(), json!({"text": thought}));
        tape.put("response.reasoning_summary_part.done", at, json!({"part": part(&thought)}));
        tape.put(
            "response.output_item.done",
            json!({"output_index": 0}),
            json!({"item": reasoning(answer, true)}),
        );
    }
    let index = usize::from(!answer.thought.is_empty());
    match &answer.call {
        Some(call) => tape.call(answer, call, index),
        None => tape.message(answer, index),
    }
    let response = whole(asked, answer);
    tape.put("response.completed", json!({}), json!({"response": response}));
    tape.frames
}

/// What a stream says about a prompt that is too long: it starts, and fails.
pub(super) fn overflow_events(asked: &Asked, number: u64) -> Vec<Bytes> {
    let mut tape = Tape::opened(asked, number);
    let place = tape.frames.len();
    tape.frames.push(failed(
        asked,
        number,
        place,
        "context_length_exceeded",
        overflow(Format::OpenaiResponses),
    ));
    tape.frames
}

/// The event that ends a stream in place of the rest.
pub(super) fn error_event(asked: &Asked, number: u64, place: usize) -> Bytes {
    failed(asked, number, place, "server_error", "scripted error in the stream")
}

fn failed(asked: &Asked, number: u64, place: usize, code: &str, message: &str) -> Bytes {
    let mut response = response(asked, number, "failed", &json!([]), Value::Null);
    response["error"] = json!({"code": code, "message": message});
    event(&json!({"type": "response.failed", "sequence_number": place, "response": response}))
}

/// Events in their order; each carries its number.
struct Tape {
    frames: Vec<Bytes>,
}

impl Tape {
    fn opened(asked: &Asked, number: u64) -> Self {
        let mut tape = Self { frames: Vec::new() };
        for kind in ["response.created", "response.in_progress"] {
            let opening = response(asked, number, "in_progress", &json!([]), Value::Null);
            tape.put(kind, json!({}), json!({"response": opening}));
        }
        tape
    }

    fn put(&mut self, kind: &str, place: Value, what: Value) {
        let mut data = json!({"type": kind, "sequence_number": self.frames.len()});
        for part in [place, what] {
            if let (Some(data), Value::Object(part)) = (data.as_object_mut(), part) {
                data.extend(part);
            }
        }
        self.frames.push(event(&data));
    }

    fn message(&mut self, answer: &Answer, index: usize) {
        let at = json!({"item_id": format!("msg_demo_{}", answer.number), "output_index": index, "content_index": 0});
        let item = |done| json!({"item": message(answer, done)});
        let text = answer.whole_text();
        self.put("response.output_item.added", json!({"output_index": index}), item(false));
        self.put("response.content_part.added", at.clone(), json!({"part": part("")}));
        for piece in &answer.text {
            self.put("response.output_text.delta", at.clone(), json!({"delta": piece, "logprobs": []}));
        }
        self.put("response.output_text.done", at.clone(), json!({"text": text, "logprobs": []}));
        self.put("response.content_part.done", at, json!({"part": part(&text)}));
        self.put("response.output_item.done", json!({"output_index": index}), item(true));
    }

    fn call(&mut self, answer: &Answer, call: &Call, index: usize) {
        let at = json!({"item_id": call_item_id(answer, call), "output_index": index});
        let item = |done| json!({"item": call_item(answer, call, done)});
        let (what, member) = match call.takes {
            Takes::Json => ("response.function_call_arguments", "arguments"),
            Takes::Text => ("response.custom_tool_call_input", "input"),
        };
        self.put("response.output_item.added", json!({"output_index": index}), item(false));
        let (head, tail) = halves(&call.arguments);
        for piece in [head, tail] {
            self.put(&format!("{what}.delta"), at.clone(), json!({"delta": piece}));
        }
        self.put(&format!("{what}.done"), at, json!({member: call.arguments}));
        self.put("response.output_item.done", json!({"output_index": index}), item(true));
    }
}

fn event(data: &Value) -> Bytes {
    let kind = data["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

fn response(asked: &Asked, number: u64, status: &str, output: &Value, usage: Value) -> Value {
    json!({
        "id": format!("resp_demo_{number}"), "object": "response", "created_at": CREATED, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "model": asked.model,
        "output": output, "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "usage": usage,
    })
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(answer: &Answer, done: bool) -> Value {
    let content = if done { json!([part(&answer.whole_text())]) } else { json!([]) };
    json!({
        "id": format!("msg_demo_{}", answer.number), "type": "message", "status": status(done),
        "role": "assistant", "content": content,
    })
}

fn reasoning(answer: &Answer, done: bool) -> Value {
    let thought = answer.whole_thought();
    let summary = if done { json!([{"type": "summary_text", "text": thought}]) } else { json!([]) };
    let sealed = if done { seal(&thought) } else { String::new() };
    json!({
        "id": format!("rs_demo_{}", answer.number), "type": "reasoning", "summary": summary,
        "encrypted_content": sealed,
    })
}

fn call_item(answer: &Answer, call: &Call, done: bool) -> Value {
    let (kind, member) = match call.takes {
        Takes::Json => ("function_call", "arguments"),
        Takes::Text => ("custom_tool_call", "input"),
    };
    let given = if done { call.arguments.as_str() } else { "" };
    json!({
        "id": call_item_id(answer, call), "type": kind, "status": status(done), "name": call.name,
        "call_id": call.id, member: given,
    })
}

fn call_item_id(answer: &Answer, call: &Call) -> String {
    let prefix = if call.takes == Takes::Json { "fc" } else { "ctc" };
    format!("{prefix}_demo_{}", answer.number)
}

fn status(done: bool) -> &'static str {
    if done { "completed" } else { "in_progress" }
}

/// `input_tokens` includes the cached ones, `output_tokens` the reasoning.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.total_input(),
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": usage.cache_write_5m_tokens, "ttl_12h_tokens": usage.cache_write_1h_tokens,
            },
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_input() + usage.output_tokens,
    })
}
