//! Any cut of the bytes gives the same events, the same reading, the same filtered stream (I-26),
//! and no size of event or line makes a reader grow (I-29).

use proptest::prelude::*;
use protocol::json_array::Splitter;
use protocol::openai_chat::filter::{MAX_BLOCK_BYTES, UsageFilter};
use protocol::sse::{Data, Event, Framer, MAX_EVENT_BYTES};
use protocol::tap::{Shape, Stage, Tap};
use protocol::{Format, Operation};
use serde_json::Value;

/// An event as it can be kept: name, and data as whole or as head and tail.
type Kept = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

fn kept(event: Event<'_>) -> Kept {
    match event.data {
        Data::Whole(data) => (event.name.to_vec(), data.to_vec(), None),
        Data::Giant { head, tail } => (event.name.to_vec(), head.to_vec(), Some(tail.to_vec())),
    }
}

fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Kept> {
    let mut framer = Framer::new();
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(chunk, |event| events.push(kept(event)));
    }
    framer.finish(|event| events.push(kept(event)));
    events
}

/// Cuts bytes at these places (taken modulo the length).
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    places.iter().map(|&end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

/// A reader of the specification's words, one line after the other, for whole streams.
fn naive(bytes: &[u8]) -> Vec<Kept> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text: Vec<u8> = {
        let mut unified = Vec::new();
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = if byte == b'\r' { tail.strip_prefix(b"\n").unwrap_or(tail) } else { tail };
            unified.push(if byte == b'\r' { b'\n' } else { byte });
        }
        unified
    };
    let mut events = Vec::new();
    let (mut name, mut data): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    for line in text.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((name.clone(), data, None));
            }
            name.clear();
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

/// Streams with every trick of the format, likely and unlikely.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just("data: {\"type\":\"ping\"}".to_owned()),
        2 => "data:[ ]{0,2}[a-zé🚆:]{0,8}",
        2 => "event: ?[a-z_]{0,9}",
        1 => ":[ a-z]{0,5}",
        1 => prop_oneof![Just("data"), Just("event"), Just("id: 3"), Just("retry: 10"), Just("datax: 1"), Just(" data: x")]
            .prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    let end = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("\n\n"),
        Just("\r\n\r\n"),
        Just("\r\r"),
        Just("")
    ];
    (any::<bool>(), prop::collection::vec((line, end), 0..12)).prop_map(|(mark, lines)| {
        let mut bytes = if mark { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
        for (line, end) in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(end.as_bytes());
        }
        bytes
    })
}

