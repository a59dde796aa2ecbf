//! The request log, as operators look at it.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, TimeZone as _, Utc};
use pointsman::journal::record::{AttemptRecord, Document, Ending, Failure, Metering, Record};
use protocol::{Format, Operation, Usage};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_request_tells_its_whole_story
    requests_are_listed_newest_first_by_filter_and_in_pages
    c11_filters_are_values_and_nothing_else
}

fn at(minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2030, 1, 31, 12, minute, 0).unwrap() + Duration::from_micros(7)
}

fn record(minute: u32, change: impl FnOnce(&mut Record)) -> Record {
    let mut record = Record::plain(at(minute));
    change(&mut record);
    record
}

async fn a_request_tells_its_whole_story(house: TestHouse) {
    let api = Api::of(&house).await;
    let mut attempt = AttemptRecord::new(ProviderId(3), "third".to_owned(), Duration::from_micros(15));
    attempt.outcome = Outcome::ProviderFailed;
    attempt.status = Some(500);
    attempt.total = Duration::from_millis(2);
    attempt.error = Some("said 500".to_owned());
    let whole = record(1, |record| {
        record.duration = Duration::from_micros(1_500);
        record.ttfb = Some(Duration::from_micros(900));
        record.user_id = Some(UserId(1));
        record.key_id = Some(KeyId(2));
        record.format = Some(Format::Anthropic);
        record.operation = Some(Operation::Generate);
        record.model = Some("claude".to_owned());
        record.status = 502;
        record.ending = Ending::Failed;
        record.failure = Some(Failure { kind: "upstream_failed".into(), message: "no luck".to_owned() });
        let usage = Usage { input_tokens: 5, output_tokens: 7, ..Usage::default() };
        record.settle(Metering::Exact(usage), Some(Pico(12_000_000)), false);
        record.reserved = Some(Pico(50_000_000));
        record.price = Some(Document::of(&json!({"price_id": 1})).unwrap());
        record.decisions = Some(Document::of(&json!([{"attempt": 1, "chosen": 3}])).unwrap());
        record.client_address = Some([127, 0, 0, 1].into());
        record.attempts = vec![attempt];
    });
    let id = whole.id;
    // No wait in between: who made a request can look at it right away.
    house.recorder.record(whole);
    let tried = json!({
        "provider_id": 3, "provider": "third", "outcome": "provider_failed", "status": 500,
        "started_us": 15, "head_us": null, "first_frame_us": null, "total_us": 2000,
        "retried_stale": false, "sent": false, "error": "said 500", "settlement": null, "cost_usd": null,
    });
    let shown = api.get(&format!("/api/v1/requests/{id}")).await.ok(200);
    assert_eq!(
        shown,
        json!({
            "id": id, "started_at": "2030-01-31T12:01:00.000007Z", "duration_us": 1500, "ttfb_us": 900,
            "user_id": 1, "key_id": 2, "format": "anthropic", "operation": "generate",
            "model": "claude", "upstream_model": null, "streamed": false, "session": null, "provider_id": null,
            "status": 502, "ending": "failed", "error": {"kind": "upstream_failed", "message": "no luck"},
            "attempt_count": 1,
            "usage": {
                "class": "exact", "input_tokens": 5, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
                "cache_write_1h_tokens": 0, "output_tokens": 7, "reasoning_tokens": 0,
            },
            "settlement": "exact", "cost_usd": "0.000012", "reserved_usd": "0.00005", "client_address": "127.0.0.1", "user_agent": null,
            "bytes_up": 0, "bytes_down": 0,
            "price": {"price_id": 1}, "decisions": [{"attempt": 1, "chosen": 3}],
            "attempts": [tried],
            "corrections": [],
        })
    );
    let listed = api.get("/api/v1/requests").await.ok(200);
    assert_eq!(listed["items"][0]["id"], shown["id"]);
    assert_eq!(listed["items"][0].get("attempts"), None, "a list tells how many, not which");
    assert_eq!(api.get(&format!("/api/v1/requests/{}", RequestId::new())).await.problem(404), ["not_found"]);
    assert_eq!(api.get("/api/v1/requests/1").await.problem(404), ["not_found"]);
}

