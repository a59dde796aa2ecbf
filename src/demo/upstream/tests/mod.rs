//! The upstream as seen from the wire.

mod wire;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::wire::{Heard, eventually, hear, post, send};
use super::*;

/// A turn in each format, with its path.
fn turns(prompt: &str, stream: bool) -> [(&'static str, Value); 4] {
    let message = json!([{"role": "user", "content": prompt}]);
    let gemini = if stream {
        "/v1beta/models/m:streamGenerateContent?alt=sse"
    } else {
        "/v1/models/m:generateContent"
    };
    [
        ("/v1/messages", json!({"model": "m", "max_tokens": 9, "stream": stream, "messages": message})),
        (
            "/v1/chat/completions",
            json!({"model": "m", "stream": stream, "messages": message, "stream_options": {"include_usage": true}}),
        ),
        ("/v1/responses", json!({"model": "m", "stream": stream, "input": prompt})),
        (gemini, json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]})),
    ]
}

/// What marks the end of a stream in each format, in the order of `turns`.
const END_MARKS: [&str; 4] =
    ["event: message_stop\n", "data: [DONE]\n\n", "event: response.completed\n", r#""finishReason":"STOP""#];

/// The texts of a stream, put together.
fn streamed_text(heard: &Heard) -> String {
    let places = ["/delta/text", "/choices/0/delta/content", "/delta", "/candidates/0/content/parts/0/text"];
    let piece =
        |data: &Value| places.iter().find_map(|place| data.pointer(place)?.as_str().map(str::to_owned));
    heard.data().iter().filter_map(piece).collect()
}

#[test]
fn every_format_answers_with_the_prompt_plain_and_streamed() {
    let upstream = start(0).unwrap();
    let texts = [
        "/content/0/text",
        "/choices/0/message/content",
        "/output/0/content/0/text",
        "/candidates/0/content/parts/0/text",
    ];
    for ((path, body), text) in turns("nonce-1 hello", false).iter().zip(texts) {
        let heard = post(&upstream, path, body);
        assert_eq!((heard.status, heard.whole), (200, true), "{path}");
        assert_eq!(heard.json().pointer(text).unwrap(), "echo: nonce-1 hello", "{path}");
    }
    for ((path, body), mark) in turns("nonce-2 hello", true).iter().zip(END_MARKS) {
        let heard = post(&upstream, path, body);
        assert!(heard.whole && heard.head.contains("text/event-stream"), "{path}");
        assert_eq!(streamed_text(&heard), "echo: nonce-2 hello", "{path}");
        assert!(heard.body.contains(mark), "{path}");
    }
}

#[test]
fn usage_is_dictated_in_one_vocabulary_and_told_in_each_vendors_nesting() {
    let upstream = start(0).unwrap();
    let prompt = "[[usage input=10 output=7 cache_read=5 cache_write_5m=3 cache_write_1h=2 reasoning=4]] hi";
    let check = |stream: bool, index: usize, place: &str, expected: &[(&str, u64)]| {
        let (path, body) = &turns(prompt, stream)[index];
        let heard = post(&upstream, path, body);
        let all = if stream { heard.data() } else { vec![heard.json()] };
        let usage =
            all.iter().rev().find_map(|data| data.pointer(place).filter(|usage| usage.is_object())).unwrap();
        for (member, count) in expected {
            assert_eq!(usage.pointer(member).unwrap(), count, "{path} {member}");
        }
    };
    let anthropic = [
        ("/input_tokens", 10),
        ("/cache_creation_input_tokens", 5),
        ("/cache_read_input_tokens", 5),
        ("/output_tokens", 7),
    ];
    check(false, 0, "/usage", &anthropic);
    check(true, 0, "/usage", &anthropic);
    check(
        true,
        0,
        "/message/usage",
        &[("/cache_creation/ephemeral_1h_input_tokens", 2), ("/output_tokens", 1)],
    );
    let chat = [
        ("/prompt_tokens", 20),
        ("/prompt_tokens_details/cached_tokens", 5),
        ("/completion_tokens", 7),
        ("/total_tokens", 27),
    ];
    check(false, 1, "/usage", &chat);
    check(true, 1, "/usage", &chat);
    let responses =
        [("/input_tokens", 20), ("/output_tokens_details/reasoning_tokens", 4), ("/total_tokens", 27)];
    check(false, 2, "/usage", &responses);
    check(true, 2, "/response/usage", &responses);
    let gemini = [("/promptTokenCount", 20), ("/candidatesTokenCount", 3), ("/thoughtsTokenCount", 4)];
    check(false, 3, "/usageMetadata", &gemini);
    check(true, 3, "/usageMetadata", &gemini);
}

#[test]
fn a_cut_stream_has_the_events_it_was_promised_and_no_end() {
    let upstream = start(0).unwrap();
    for ((path, body), mark) in turns("[[events 50]] [[cut 7]] n3", true).iter().zip(END_MARKS) {
        let heard = post(&upstream, path, body);
        assert!(!heard.whole, "{path}");
        assert_eq!(heard.data().len(), 7, "{path}");
        assert!(!heard.body.contains(mark), "{path}");
    }
    let (path, body) = &turns("[[cut]] n4", false)[0];
    assert!(!post(&upstream, path, body).whole);
    eventually(&upstream, || upstream.log(0).iter().all(|entry| entry.end == End::Broken));
}

#[test]
fn a_stream_cut_at_its_very_end_still_lacks_its_end_mark() {
    let upstream = start(0).unwrap();
    for ((path, body), mark) in turns("[[cut 9999]] n", true).iter().zip(END_MARKS) {
        let heard = post(&upstream, path, body);
        assert!(!heard.whole && !heard.body.contains(mark), "{path}");
    }
}

#[test]
fn an_error_in_the_stream_comes_after_200_and_in_place_of_the_end() {
    let upstream = start(0).unwrap();
    let errors = [
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"",
        "data: {\"error\":{\"message\"",
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":0",
        "data: {\"error\":{\"code\":503",
    ];
    for (((path, body), error), mark) in
        turns("[[error-in-stream 0]] n5", true).iter().zip(errors).zip(END_MARKS)
    {
        let heard = post(&upstream, path, body);
        assert_eq!((heard.status, heard.whole), (200, true), "{path}");
        assert!(heard.body.starts_with(error) && !heard.body.contains(mark), "{path}: {}", heard.body);
    }
    let (path, body) = &turns("[[error-in-stream]] n5", false)[0];
    assert_eq!(post(&upstream, path, body).status, 200);
}

#[test]
fn a_re_cut_stream_has_the_same_bytes() {
    let upstream = start(0).unwrap();
    let (path, body) = &turns("[[split 1]] ünïcödé", true)[1];
    assert_eq!(streamed_text(&post(&upstream, path, body)), "echo: ünïcödé");
}

#[test]
fn a_request_is_open_while_it_hangs_and_closed_when_its_caller_leaves() {
    let upstream = start(0).unwrap();
    for prompt in ["[[hang]] n6", "[[events 9]] [[hang 2]] n6"] {
        let (path, body) = &turns(prompt, true)[0];
        let socket = send(&upstream, "POST", path, "anthropic-version: x\r\n", &body.to_string());
        eventually(&upstream, || upstream.open() == 1);
        drop(socket);
        eventually(&upstream, || upstream.open() == 0);
        assert_eq!(upstream.log(0).last().unwrap().end, End::CallerLeft);
    }
}

#[test]
fn an_error_that_strikes_once_lets_the_repeat_through() {
    let upstream = start(0).unwrap();
    let (path, body) = &turns("[[error 429 retry-after=2 times=1]] n7", false)[0];
    let first = post(&upstream, path, body);
    assert_eq!(first.status, 429);
    assert!(first.head.contains("retry-after: 2"));
    assert_eq!(post(&upstream, path, body).status, 200);
}

#[test]
fn the_mode_can_be_switched_while_it_runs() {
    let upstream = start(0).unwrap();
    let (path, body) = &turns("hello", false)[2];
    assert_eq!(post(&upstream, "/_script", &json!({"mode": "fail", "status": 503})).status, 200);
    assert_eq!(post(&upstream, path, body).status, 503);
    assert_eq!(post(&upstream, "/_script", &json!({"mode": "fail", "status": 200})).status, 400);
    assert_eq!(post(&upstream, "/_script", &json!({"mode": "ok"})).status, 200);
    assert_eq!(post(&upstream, path, body).status, 200);
}

#[test]
fn a_tool_is_called_and_its_result_ends_the_loop() {
    let upstream = start(0).unwrap();
    let tools = json!([{"name": "weather", "input_schema": {"type": "object",
        "properties": {"city": {"type": "string"}}, "required": ["city"]}}]);
    let mut body = turns("[[tool]] [[think]] Oslo", false)[0].1.clone();
    body["tools"] = tools;
    let turn = post(&upstream, "/v1/messages", &body).json();
    assert_eq!(turn["stop_reason"], "tool_use");
    assert_eq!(turn["content"][1]["input"], json!({"city": "Oslo"}));
    let result = json!({"type": "tool_result", "tool_use_id": turn["content"][1]["id"], "content": "rain"});
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": turn["content"]}));
    messages.push(json!({"role": "user", "content": [result]}));
    let end = post(&upstream, "/v1/messages", &body).json();
    assert_eq!(end["stop_reason"], "end_turn");
    assert_eq!(end["content"][1]["text"], "tool said: rain echo: Oslo");
    body["messages"][1]["content"][0]["thinking"] = json!("altered on the way");
    let refused = post(&upstream, "/v1/messages", &body);
    assert!(refused.status == 400 && refused.body.contains("signature"), "{}", refused.body);
}

#[test]
fn a_signed_call_of_gemini_and_encrypted_reasoning_of_responses_must_come_back_unaltered() {
    let upstream = start(0).unwrap();
    let mut body = turns("[[tool]] Oslo", false)[3].1.clone();
    body["tools"] = json!([{"functionDeclarations": [{"name": "weather"}]}]);
    let path = "/v1beta/models/m:generateContent";
    let model = post(&upstream, path, &body).json()["candidates"][0]["content"].clone();
    let response = json!({"functionResponse": {"name": "weather", "response": {"result": "rain"}}});
    let contents = body["contents"].as_array_mut().unwrap();
    contents.extend([model, json!({"role": "user", "parts": [response]})]);
    assert!(post(&upstream, path, &body).body.contains("tool said"));
    body["contents"][1]["parts"][0]["thoughtSignature"] = json!("lost");
    assert_eq!(post(&upstream, path, &body).status, 400);

    let mut body = json!({"model": "m", "input": [{"role": "user", "content": "[[think]] [[tool]] Oslo"}]});
    body["tools"] = json!([{"type": "function", "name": "weather", "parameters": {}}]);
    let output = post(&upstream, "/v1/responses", &body).json()["output"].clone();
    let input = body["input"].as_array_mut().unwrap();
    input.extend(output.as_array().unwrap().clone());
    input.push(json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "rain"}));
    assert!(post(&upstream, "/v1/responses", &body).body.contains("tool said: rain"));
    body["input"][1]["encrypted_content"] = json!("another account's");
    assert_eq!(post(&upstream, "/v1/responses", &body).status, 400);
}