/// What chat vendors send, with and without what our asking put into it.
fn chat_stream() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        Just(r#"data: {"choices":[{"index":0,"delta":{"content":"é\"usage\":null"}}],"usage":null}"#),
        Just(r#"data: {"usage" : null , "choices":[{"delta":{"role":"assistant","content":""}}]}"#),
        Just(r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#),
        Just(r#"data: {"choices":[{"delta":{},"finish_reason":"stop","usage":null}]}"#),
        Just(r#"data: {"choices":[],"prompt_filter_results":[],"usage":null}"#),
        Just(r#"data: {"error":{"message":"no","code":500}}"#),
        Just(": keep-alive"),
        Just("data: [DONE]"),
        Just("data: {\"usage\":null,\ndata: \"choices\":[]}"),
        Just("data: {\"usage\":nu"),
    ];
    let end = prop_oneof![4 => Just("\n\n"), 1 => Just("\r\n\r\n"), 1 => Just("\r\r"), 1 => Just("\n")];
    prop::collection::vec((block, end), 0..8).prop_map(|blocks| {
        blocks.into_iter().flat_map(|(block, end)| [block, end]).collect::<String>().into_bytes()
    })
}

fn filtered<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut filter = UsageFilter::new();
    let mut out = Vec::new();
    for chunk in chunks {
        filter.push(chunk, &mut out);
    }
    filter.finish(&mut out);
    out
}

/// The data of all events, parsed where it is JSON on one line.
fn parsed(bytes: &[u8]) -> Vec<Result<Value, Vec<u8>>> {
    let on_one_line = |data: &[u8]| !data.contains(&b'\n');
    let parse = |data: Vec<u8>| serde_json::from_slice(&data).ok().filter(|_| on_one_line(&data)).ok_or(data);
    naive(bytes).into_iter().map(|(_, data, _)| parse(data)).collect()
}

/// The same stream as an upstream sends it that was not asked for usage.
fn unasked(events: Vec<Result<Value, Vec<u8>>>) -> Vec<Result<Value, Vec<u8>>> {
    let extra = |event: &Value| event["choices"] == Value::Array(vec![]) && event["usage"].is_object();
    let mut events = events;
    events.retain(|event| !event.as_ref().is_ok_and(extra));
    for event in events.iter_mut().filter_map(|event| event.as_mut().ok()?.as_object_mut()) {
        if event.get("usage").is_some_and(Value::is_null) {
            event.remove("usage");
        }
    }
    events
}

fn tapped<'a>(format: Format, shape: Shape, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Stage, String) {
    let mut tap = Tap::new(format, Operation::Generate, shape);
    for chunk in chunks {
        tap.push(chunk);
    }
    tap.finish();
    (tap.stage(), format!("{:?}", tap.reading()))
}

proptest! {
    #[test]
    fn i26_any_cut_gives_the_events_of_the_specification(bytes in stream(), places in prop::collection::vec(any::<usize>(), 0..8)) {
        let expected = naive(&bytes);
        prop_assert_eq!(&events([bytes.as_slice()]), &expected);
        prop_assert_eq!(&events(cut(&bytes, &places)), &expected);
        prop_assert_eq!(&events(bytes.chunks(1)), &expected);
    }

    /// Where a stream breaks off, our error is written as the bytes demand, not as they were cut.
    #[test]
    fn i26_any_cut_leaves_the_reader_at_the_same_place(bytes in stream(), places in prop::collection::vec(any::<usize>(), 0..8)) {
        let place = |chunks: Vec<&[u8]>| {
            let mut framer = Framer::new();
            chunks.iter().for_each(|chunk| framer.push(chunk, |_| {}));
            framer.between_events()
        };
        let whole = place(vec![&bytes]);
        prop_assert_eq!(place(cut(&bytes, &places)), whole);
        prop_assert_eq!(place(bytes.chunks(1).collect()), whole);
    }

    #[test]
    fn i26_any_cut_gives_the_same_filtered_stream(bytes in chat_stream(), places in prop::collection::vec(any::<usize>(), 0..8)) {
        let whole = filtered([bytes.as_slice()]);
        prop_assert_eq!(&filtered(cut(&bytes, &places)), &whole);
        prop_assert_eq!(&filtered(bytes.chunks(1)), &whole);
        prop_assert_eq!(parsed(&whole), unasked(parsed(&bytes)));
    }

    #[test]
    fn i26_any_cut_gives_the_same_reading(bytes in chat_stream(), places in prop::collection::vec(any::<usize>(), 0..8)) {
        for format in Format::ALL {
            for shape in [Shape::Sse, Shape::JsonArray, Shape::Whole] {
                let whole = tapped(format, shape, [bytes.as_slice()]);
                prop_assert_eq!(&tapped(format, shape, cut(&bytes, &places)), &whole);
                prop_assert_eq!(&tapped(format, shape, bytes.chunks(1)), &whole);
            }
        }
    }

    #[test]
    fn any_cut_of_an_array_gives_the_same_elements(
        values in prop::collection::vec(r#"[\\"{}\[\],a]{0,6}"#, 0..5),
        places in prop::collection::vec(any::<usize>(), 0..8),
        blank in "[ \r\n]{0,3}",
    ) {
        let elements: Vec<String> =
            values.iter().map(|value| serde_json::json!({"a": [{"b": value}], value: 1}).to_string()).collect();
        let text = format!("[{blank}{}{blank}]{blank}", elements.join(&format!("{blank},{blank}")));
        let bytes = text.as_bytes();
        let split = |chunks: Vec<&[u8]>| {
            let mut splitter = Splitter::new();
            let mut found = Vec::new();
            for chunk in chunks {
                splitter.push(chunk, |data| found.push(String::from_utf8_lossy(data.head()).into_owned()));
            }
            assert!(splitter.is_closed());
            found
        };
        prop_assert_eq!(&split(vec![bytes]), &elements);
        prop_assert_eq!(&split(cut(bytes, &places)), &elements);
        prop_assert_eq!(&split(bytes.chunks(1).collect()), &elements);
    }
}

/// An event with this much text before what matters.
fn giant(text_bytes: usize) -> Vec<u8> {
    let text = "é".repeat(text_bytes / 2);
    format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"inlineData\":{{\"data\":\"{text}\"}}}}]}},\"finishReason\":\"STOP\"}}],\
         \"usageMetadata\":{{\"promptTokenCount\":11,\"candidatesTokenCount\":1290}}}}\n\n"
    )
    .into_bytes()
}

#[test]
fn i29_a_giant_event_reads_the_same_for_any_cut_and_keeps_its_usage() {
    for bytes in [giant(MAX_EVENT_BYTES - 1000), giant(MAX_EVENT_BYTES), giant(3 * MAX_EVENT_BYTES)] {
        let whole = events([bytes.as_slice()]);
        for size in [1, 1000, 16_384, 65_536] {
            assert!(events(bytes.chunks(size)) == whole, "chunks of {size} of {}", bytes.len());
        }
        let mut tap = Tap::new(Format::Gemini, Operation::Generate, Shape::Sse);
        bytes.chunks(4096).for_each(|chunk| tap.push(chunk));
        let usage = tap.reading().usage.map(|usage| (usage.input_tokens, usage.output_tokens));
        assert_eq!(usage, Some((11, 1290)));
        assert_eq!(tap.stage(), Stage::Ended);
    }
}

#[test]
fn a_block_beyond_the_filters_bound_passes_untouched() {
    let text = "x".repeat(MAX_BLOCK_BYTES);
    let long = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}],\"usage\":null}}\n\n");
    let short = "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n";
    let stream = format!("{long}{short}");
    let expected = format!("{long}{}", short.replace(",\"usage\":null", ""));
    for size in [stream.len(), 1, 999, 65_536] {
        let out = filtered(stream.as_bytes().chunks(size));
        assert!(out == expected.as_bytes(), "chunks of {size}");
    }
}
