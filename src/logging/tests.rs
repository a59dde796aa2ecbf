//! What a line looks like, and what nobody can make it look like.

use actors::ids::RequestId;
use log::{Level, kv::ToValue};

use super::*;

type Pair<'a> = (&'static str, &'a dyn ToValue);

fn written(message: &str, fields: &[Pair<'_>]) -> (String, String) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.to_value())).collect();
    let line = |format: fn(&Record<'_>) -> io::Result<String>| {
        let (level, target) = (Level::Info, "pointsman::proxy");
        let mut builder = Record::builder();
        let builder = builder.level(level).target(target).key_values(&fields);
        format(&builder.args(format_args!("{message}")).build()).unwrap()
    };
    (line(text), line(json))
}

/// What people send who want to be somebody else in the log.
const FORGERIES: [&str; 12] = [
    "x\n2026-01-01T00:00:00.000Z INFO  admin: all is well",
    "x\r\n{\"level\":\"error\"}",
    "x\r2026 overwritten",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{9b}31mred, by the one-byte form",
    "\u{7}\u{8}\u{8}\u{8}\u{7f}",
    "next\u{85}line",
    "line\u{2028}and paragraph\u{2029}",
    "\u{202e}desrever\u{202c}",
    "\u{2066}isolated\u{2069}\u{200f}\u{200e}\u{61c}",
    "null\0byte",
    "\" request=\"0\" status=200",
];

#[test]
fn c26_nobody_can_forge_a_line_or_a_field_of_one() {
    for forgery in FORGERIES {
        let (text, json) =
            written(&format!("model {forgery} failed"), &[("model", &forgery), ("status", &500)]);
        for line in [&text, &json] {
            let bad = line.chars().find(|c| {
                c.is_control()
                    || ('\u{2028}'..='\u{202e}').contains(c)
                    || ('\u{2066}'..='\u{2069}').contains(c)
            });
            assert_eq!(bad, None, "{line:?}");
            assert!(!line.contains(['\u{200e}', '\u{200f}', '\u{61c}']), "{line:?}");
        }
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["model"], forgery, "a program reads what was sent");
        assert_eq!((&read["status"], &read["level"]), (&500.into(), &"info".into()));
    }
    let (text, _) = written("refused", &[("model", &FORGERIES[11])]);
    assert!(text.ends_with(r#"refused model="\" request=\"0\" status=200""#), "{text}");
}

#[test]
fn a_line_for_people_says_nothing_twice() {
    let nobody: Option<u64> = None;
    let fields: [Pair<'_>; 5] =
        [("provider", &"north"), ("model", &"gpt 4"), ("user", &7), ("cost_usd", &"0.5"), ("key", &nobody)];
    let (text, json) = written("provider north: slow", &fields);
    assert!(text.ends_with(r#" INFO  provider north: slow model="gpt 4" user=7 cost_usd=0.5"#), "{text}");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["provider"], "north");
    assert_eq!(read.get("key"), None, "what there is not is left out");
    assert_eq!(read["target"], "pointsman::proxy");
}

#[actix::test]
async fn whoever_writes_on_the_way_of_a_request_writes_about_it() {
    let request = RequestId::new();
    let name = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["request"].clone();
    let deep_below = async || {
        actix_web::rt::task::yield_now().await;
        written("the connection is slow", &[])
    };
    let (text, json) = request::within(request, deep_below()).await;
    assert!(text.ends_with(&format!(" request={request}")), "{text}");
    assert_eq!(name(&json), request.to_string());
    let (_, json) = request::during(request, || written("as is a body", &[]));
    assert_eq!(name(&json), request.to_string());
    let other = RequestId::new().to_string();
    let (_, json) =
        request::during(request, || written("who names another is believed", &[("request", &other)]));
    assert_eq!(name(&json), other);
    assert_eq!(name(&written("nobody's", &[]).1), serde_json::Value::Null);
}

#[test]
fn what_others_word_has_an_end() {
    let (_, json) = written("long", &[("model", &"ü".repeat(2_000))]);
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["model"].as_str().unwrap().chars().count(), 501);
}
