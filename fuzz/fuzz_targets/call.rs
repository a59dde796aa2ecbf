//! Any bytes as a request: reading never falls, agrees with a document tree where it succeeds, and
//! the edits it allows change what they name and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Format, Operation, Target, call, edit, gemini};
use serde_json::Value;

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (selector, path, body) = input;
    let format = Format::ALL[usize::from(selector % 4)];
    let operation = if selector & 4 == 0 { Operation::Generate } else { Operation::Embed };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parsed = gemini::path::parse(path, query)
        .or_else(|_| gemini::path::parse("v1/models/m:streamGenerateContent", query));
    let target = match (format, &parsed) {
        (Format::Gemini, Ok(path)) => {
            let again = path.for_upstream(None);
            let (path_again, query_again) = again.split_once('?').unwrap_or((&again, ""));
            let reread = gemini::path::parse(path_again, query_again).expect("what we write, we read");
            assert_eq!(
                (&reread.model, reread.method, reread.stream),
                (&path.model, path.method, path.stream)
            );
            Target::gemini(path)
        }
        (Format::Gemini, Err(_)) => return,
        (format, _) => Target::new(format, operation),
    };
    let Ok(call) = call::read(&target, &|_| None, body) else { return };
    // Serde's tree takes the last of repeated members and refuses lone surrogates and giant
    // numbers, none of which we act on.
    let Ok(tree) = serde_json::from_slice::<Value>(body) else { return };
    if let Some(span) = call.model_span.clone() {
        assert_eq!(serde_json::from_slice::<Value>(&body[span]).expect("a span of JSON"), tree["model"]);
    }
    let edited = edit::for_upstream(&call, body, Some("another"), true);
    let mut expected = tree;
    if format != Format::Gemini {
        expected["model"] = "another".into();
        if call.usage_edit.is_some() {
            if !expected["stream_options"].is_object() {
                expected["stream_options"] = serde_json::json!({});
            }
            expected["stream_options"]["include_usage"] = true.into();
        }
        assert_eq!(serde_json::from_slice::<Value>(&edited).expect("still JSON"), expected);
        assert!(call::read(&target, &|_| None, &edited).is_ok());
    }
});
