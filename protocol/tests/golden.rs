//! Walks `tests/golden`: every request, answer and error must be read as its expectation says.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use protocol::openai_chat::filter::UsageFilter;
use protocol::tap::{Shape, Tap};
use protocol::{Call, Format, Operation, Target, call, edit, failure, gemini};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    #[serde(default = "generate")]
    operation: Operation,
    /// Gemini's path and query.
    path: Option<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
    call: Option<Value>,
    stage: Option<String>,
    reading: Option<Value>,
    status: Option<u16>,
    error: Option<Value>,
}

fn generate() -> Operation {
    Operation::Generate
}

struct Case {
    format: Format,
    name: String,
    bytes: Vec<u8>,
    expected: Expectation,
}

fn folder(format: Format) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format.name())
}

/// All cases of this kind, of all formats.
fn cases(extension: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for format in Format::ALL {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder(format)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let Some(name) = file.file_name().unwrap().to_str().unwrap().strip_suffix(extension) else {
                continue;
            };
            let expected = fs::read(folder(format).join(format!("{name}.expect.json")))
                .unwrap_or_else(|error| panic!("{}: no expectation: {error}", file.display()));
            cases.push(Case {
                format,
                name: format!("{}/{name}", format.name()),
                bytes: fs::read(&file).unwrap(),
                expected: serde_json::from_slice(&expected)
                    .unwrap_or_else(|error| panic!("{}: {error}", file.display())),
            });
        }
    }
    assert!(!cases.is_empty(), "no case ends in {extension}");
    cases
}

/// Leaves out what is absent, zero or false, as the expectations do.
fn told(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, told(value)))
            .filter(|(name, value)| {
                name == "nanos" || !matches!(value, Value::Null | Value::Bool(false)) && *value != json!(0)
            })
            .collect(),
        other => other,
    }
}

fn read(case: &Case) -> Call {
    let header = |name: &str| case.expected.headers.get(name).map(String::as_str);
    let path = case.expected.path.as_deref().map(|path| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        gemini::path::parse(path, query).unwrap()
    });
    let target = match &path {
        Some(path) => Target::gemini(path),
        None => Target::new(case.format, case.expected.operation),
    };
    call::read(&target, &header, &case.bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

#[test]
fn requests_are_read_as_expected() {
    for case in cases(".request.json") {
        let call = read(&case);
        let got = json!({
            "model": call.model,
            "model_in_body": call.model_span.clone().map(|span| String::from_utf8_lossy(&case.bytes[span]).into_owned()),
            "stream": format!("{:?}", call.stream),
            "max_output_tokens": call.max_output_tokens,
            "answers": call.answers,
            "session": call.session.as_ref().map(|mark| json!({"source": mark.source, "id": mark.id})),
            "continues": call.continues,
            "usage_asked": call.usage_asked,
        });
        assert_eq!(told(got), case.expected.call.clone().unwrap(), "{}", case.name);
        assert_eq!(call.body_bytes, case.bytes.len());
        assert_eq!(call.usage_edit.is_some(), !call.usage_asked, "{}", case.name);
    }
}

#[test]
fn edited_requests_differ_in_the_edited_fields_and_nowhere_else() {
    for case in cases(".request.json") {
        let call = read(&case);
        assert!(matches!(edit::for_upstream(&call, &case.bytes, None, false), Cow::Borrowed(_)));
        assert!(matches!(edit::for_upstream(&call, &case.bytes, Some(&call.model), false), Cow::Borrowed(_)));

        let edited = edit::for_upstream(&call, &case.bytes, Some("another \"model\""), true);
        let mut expected: Value = serde_json::from_slice(&case.bytes).unwrap();
        if call.model_span.is_some() {
            expected["model"] = "another \"model\"".into();
        }
        for request in expected.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten() {
            request["model"] = "models/another \"model\"".into();
        }
        if !call.usage_asked {
            expected["stream_options"] = json!({"include_usage": true});
        }
        assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), expected, "{}", case.name);
    }
}

fn shapes() -> [(Shape, &'static str); 3] {
    [(Shape::Sse, ".sse"), (Shape::JsonArray, ".array"), (Shape::Whole, ".answer.json")]
}

#[test]
fn i26_answers_are_read_as_expected_however_they_are_cut() {
    for (shape, extension) in shapes() {
        for case in cases(extension) {
            let whole = case.bytes.len();
            for size in [whole, 1, 2, 3, 7, 64, 1000] {
                let mut tap = Tap::new(case.format, case.expected.operation, shape);
                case.bytes.chunks(size).for_each(|chunk| tap.push(chunk));
                tap.finish();
                let reading = told(serde_json::to_value(tap.reading()).unwrap());
                assert_eq!(&reading, case.expected.reading.as_ref().unwrap(), "{} by {size}", case.name);
                let stage = format!("{:?}", tap.stage());
                assert_eq!(&stage, case.expected.stage.as_ref().unwrap(), "{} by {size}", case.name);
            }
        }
    }
}

/// I-27: a stream cut anywhere before its end mark is never read as ended.
#[test]
fn i27_no_cut_stream_counts_as_ended() {
    for (shape, extension) in shapes() {
        for case in cases(extension) {
            let mut ended_at = None;
            for length in 0..=case.bytes.len() {
                let mut tap = Tap::new(case.format, case.expected.operation, shape);
                tap.push(&case.bytes[..length]);
                tap.finish();
                match (ended_at, tap.reading().ended) {
                    (None, true) => ended_at = Some(length),
                    (Some(at), false) => panic!("{}: ended at {at}, no more at {length}", case.name),
                    _ => {}
                }
            }
            if let Some(at) = ended_at {
                let rest = String::from_utf8_lossy(&case.bytes[at..]).into_owned();
                // Only line ends, brackets and what follows an end mark may be missing.
                assert!(!rest.contains("message_stop") && !rest.contains("[DONE]"), "{}: {rest}", case.name);
                let left = rest.trim_matches(['\r', '\n', ']', ' ', '}']);
                assert!(left.is_empty(), "{}: ended before {left:?}", case.name);
            }
        }
    }
}

#[test]
fn errors_are_understood_as_expected() {
    for case in cases(".error.json") {
        let error = failure::read_error(case.expected.status.unwrap(), &case.bytes);
        let got = told(serde_json::to_value(&error).unwrap());
        assert_eq!(&got, case.expected.error.as_ref().unwrap(), "{}", case.name);
    }
}

#[test]
fn a_caller_who_did_not_ask_for_usage_gets_the_stream_without_it() {
    let folder = folder(Format::OpenaiChat);
    let stream = fs::read(folder.join("tool_call.sse")).unwrap();
    let expected = fs::read_to_string(folder.join("tool_call.filtered")).unwrap();
    for size in [stream.len(), 1, 2, 3, 50, 1000] {
        let mut filter = UsageFilter::new();
        let mut out = Vec::new();
        stream.chunks(size).for_each(|chunk| filter.push(chunk, &mut out));
        filter.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "by {size}");
    }
}