fn minutes(page: &Value) -> Vec<String> {
    let minute = |item: &Value| item["started_at"].as_str().unwrap()[14..16].to_owned();
    page["items"].as_array().unwrap().iter().map(minute).collect()
}

async fn requests_are_listed_newest_first_by_filter_and_in_pages(house: TestHouse) {
    let api = Api::of(&house).await;
    for minute in 0..6 {
        house.recorder.record(record(minute, |record| {
            record.user_id = Some(UserId(i64::from(minute % 2)));
            record.key_id = Some(KeyId(i64::from(minute)));
            record.provider_id = (minute == 4).then_some(ProviderId(9));
            record.model = Some(if minute < 3 { "a" } else { "b" }.to_owned());
            record.status = if minute == 5 { 429 } else { 200 };
            record.session = (minute == 2).then(|| "2-abc".to_owned());
            record.format = Some(if minute < 2 { Format::Gemini } else { Format::Anthropic });
            record.operation = Some(if minute == 3 { Operation::CountTokens } else { Operation::Generate });
            let attempt = || AttemptRecord::new(ProviderId(9), "nine".to_owned(), Duration::ZERO);
            record.attempts = (0..minute).map(|_| attempt()).collect();
        }));
    }
    for (query, expected) in [
        ("", vec!["05", "04", "03", "02", "01", "00"]),
        ("?user_id=1", vec!["05", "03", "01"]),
        ("?key_id=3", vec!["03"]),
        ("?provider_id=9", vec!["04"]),
        ("?model=a&user_id=0", vec!["02", "00"]),
        ("?status=429", vec!["05"]),
        ("?session=2-abc", vec!["02"]),
        ("?not_status=200", vec!["05"]),
        ("?min_attempts=4", vec!["05", "04"]),
        ("?min_attempts=0&wire_format=gemini", vec!["01", "00"]),
        ("?wire_format=anthropic&operation=count_tokens", vec!["03"]),
        ("?from=2030-01-31T12:04:00Z", vec!["05", "04"]),
        ("?from=2030-01-31T13:02:00+01:00&to=2030-01-31T12:04:00Z", vec!["03", "02"]),
        ("?model=nobody%27s", vec![]),
    ] {
        let page = api.get(&format!("/api/v1/requests{query}")).await.ok(200);
        assert_eq!(minutes(&page), expected, "{query}");
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/v1/requests?limit=4{cursor}")).await.ok(200);
        seen.extend(minutes(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["05", "04", "03", "02", "01", "00"]);
    let wrong = api
        .get("/api/v1/requests?status=abc&wire_format=x&from=today&cursor=1&who=me&limit=501")
        .await
        .problem(422);
    let fields: Vec<_> = wrong.iter().skip(1).map(|told| told.split(':').next().unwrap()).collect();
    assert_eq!(fields, ["status", "wire_format", "from", "cursor", "limit", "who"]);
}

async fn c11_filters_are_values_and_nothing_else(house: TestHouse) {
    let api = Api::of(&house).await;
    house.recorder.record(record(0, |record| record.model = Some("m".to_owned())));
    for attack in ["' OR '1'='1", "m'; DROP TABLE requests; --", "m\" OR 1=1", "%", "m\0", "\u{2019} OR 1=1"]
    {
        let escaped: String = attack.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for filter in ["model", "session"] {
            let page = api.get(&format!("/api/v1/requests?{filter}={escaped}")).await.ok(200);
            assert_eq!(page["items"], json!([]), "{filter} {attack}");
        }
        let problem = api.get(&format!("/api/v1/requests?cursor={escaped}")).await.problem(422);
        assert_eq!(problem[0], "invalid");
        api.get(&format!("/api/v1/requests/{escaped}")).await.problem(404);
    }
    assert_eq!(api.get("/api/v1/requests?model=m").await.ok(200)["items"].as_array().unwrap().len(), 1);
}
