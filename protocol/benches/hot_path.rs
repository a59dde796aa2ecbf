//! What every request and every event pays in this crate.
//!
//! `cargo bench -p pointsman-protocol`; add a name (`read`, `edit`, `tap`, `filter`) for one group.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is no interface, and may panic")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::openai_chat::filter::UsageFilter;
use protocol::tap::{Shape, Tap};
use protocol::{Format, Operation, Target, call, edit};
use serde_json::{Value, json};

const TARGET: Target<'static> = Target::new(Format::Anthropic, Operation::Generate);

/// A conversation of about this many bytes, as agents send it: source code in tool results, with
/// its line ends and quotes escaped. `model` and `stream` come last, as a worst case.
fn conversation(bytes: usize, text: &str) -> Vec<u8> {
    let mut messages: Vec<Value> = vec![json!({"role": "user", "content": "fix the test"})];
    let mut length = 0;
    for turn in 0.. {
        let call = json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "E".repeat(300)},
            {"type": "tool_use", "id": format!("toolu_{turn}"), "name": "Read", "input": {"file_path": "/src/lib.rs"}},
        ]});
        let result = json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": format!("toolu_{turn}"), "content": text.repeat(20)},
        ]});
        length += call.to_string().len() + result.to_string().len();
        messages.push(call);
        messages.push(result);
        if length >= bytes {
            break;
        }
    }
    let system = json!([{"type": "text", "text": "You are an interactive agent.\n".repeat(100)}]);
    format!(
        r#"{{"messages":{},"system":{system},"max_tokens":32000,"stream":true,"model":"claude-sonnet-4-5"}}"#,
        Value::from(messages)
    )
    .into_bytes()
}

const CODE: &str = "    let name = map.get(\"name\").unwrap_or(&default);\n    if name.is_empty() { return Err(Error::Missing); }\n";
const CHINESE: &str = "请修复这个测试，然后解释一下为什么会失败。\n";

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for (name, body) in [
        ("20 kB", conversation(20_000, CODE)),
        ("500 kB", conversation(500_000, CODE)),
        ("900 kB", conversation(900_000, CODE)),
        ("500 kB Chinese", conversation(500_000, CHINESE)),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &body, |bencher, body| {
            bencher.iter(|| call::read(&TARGET, &|_| None, black_box(body)).unwrap());
        });
    }
    group.finish();
}

fn redirect(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edit");
    let body = conversation(500_000, CODE);
    let call = call::read(&TARGET, &|_| None, &body).unwrap();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("redirect in 500 kB", |bencher| {
        bencher.iter(|| edit::for_upstream(&call, black_box(&body), Some("another-model"), true));
    });
    group.finish();
}

const EVENTS: usize = 1000;

/// A stream of this many text events, as each vendor words them.
fn stream(format: Format) -> Vec<u8> {
    let event = |n: usize| {
        match format {
        Format::Anthropic => "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" some words\"}}\n\n".to_owned(),
        Format::OpenaiChat => "data: {\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion.chunk\",\"created\":1763600000,\"model\":\"gpt-5-2025-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\" some words\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n".to_owned(),
        Format::OpenaiResponses => format!("event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{n},\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c5\",\"output_index\":0,\"content_index\":0,\"delta\":\" some words\",\"logprobs\":[],\"obfuscation\":\"aXx9kq\"}}\n\n"),
        Format::Gemini => "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" some more words than others send at once, since chunks are large\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 9000,\"candidatesTokenCount\": 21,\"totalTokenCount\": 9021,\"promptTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": 9000}]},\"modelVersion\": \"gemini-3.5-flash\",\"responseId\": \"gE1faa2\"}\r\n\r\n".to_owned(),
    }
    };
    (0..EVENTS).map(event).collect::<String>().into_bytes()
}

/// Time per iteration is for a thousand events: read nanoseconds as picoseconds an event.
fn tap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tap");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for format in Format::ALL {
        let stream = stream(format);
        for (cut, size) in [("4 KiB chunks", 4096), ("one event a chunk", stream.len() / EVENTS)] {
            group.bench_function(BenchmarkId::new(format.name(), cut), |bencher| {
                bencher.iter(|| {
                    let mut tap = Tap::new(format, Operation::Generate, Shape::Sse);
                    for chunk in black_box(&stream).chunks(size) {
                        tap.push(chunk);
                    }
                    tap.reading().events
                });
            });
        }
    }
    group.finish();
}

fn filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let text = String::from_utf8(stream(Format::OpenaiChat)).unwrap();
    let stream = text.replace("}]}\n", "}],\"usage\":null}\n").into_bytes();
    group.bench_function("usage out of chat chunks", |bencher| {
        let mut out = Vec::with_capacity(stream.len());
        bencher.iter(|| {
            out.clear();
            let mut filter = UsageFilter::new();
            for chunk in black_box(&stream).chunks(4096) {
                filter.push(chunk, &mut out);
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, read, redirect, tap, filter);
criterion_main!(benches);
