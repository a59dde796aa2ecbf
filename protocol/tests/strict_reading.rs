//! C-18: one reading of the body. What JSON readers disagree about is refused where we act on it,
//! and passes where we do not.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::borrow::Cow;

use proptest::prelude::*;
use protocol::{Call, Format, MAX_NESTING, Malformed, Operation, Streaming, Target, call, edit, gemini};
use serde_json::{Map, Value, json};

fn no_header(_: &str) -> Option<&'static str> {
    None
}

fn read(format: Format, body: &[u8]) -> Result<Call, Malformed> {
    let path = gemini::path::parse("/v1beta/models/gemini-x:generateContent", "").unwrap();
    let target = match format {
        Format::Gemini => Target::gemini(&path),
        other => Target::new(other, Operation::Generate),
    };
    call::read(&target, &no_header, body)
}

/// A body of the format with these members before the rest.
fn body(format: Format, members: &str) -> String {
    match format {
        Format::Gemini => format!(r#"{{{members}"contents":[{{"parts":[{{"text":"hi"}}]}}]}}"#),
        _ => format!(r#"{{{members}"model":"m","x":1}}"#),
    }
}

/// The fields each format acts on, with a value that is right.
fn acted_on(format: Format) -> Vec<(&'static str, &'static str)> {
    match format {
        Format::Anthropic => vec![
            ("stream", "true"),
            ("max_tokens", "5"),
            ("metadata", "{}"),
            ("system", r#""s""#),
            ("messages", "[]"),
        ],
        Format::OpenaiChat => vec![
            ("stream", "true"),
            ("max_tokens", "5"),
            ("max_completion_tokens", "5"),
            ("n", "2"),
            ("stream_options", "{}"),
            ("prompt_cache_key", r#""k""#),
            ("messages", "[]"),
        ],
        Format::OpenaiResponses => vec![
            ("stream", "true"),
            ("max_output_tokens", "5"),
            ("instructions", r#""s""#),
            ("input", "[]"),
            ("previous_response_id", r#""r""#),
            ("conversation", r#""c""#),
            ("client_metadata", "{}"),
            ("prompt_cache_key", r#""k""#),
        ],
        Format::Gemini => vec![
            ("systemInstruction", "{}"),
            ("generationConfig", "{}"),
            ("cachedContent", r#""c""#),
            ("model", r#""gemini-x""#),
        ],
    }
}

fn escaped(name: &str) -> String {
    let last = name.chars().last().unwrap();
    format!("{}\\u{:04x}", &name[..name.len() - 1], last as u32)
}

#[test]
fn c18_a_field_we_act_on_is_refused_when_repeated_recased_or_escaped() {
    for format in Format::ALL {
        for (name, value) in acted_on(format) {
            let once = body(format, &format!(r#""{name}":{value},"#));
            assert!(read(format, once.as_bytes()).is_ok(), "{once}");

            let twice = body(format, &format!(r#""{name}":{value},"{name}":{value},"#));
            assert_eq!(read(format, twice.as_bytes()), Err(Malformed::Repeated(name)), "{twice}");

            let mut first = name.to_owned();
            first[..1].make_ascii_uppercase();
            for respelled in [first, name.to_uppercase(), escaped(name)] {
                let alone = body(format, &format!(r#""{respelled}":{value},"#));
                assert_eq!(read(format, alone.as_bytes()), Err(Malformed::Respelled(name)), "{alone}");
            }
        }
    }
}

/// Each line is read in more than one way by common readers: the last of two, the first of two,
/// letters without case, everything up to the first end.
#[test]
fn c18_bodies_that_readers_disagree_about_are_refused() {
    let deep = format!(
        r#"{{"model":"m","x":{}{}}}"#,
        "[".repeat(MAX_NESTING as usize),
        "]".repeat(MAX_NESTING as usize)
    );
    let corpus: Vec<Cow<'static, [u8]>> = [
        r#"{"model":"cheap","model":"dear"}"#,
        r#"{"model":"cheap","Model":"dear"}"#,
        r#"{"model":"cheap","MODEL":"dear"}"#,
        r#"{"model":"cheap","mod\u0065l":"dear"}"#,
        r#"{"mod\u0065l":"dear"}"#,
        r#"{"model":"cheap","\u006dodel":"dear"}"#,
        r#"{"model":"cheap","max_to\u212aens":9}"#,
        "{\"model\":\"cheap\",\"max_to\u{212a}ens\":9}",
        "{\"model\":\"cheap\",\"\u{17f}tream\":true}",
        r#"{"model":"cheap"}{"model":"dear"}"#,
        r#"{"model":"cheap"},"#,
        r#"{"model":"cheap"} x"#,
        "{\"model\":\"cheap\"}\0",
        r#"[{"model":"cheap"}]"#,
        r#""model""#,
        "null",
        "",
        " ",
        r#"{"model":"cheap""#,
        r#"{"model":"cheap",}"#,
        r#"{'model':'cheap'}"#,
        r#"{model:"cheap"}"#,
        r#"{"model":"cheap","x":NaN}"#,
        r#"{"model":"cheap","x":0x10}"#,
        r#"{"model":"cheap","x":01}"#,
        r#"{"model":"cheap","x":+1}"#,
        "{\"model\":\"cheap\",\"x\":\"a\nb\"}",
        "{\"model\":\"cheap\" /* and \"dear\" */}",
        "// note\n{\"model\":\"cheap\"}",
        "\u{feff}{\"model\":\"cheap\"}",
        r#"{"model":"cheap","x":"\q"}"#,
    ]
    .map(|text| Cow::Borrowed(text.as_bytes()))
    .into_iter()
    .chain([
        Cow::Borrowed(&b"{\"model\":\"cheap\xff\"}"[..]),
        Cow::Borrowed(&b"{\"model\":\"cheap\",\"x\":\"\xc0\xaf\"}"[..]),
        Cow::Borrowed(&b"{\"model\":\"cheap\",\"x\":\"\xed\xa0\x80\"}"[..]),
        Cow::Borrowed(&b"\xff\xfe{\0}\0"[..]),
        Cow::Owned(deep.into_bytes()),
    ])
    .collect();
    for text in corpus {
        let shown = String::from_utf8_lossy(&text).chars().take(80).collect::<String>();
        assert!(read(Format::Anthropic, &text).is_err(), "{shown}");
    }
}

#[test]
fn what_we_do_not_act_on_passes_however_odd() {
    for text in [
        r#"{"model":"m","tools":[{"a":1,"a":2,"Model":"x","mod\u0065l":"y"}]}"#,
        r#"{"model":"m","Unknown":1,"unknown":2,"unknown":3}"#,
        r#"{"model":"m","x":[1.50,5e2,12345678901234567890,1e999,-0,"\u00e9","\ud800"]}"#,
        " \t\r\n{ \"model\" : \"m\" } \n",
        r#"{"model":"m","":{"":[]}}"#,
    ] {
        assert!(read(Format::Anthropic, text.as_bytes()).is_ok(), "{text}");
    }
    let depth = MAX_NESTING as usize - 1;
    let deep = format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(Format::Anthropic, deep.as_bytes()).is_ok());
    assert!(serde_json::from_str::<Value>(&deep).is_ok(), "the bound is what serde reads by default");
}

#[test]
fn a_wrong_type_names_the_field() {
    let wrong =
        |format, members: &str| read(format, body(format, members).as_bytes()).unwrap_err().to_string();
    assert_eq!(wrong(Format::Anthropic, r#""stream":"yes","#), "`stream` must be true or false");
    assert_eq!(wrong(Format::Anthropic, r#""max_tokens":"5","#), "`max_tokens` must be a whole number");
    assert_eq!(wrong(Format::Anthropic, r#""max_tokens":1.5,"#), "`max_tokens` must be a whole number");
    assert_eq!(wrong(Format::OpenaiChat, r#""stream_options":[],"#), "`stream_options` must be an object");
    assert_eq!(wrong(Format::Gemini, r#""generationConfig":1,"#), "`generationConfig` must be an object");
    assert_eq!(wrong(Format::Gemini, r#""model":"another","#), Malformed::ModelMismatch.to_string());
    for (text, error) in [
        (r#"{}"#, "`model` is missing"),
        (r#"{"model":null}"#, "`model` is missing"),
        (r#"{"model":7}"#, "`model` must be a string"),
    ] {
        assert_eq!(read(Format::OpenaiChat, text.as_bytes()).unwrap_err().to_string(), error);
    }
    for name in ["", " m", "m ", "a\\u0000b", "a\\nb", "a\\u0085b", &"x".repeat(257)] {
        let text = format!(r#"{{"model":"{name}"}}"#);
        assert_eq!(read(Format::OpenaiChat, text.as_bytes()), Err(Malformed::ModelName), "{name:?}");
    }
}

#[test]
fn nested_fields_that_cost_money_are_read_as_strictly() {
    for (format, members, field) in [
        (
            Format::Gemini,
            r#""generationConfig":{"maxOutputTokens":1,"maxOutputTokens":9},"#,
            "maxOutputTokens",
        ),
        (
            Format::Gemini,
            r#""generationConfig":{"maxOutputTokens":1,"max_output_tokens":9},"#,
            "maxOutputTokens",
        ),
        (Format::Gemini, r#""generationConfig":{},"generation_config":{},"#, "generationConfig"),
        (
            Format::OpenaiChat,
            r#""stream_options":{"include_usage":true,"include_usage":false},"#,
            "include_usage",
        ),
    ] {
        assert_eq!(
            read(format, body(format, members).as_bytes()),
            Err(Malformed::Repeated(field)),
            "{members}"
        );
    }
    let batch = r#"{"requests":[{"model":"models/gemini-x"},{"model":"models/dear"}]}"#;
    let path = gemini::path::parse("/v1/models/gemini-x:batchEmbedContents", "").unwrap();
    let refused = call::read(&Target::gemini(&path), &no_header, batch.as_bytes());
    assert_eq!(refused, Err(Malformed::ModelMismatch));
}

#[test]
fn bounds_are_read_as_vendors_read_them() {
    let bound = |text: &str| {
        read(Format::Anthropic, body(Format::Anthropic, &format!(r#""max_tokens":{text},"#)).as_bytes())
            .unwrap()
            .max_output_tokens
    };
    assert_eq!(bound("5e2"), Some(500));
    assert_eq!(bound("4096.0"), Some(4096));
    assert_eq!(bound("null"), None);
    assert_eq!(bound("-1"), None);
    assert_eq!(bound("99999999999999999999999"), Some(protocol::MAX_COUNT));
    assert_eq!(bound("1e999"), Some(protocol::MAX_COUNT));
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        r#"[\\"{}\[\]a\n]{0,12}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z\"\\\\é]{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A chat body with anything around and inside the fields we act on.
fn chat_body() -> impl Strategy<Value = Map<String, Value>> {
    let acted_on = (
        "[a-z0-9./\\\\\"é-]{1,20}",
        prop::option::of(any::<bool>()),
        prop::option::of(0_u64..1_000_000),
        prop::option::of(prop_oneof![
            Just(json!({})),
            Just(json!({"include_usage": true})),
            Just(json!({"include_usage": false, "x": [1]})),
            Just(json!({"x": "}"})),
            Just(Value::Null),
        ]),
    );
    (acted_on, prop::collection::hash_map("x[a-zA-Z\"\\\\é]{0,6}", anything(), 0..6)).prop_map(
        |((model, stream, bound, options), others)| {
            let mut body: Map<String, Value> = others.into_iter().collect();
            body.insert("model".into(), model.into());
            stream.map(|stream| body.insert("stream".into(), stream.into()));
            bound.map(|bound| body.insert("max_tokens".into(), bound.into()));
            options.map(|options| body.insert("stream_options".into(), options));
            body
        },
    )
}

proptest! {
    #[test]
    fn the_reading_agrees_with_a_document_tree(body in chat_body(), pretty: bool) {
        let tree = Value::Object(body);
        let text = if pretty { serde_json::to_string_pretty(&tree).unwrap() } else { tree.to_string() };
        let call = read(Format::OpenaiChat, text.as_bytes()).unwrap();
        let streams = tree["stream"] == json!(true);
        prop_assert_eq!(&call.model, tree["model"].as_str().unwrap());
        prop_assert_eq!(call.stream == Streaming::Sse, streams);
        prop_assert_eq!(call.max_output_tokens, tree["max_tokens"].as_u64());
        prop_assert_eq!(call.usage_asked, !streams || tree["stream_options"]["include_usage"] == json!(true));
        let span = call.model_span.clone().unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text[span]).unwrap(), tree["model"].clone());
    }

    #[test]
    fn a_redirect_keeps_every_other_byte(body in chat_body(), to in "\\PC{1,20}") {
        let text = Value::Object(body).to_string();
        let call = read(Format::OpenaiChat, text.as_bytes()).unwrap();
        let span = call.model_span.clone().unwrap();
        let edited = edit::redirect_model(text.as_bytes(), span.clone(), &to);
        let edited = String::from_utf8(edited).unwrap();
        let behind = text.len() - span.end;
        prop_assert_eq!(&edited[..span.start], &text[..span.start]);
        prop_assert_eq!(&edited[edited.len() - behind..], &text[span.end..]);
        let put: String = serde_json::from_str(&edited[span.start..edited.len() - behind]).unwrap();
        prop_assert_eq!(put, to);
    }

    #[test]
    fn asking_for_usage_changes_that_and_nothing_else(body in chat_body(), pretty: bool) {
        let mut tree = Value::Object(body);
        let text = if pretty { serde_json::to_string_pretty(&tree).unwrap() } else { tree.to_string() };
        let call = read(Format::OpenaiChat, text.as_bytes()).unwrap();
        let edited = edit::for_upstream(&call, text.as_bytes(), None, true);
        if call.usage_asked {
            prop_assert_eq!(edited.as_ref(), text.as_bytes());
        } else {
            if !tree["stream_options"].is_object() {
                tree["stream_options"] = json!({});
            }
            tree["stream_options"]["include_usage"] = true.into();
            prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), tree);
            let again = read(Format::OpenaiChat, &edited).unwrap();
            prop_assert!(again.usage_asked);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_fall(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = read(format, &bytes);
        }
    }
}
