//! What is said in the four formats: requests, and the answers an upstream gives to them.

use protocol::Format;
use serde_json::{Value, json};

use super::Asking;

/// The head before a stream whose chunks follow.
pub(crate) const HEAD_OF_STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// One chunk of a chunked body.
pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A whole plain answer with a length.
pub(crate) fn plain(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// A sound answer in one format, as its upstream would give it.
#[derive(Debug, Clone)]
pub(crate) struct Speech {
    /// The stream's events, in full.
    pub(crate) events: Vec<String>,
    /// How many of them come before anything is said.
    pub(crate) preamble: usize,
    /// The same answer in one piece.
    pub(crate) plain: String,
}

impl Speech {
    /// An answer that says `text` in each of its deltas.
    pub(crate) fn new(format: Format, text: &str) -> Self {
        let (events, preamble, plain) = match format {
            Format::Anthropic => anthropic(text),
            Format::OpenaiChat => chat(text),
            Format::OpenaiResponses => responses(text),
            Format::Gemini => gemini(text),
        };
        Self { events, preamble, plain: plain.to_string() }
    }

    /// The whole stream's bytes, without framing.
    pub(crate) fn stream(&self) -> String {
        self.events.concat()
    }

    /// A whole answer on the wire, every event a chunk.
    pub(crate) fn on_the_wire(&self, streamed: bool) -> Vec<u8> {
        if !streamed {
            return plain(200, "", &self.plain);
        }
        let chunks = self.events.iter().flat_map(chunk);
        HEAD_OF_STREAM.bytes().chain(chunks).chain(*b"0\r\n\r\n").collect()
    }
}

impl Asking {
    /// A question in this format.
    pub(crate) fn in_format(format: Format, model: &str, streamed: bool, text: &str) -> Self {
        Self::turns(format, model, streamed, &[text])
    }

    /// A conversation: what the user and the model said in turns, ending with the user.
    pub(crate) fn turns(format: Format, model: &str, streamed: bool, said: &[&str]) -> Self {
        let message = |(turn, text): (usize, &&str)| {
            let user = turn % 2 == 0;
            let role = if user { "user" } else { "assistant" };
            match format {
                Format::Gemini => {
                    json!({"role": if user { "user" } else { "model" }, "parts": [{"text": text}]})
                }
                _ => json!({"role": role, "content": text}),
            }
        };
        let said: Vec<Value> = said.iter().enumerate().map(message).collect();
        let (path, body) = match format {
            Format::Anthropic => (
                "/v1/messages".to_owned(),
                json!({"model": model, "max_tokens": 100, "stream": streamed, "messages": said}),
            ),
            Format::OpenaiChat => {
                let mut body = json!({"model": model, "stream": streamed, "messages": said});
                if streamed {
                    body["stream_options"] = json!({"include_usage": true});
                }
                ("/v1/chat/completions".to_owned(), body)
            }
            Format::OpenaiResponses => {
                ("/v1/responses".to_owned(), json!({"model": model, "stream": streamed, "input": said}))
            }
            Format::Gemini => {
                let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
                (format!("/v1beta/models/{model}:{method}"), json!({"contents": said}))
            }
        };
        Self::post(path, body.to_string())
    }
}

type Parts = (Vec<String>, usize, Value);

fn anthropic(text: &str) -> Parts {
    let event = |data: Value| {
        let name = data["type"].as_str().expect("a type").to_owned();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let usage = json!({"input_tokens": 25, "output_tokens": 1});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "usage": usage});
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        delta.clone(),
        delta,
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}),
        json!({"type": "message_stop"}),
    ];
    let mut whole = message;
    whole["content"] = json!([{"type": "text", "text": text}]);
    whole["stop_reason"] = json!("end_turn");
    whole["usage"] = json!({"input_tokens": 25, "output_tokens": 15});
    (events.map(event).into(), 2, whole)
}

fn chat(text: &str) -> Parts {
    let usage = json!({"prompt_tokens": 25, "completion_tokens": 15, "total_tokens": 40});
    let with = |delta: Value, end: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": end});
        let chunk =
            json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let total = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [],
        "usage": usage});
    let events = vec![
        with(json!({"role": "assistant", "content": ""}), Value::Null),
        with(json!({"content": text}), Value::Null),
        with(json!({"content": text}), Value::Null),
        with(json!({}), json!("stop")),
        format!("data: {total}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let whole = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice],
        "usage": usage});
    (events, 1, whole)
}

fn responses(text: &str) -> Parts {
    let usage = json!({"input_tokens": 25, "output_tokens": 15, "total_tokens": 40});
    let answer = |status: &str| json!({"id": format!("resp_{text}"), "object": "response", "status": status, "model": "m"});
    let mut whole = answer("completed");
    let said = json!({"type": "output_text", "text": text});
    whole["output"] = json!([{"type": "message", "role": "assistant", "content": [said]}]);
    whole["usage"] = usage;
    let delta =
        |number: u64| json!({"type": "response.output_text.delta", "sequence_number": number, "delta": text});
    let events = [
        json!({"type": "response.created", "sequence_number": 0, "response": answer("in_progress")}),
        json!({"type": "response.in_progress", "sequence_number": 1, "response": answer("in_progress")}),
        json!({"type": "response.output_item.added", "sequence_number": 2, "output_index": 0,
            "item": {"type": "message"}}),
        delta(3),
        delta(4),
        json!({"type": "response.completed", "sequence_number": 5, "response": whole}),
    ];
    let event = |data: Value| {
        let name = data["type"].as_str().expect("a type").to_owned();
        format!("event: {name}\ndata: {data}\n\n")
    };
    (events.map(event).into(), 2, whole)
}

fn gemini(text: &str) -> Parts {
    let with = |text: &str, end: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
        let mut chunk = json!({"modelVersion": "m", "responseId": "r-1"});
        if let Some(end) = end {
            candidate["finishReason"] = json!(end);
            chunk["usageMetadata"] =
                json!({"promptTokenCount": 25, "candidatesTokenCount": 15, "totalTokenCount": 40});
        }
        chunk["candidates"] = json!([candidate]);
        chunk
    };
    let event = |data: Value| format!("data: {data}\r\n\r\n");
    let events = [with("", None), with(text, None), with(text, None), with("", Some("STOP"))];
    (events.map(event).into(), 1, with(text, Some("STOP")))
}