#[test]
fn a_websocket_is_sent_back_to_plain_http() {
    let upstream = start(0).unwrap();
    let upgrade = "upgrade: websocket\r\n";
    assert_eq!(hear(send(&upstream, "GET", "/v1/responses", upgrade, "")).status, 426);
}

#[test]
fn a_gemini_array_is_json_from_its_first_byte_to_its_last() {
    let upstream = start(0).unwrap();
    let body = &turns("one two", true)[3].1;
    let chunks = post(&upstream, "/v1beta/models/m:streamGenerateContent", body).json();
    assert_eq!(chunks.as_array().unwrap().len(), 4);
    let body = &turns("[[error-in-stream 1]] n", true)[3].1;
    let chunks = post(&upstream, "/v1beta/models/m:streamGenerateContent", body).json();
    assert_eq!(chunks[1]["error"]["code"], 503);
    let body = &turns("one two", true)[3].1;
    let sse = post(&upstream, "/v1beta/models/m:streamGenerateContent?alt=sse", body).body;
    assert_eq!(sse.matches("\r\n\r\n").count(), 4);
}

#[test]
fn embeddings_come_as_floats_and_as_the_same_floats_in_base64() {
    use base64::Engine;
    let upstream = start(0).unwrap();
    let mut body = json!({"model": "m", "input": ["a b", "c"]});
    let floats = post(&upstream, "/v1/embeddings", &body).json();
    assert_eq!(floats["usage"]["prompt_tokens"], 3);
    body["encoding_format"] = json!("base64");
    let packed = post(&upstream, "/v1/embeddings", &body).json();
    let text = packed["data"][1]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let numbers: Vec<_> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(json!(numbers), floats["data"][1]["embedding"]);
}

