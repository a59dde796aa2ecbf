//! What came of a case, in words, and what must be true of it whatever it is.

use pointsman::journal::record::{Ending, Record};
use protocol::Format;
use serde_json::Value;

use super::{Case, SECOND, cases::WORD};
use crate::house::{End, Heard, Speech, TestHouse};

/// What came of one request.
pub(super) struct Seen {
    pub(super) caller: String,
    pub(super) row: String,
}

/// Looks at an answer and its row.
pub(super) fn look(case: &Case, heard: &Heard, row: &Record) -> Seen {
    let whole_of = |text: &str| {
        let speech = Speech::new(case.format, text);
        let whole = if case.streamed { speech.stream() } else { speech.plain };
        heard.body == whole.as_bytes()
    };
    let whole = heard.end == End::Clean && (whole_of(WORD) || whole_of(SECOND));
    let context = || format!("{}: {} {row:?}", case.what, String::from_utf8_lossy(&heard.body));
    assert_eq!(row.ending == Ending::Complete, whole, "complete and only then (I-27): {}", context());
    assert_eq!(row.status, heard.status, "the row tells what the caller saw: {}", context());
    let named = heard.header("x-pointsman-provider");
    let last = row.attempts.last().map(|attempt| attempt.provider_name.as_str());
    assert!(named.is_none() || named == last, "the answer names who gave it: {}", context());
    Seen { caller: caller(case, heard, whole, whole_of(SECOND)), row: row_in_words(row) }
}

fn caller(case: &Case, heard: &Heard, whole: bool, of_second: bool) -> String {
    let status = heard.status;
    if whole {
        let attempts = heard.header("x-pointsman-attempts").unwrap_or("?");
        let by = if of_second { "the second" } else { "it" };
        return format!("{status}, whole, from {by} (attempt {attempts})");
    }
    let end = if heard.end == End::Clean { "whole" } else { "**broken**" };
    if status == 200 {
        let text = String::from_utf8_lossy(&heard.body);
        let farewell = match (text.contains("broke off at the provider"), text.contains("out of order")) {
            (true, _) => "our error event",
            (_, true) => "its error event",
            _ => "no more",
        };
        return format!("{status}, begun, then {farewell}, {end}");
    }
    let by = heard.header("x-pointsman-error-source").unwrap_or("?");
    let kind = kind_of_error(case.format, &heard.json());
    let mut words = format!("{status} `{kind}` by {by}");
    for name in ["retry-after", "x-should-retry"] {
        if let Some(value) = heard.header(name) {
            words += &format!(", {name}: {value}");
        }
    }
    words
}

/// The word for an error in its dialect; fails where the body is none of it.
fn kind_of_error(format: Format, body: &Value) -> String {
    let word = match format {
        Format::Anthropic => {
            assert_eq!(body["type"], "error", "Anthropic's clients look for it: {body}");
            body.pointer("/error/type")
        }
        Format::OpenaiChat | Format::OpenaiResponses => body.pointer("/error/type"),
        Format::Gemini => body.pointer("/error/status"),
    };
    let word = word.and_then(Value::as_str);
    word.unwrap_or_else(|| panic!("no error in {}: {body}", format.name())).to_owned()
}

fn row_in_words(row: &Record) -> String {
    let outcomes: Vec<_> = row.attempts.iter().map(|attempt| attempt.outcome.name()).collect();
    let kind = row.failure.as_ref().map_or("-", |failure| &failure.kind);
    format!("{}, {kind}, {}; {}", row.ending.name(), row.metering.name(), outcomes.join(" → "))
}

/// What one such failure did to the provider.
pub(super) fn consequence(house: &TestHouse, provider: &Value) -> String {
    let mut words = Vec::new();
    let failures = provider.pointer("/breaker/failures_in_a_row").and_then(Value::as_u64);
    match failures.expect("one failure opens no breaker") {
        0 => {}
        failures => words.push(format!("breaker counts {failures}")),
    }
    if let Some(until) = provider["cooling_down_until"].as_str() {
        let until: chrono::DateTime<chrono::Utc> = until.parse().expect("a time");
        let left = (until - house.wall_now()).num_milliseconds();
        // Up to five seconds went by on the way here.
        words.push(format!("cools down {} s", left.div_euclid(5_000) * 5 + 5));
    }
    match provider.pointer("/credential/rejections_in_a_row").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(rejections) => words.push(format!("credential: rejection {rejections} of 3")),
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}
