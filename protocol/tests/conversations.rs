//! The fingerprint of a conversation: the same from the first turn to the last, and another for
//! another conversation.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use protocol::{Format, Operation, Target, call, gemini};
use serde_json::{Value, json};

fn fingerprint(format: Format, body: Value) -> u128 {
    let path = gemini::path::parse("models/g:generateContent", "").unwrap();
    let target = match format {
        Format::Gemini => Target::gemini(&path),
        other => Target::new(other, Operation::Generate),
    };
    call::read(&target, &|_| None, body.to_string().as_bytes()).unwrap().fingerprint
}

#[test]
fn turn_one_and_turn_n_of_claude_code_are_one_conversation() {
    let billing =
        |n| json!({"type": "text", "text": format!("x-anthropic-billing-header: cc_version=2.1; cch={n};")});
    let first = json!({
        "model": "claude-a", "max_tokens": 1, "tools": [],
        "system": [billing(1), {"type": "text", "text": "You are helpful.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}],
    });
    let later = json!({
        "model": "claude-b", "max_tokens": 9, "tools": [{"name": "Read"}],
        "system": [billing(2), {"type": "text", "text": "You are helpful."}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": [{"type": "text", "text": "more", "cache_control": {"type": "ephemeral"}}]},
            {"role": "system", "content": "plan mode"},
        ],
    });
    let other = json!({"model": "claude-a", "system": "You are helpful.", "messages": [{"role": "user", "content": "ho"}]});
    assert_eq!(fingerprint(Format::Anthropic, first), fingerprint(Format::Anthropic, later.clone()));
    assert_ne!(fingerprint(Format::Anthropic, later), fingerprint(Format::Anthropic, other));
}

#[test]
fn chats_and_responses_begin_with_instructions_and_the_first_user_message() {
    let chat = |more: Vec<Value>, system: &str| {
        let mut messages =
            vec![json!({"role": "system", "content": system}), json!({"role": "user", "content": "hi"})];
        messages.extend(more);
        fingerprint(Format::OpenaiChat, json!({"model": "m", "messages": messages}))
    };
    let more = vec![json!({"role": "assistant", "content": null}), json!({"role": "user", "content": "x"})];
    assert_eq!(chat(vec![], "a"), chat(more, "a"));
    assert_ne!(chat(vec![], "a"), chat(vec![], "b"));

    let responses = |input: Value| {
        fingerprint(Format::OpenaiResponses, json!({"model": "m", "instructions": "i", "input": input}))
    };
    let item = |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]});
    let tools = json!({"type": "additional_tools", "tools": []});
    assert_eq!(
        responses(json!([tools, item("developer", "d"), item("user", "hi")])),
        responses(
            json!([item("developer", "d"), item("user", "hi"), {"type": "reasoning", "content": null}, item("user", "x")])
        ),
    );
    assert_eq!(responses(json!("hi")), responses(json!([{"role": "user", "content": "hi"}])));
    assert_ne!(responses(json!("hi")), responses(json!("ho")));
}

#[test]
fn a_gemini_conversation_is_told_by_its_first_content() {
    let contents = |more: Vec<Value>| {
        let mut contents = vec![json!({"parts": [{"text": "setting up"}]})];
        contents.extend(more);
        fingerprint(
            Format::Gemini,
            json!({"contents": contents, "systemInstruction": {"parts": [{"text": "s"}]}}),
        )
    };
    assert_eq!(contents(vec![]), contents(vec![json!({"role": "user", "parts": [{"text": "x"}]})]));
    let bare = fingerprint(Format::Gemini, json!({"contents": [{"parts": [{"text": "setting up"}]}]}));
    assert_ne!(contents(vec![]), bare);
}

#[test]
fn requests_without_text_do_not_all_look_like_one_conversation() {
    let picture = |data: &str| {
        let content = json!([{"type": "image", "source": {"data": data}}]);
        fingerprint(
            Format::Anthropic,
            json!({"model": "m", "messages": [{"role": "user", "content": content}]}),
        )
    };
    assert_ne!(picture("AAAA"), picture("BBBB"));
}
