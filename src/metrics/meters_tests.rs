//! What is counted, and under which labels.

use std::time::Duration;

use actors::{
    ids::{ProviderId, RequestId},
    money::Pico,
};
use chrono::DateTime;
use prometheus::TextEncoder;

use super::*;
use crate::journal::record::{AttemptRecord, Failure};

fn answered() -> Record {
    let attempt = AttemptRecord {
        outcome: Outcome::Answered,
        first_frame: Some(Duration::from_millis(300)),
        ..AttemptRecord::new(ProviderId(1), "north".into(), Duration::ZERO)
    };
    let usage = Usage { input_tokens: 100, cache_read_tokens: 20, output_tokens: 7, ..Usage::default() };
    Record {
        format: Some(Format::Anthropic),
        operation: Some(Operation::Generate),
        model: Some("claude-demo-1-20250929".into()),
        streamed: true,
        status: 200,
        ending: Ending::Complete,
        duration: Duration::from_secs(2),
        metering: Metering::Exact(usage),
        settlement: Settlement::Exact,
        cost: Some(Pico(1_500_000_000_000)),
        attempts: vec![attempt],
        ..Record::new(RequestId::new(), DateTime::UNIX_EPOCH)
    }
}

fn shown(meters: &Meters) -> String {
    TextEncoder::new().encode_to_string(&meters.registry.gather()).unwrap()
}

fn check(meters: &Meters, lines: &[&str]) {
    let text = shown(meters);
    for line in lines {
        assert!(text.lines().any(|shown| shown == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn an_answer_is_counted_with_its_tokens_its_cost_and_its_time() {
    let meters = Meters::new();
    meters.ended(&answered(), Some("claude-demo-1-20250929"));
    meters.ended(&answered(), Some("claude-demo-1-20250929"));
    check(
        &meters,
        &[
            r#"pointsman_requests_total{ending="complete",format="anthropic",operation="generate",status="2xx",streamed="true"} 2"#,
            r#"pointsman_attempts_total{outcome="answered",provider="north"} 2"#,
            r#"pointsman_tokens_total{kind="input",model="claude-demo-1-20250929",provider="north"} 200"#,
            r#"pointsman_tokens_total{kind="cache_read",model="claude-demo-1-20250929",provider="north"} 40"#,
            r#"pointsman_tokens_total{kind="output",model="claude-demo-1-20250929",provider="north"} 14"#,
            r#"pointsman_cost_dollars_total{model="claude-demo-1-20250929",provider="north"} 3"#,
            r#"pointsman_settlements_total{settlement="exact"} 2"#,
            r#"pointsman_time_to_first_token_seconds_bucket{family="claude-demo-1",provider="north",le="0.5"} 2"#,
            r#"pointsman_time_to_first_token_seconds_bucket{family="claude-demo-1",provider="north",le="0.25"} 0"#,
            r#"pointsman_stage_seconds_sum{stage="whole"} 4"#,
            r#"gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-demo-1-20250929",gen_ai_token_type="input"} 240"#,
            r#"gen_ai_client_operation_duration_seconds_count{error_type="",gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-demo-1-20250929"} 2"#,
            r#"gen_ai_server_time_to_first_token_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-demo-1-20250929"} 2"#,
        ],
    );
}

#[test]
fn what_a_caller_sends_is_no_label() {
    let meters = Meters::new();
    for number in 0..50 {
        let model = format!("invented-{number}");
        let record = Record { model: Some(model.clone()), upstream_model: Some(model), ..answered() };
        meters.ended(&record, None);
    }
    let text = shown(&meters);
    assert!(!text.contains("invented"), "{text}");
    check(&meters, &[r#"pointsman_tokens_total{kind="output",model="other",provider="north"} 350"#]);
}

#[test]
fn a_refusal_has_its_kind_and_no_provider() {
    let meters = Meters::new();
    meters.refused("over_rpm");
    meters.over_limit("key", "rpm");
    let failure = Some(Failure { kind: "over_rpm".into(), message: String::new() });
    let record = Record { status: 429, failure, ..Record::plain(DateTime::UNIX_EPOCH) };
    meters.ended(&record, None);
    check(
        &meters,
        &[
            r#"pointsman_refusals_total{kind="over_rpm"} 1"#,
            r#"pointsman_limit_refusals_total{account="key",limit="rpm"} 1"#,
            r#"pointsman_requests_total{ending="refused",format="none",operation="none",status="4xx",streamed="false"} 1"#,
        ],
    );
    assert!(!shown(&meters).contains("provider="));
}

#[test]
fn a_failed_attempt_is_counted_where_it_failed_and_nothing_is_consumed() {
    let meters = Meters::new();
    let failed = AttemptRecord {
        outcome: Outcome::ConnectFailed,
        ..AttemptRecord::new(ProviderId(2), "south".into(), Duration::ZERO)
    };
    let mut record = answered();
    record.attempts.insert(0, failed);
    meters.ended(&record, Some("claude-demo-1"));
    check(
        &meters,
        &[
            r#"pointsman_attempts_total{outcome="connect_failed",provider="south"} 1"#,
            r#"pointsman_attempts_total{outcome="answered",provider="north"} 1"#,
        ],
    );
    assert!(!shown(&meters).contains(r#"provider="south"} 0"#));
}

#[test]
fn stages_and_our_own_share_stand_apart() {
    let meters = Meters::new();
    meters.stage(Stage::SentToHead, Duration::from_millis(40));
    meters.overhead(Duration::from_micros(120));
    check(
        &meters,
        &[
            r#"pointsman_stage_seconds_bucket{stage="sent_to_head",le="0.05"} 1"#,
            r#"pointsman_stage_seconds_bucket{stage="sent_to_head",le="0.025"} 0"#,
            r#"pointsman_overhead_seconds_bucket{le="0.00015"} 1"#,
            r#"pointsman_overhead_seconds_bucket{le="0.0001"} 0"#,
        ],
    );
}