#[test]
fn a_models_list_has_the_shape_that_the_headers_ask_for() {
    let upstream = start(0).unwrap();
    let list = |headers: &str| hear(send(&upstream, "GET", "/v1/models", headers, "")).json();
    assert_eq!(list("")["object"], "list");
    assert_eq!(list("anthropic-version: 2023-06-01\r\n")["has_more"], false);
    assert_eq!(list("x-goog-api-key: k\r\n")["models"][0]["name"], "models/claude-demo-1");
}

#[test]
fn only_its_own_credential_is_accepted_and_no_other_beside_it() {
    let upstream =
        start_with(Options { credential: Some("the-right-key".into()), ..Options::default() }).unwrap();
    let (path, body) = &turns("hello", false)[2];
    let status = |headers: &str| hear(send(&upstream, "POST", path, headers, &body.to_string())).status;
    assert_eq!(status("authorization: Bearer the-right-key\r\n"), 200);
    assert_eq!(status("authorization: Bearer another-key\r\n"), 401);
    assert_eq!(status("authorization: Bearer the-right-key\r\nx-api-key: callers-key\r\n"), 401);
    assert_eq!(status(""), 401);
}

#[test]
fn the_log_tells_what_came_and_what_went() {
    let upstream = start(0).unwrap();
    let (path, body) = &turns("nonce-9", true)[1];
    let heard = post(&upstream, path, body);
    eventually(&upstream, || upstream.open() == 0);
    let log = hear(send(&upstream, "GET", "/_script/log?after=0&limit=5", "", "")).json();
    let entry = &log["items"][0];
    assert_eq!((&entry["method"], &entry["path"]), (&json!("POST"), &json!(path)));
    assert_eq!((&entry["prompt"], &entry["end"]), (&json!("nonce-9"), &json!("complete")));
    assert_eq!(entry["body_sha256"], hex::encode(Sha256::digest(body.to_string())));
    assert_eq!(entry["sent_sha256"], hex::encode(Sha256::digest(&heard.body)));
    assert_eq!(hear(send(&upstream, "GET", "/_script/open", "", "")).body, r#"{"open":0}"#);
}
