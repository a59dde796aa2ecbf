//! The journal's format as earlier versions wrote it: what stands in a file of theirs is read by this one.
//!
//! A new field needs a default; the golden file is then left as it is. Only where the meaning of what is written
//! changes does the frame's mark get another version.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::DateTime;
use protocol::{Format, Operation, Usage};
use serde_json::{Value, json};

use super::{
    intent::{Intent, Progress, tests::intent},
    record::{AttemptRecord, Document, Ending, Failure, Metering, Record},
};

const GOLDEN: &str = include_str!("golden.json");

fn request() -> RequestId {
    RequestId("0190a0a0-0000-7000-8000-000000000001".parse().unwrap())
}

fn record() -> Record {
    let attempt = AttemptRecord {
        outcome: Outcome::Overloaded,
        status: Some(529),
        head: Some(Duration::from_micros(2_000)),
        total: Duration::from_micros(2_100),
        sent: true,
        error: Some("overloaded".into()),
        ..AttemptRecord::new(ProviderId(3), "first".into(), Duration::from_micros(150))
    };
    let mut record = Record {
        duration: Duration::from_micros(7_654_321),
        user_id: Some(UserId(1)),
        key_id: Some(KeyId(2)),
        format: Some(Format::OpenaiChat),
        operation: Some(Operation::Generate),
        model: Some("model".into()),
        upstream_model: Some("model-up".into()),
        streamed: true,
        session: Some("s-1".into()),
        provider_id: Some(ProviderId(3)),
        status: 200,
        ending: Ending::CallerLeft,
        failure: Some(Failure { kind: "caller_left".into(), message: "left".into() }),
        ttfb: Some(Duration::from_micros(5_200)),
        reserved: Some(Pico(20_000_000_000)),
        price: Document::of(&json!({"id": 7})).ok(),
        decisions: Document::of(&json!([{"attempt": 1}])).ok(),
        client_address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("cli".into()),
        bytes_up: 12,
        bytes_down: 34,
        attempts: vec![attempt],
        ..Record::new(request(), DateTime::from_timestamp_micros(1_900_000_000_000_001).unwrap())
    };
    let usage = Usage { input_tokens: 1, cache_read_tokens: 2, output_tokens: 5, ..Usage::default() };
    record.settle(Metering::Exact(usage), Some(Pico(9_528_000_000)), true);
    record
}

fn progress() -> Progress {
    let at = DateTime::from_timestamp(1_900_000_001, 0).unwrap();
    Progress { request: request(), at, input_tokens: 30, output_tokens: 400, cost: Some(Pico(5)) }
}

#[test]
fn what_is_written_today_is_what_the_golden_file_says() {
    let written = json!({ "intent": intent(request(), 1), "progress": progress(), "final": record() });
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(written, golden, "{}", serde_json::to_string_pretty(&written).unwrap());
}

#[test]
fn what_was_written_is_read_with_fields_nobody_knows_and_without_those_that_came_later() {
    let mut golden: Value = serde_json::from_str(GOLDEN).unwrap();
    for frame in ["intent", "progress", "final"] {
        golden[frame]["of_a_later_version"] = json!({"deep": [1, 2]});
    }
    golden["final"].as_object_mut().unwrap().remove("reserved");
    let read = |frame: &str| golden[frame].to_string();
    assert_eq!(serde_json::from_str::<Intent>(&read("intent")).unwrap(), intent(request(), 1));
    assert_eq!(serde_json::from_str::<Progress>(&read("progress")).unwrap(), progress());
    let found: Record = serde_json::from_str(&read("final")).unwrap();
    let expected = Record { reserved: None, ..record() };
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

#[test]
fn s15_no_caller_fills_the_journal_with_one_endless_word() {
    let endless = "é\0".repeat(1 << 20);
    let record = Record {
        model: Some(endless.clone()),
        user_agent: Some(endless.clone()),
        session: Some(endless.clone()),
        failure: Some(Failure { kind: "k".into(), message: endless }),
        ..record()
    };
    let written = serde_json::to_string(&record).unwrap();
    assert!(written.len() < 10_000, "{}", written.len());
}
