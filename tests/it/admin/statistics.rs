//! Statistics, leaderboard, overview and availability, as operators look at them.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, TimeZone as _, Utc};
use pointsman::journal::record::{AttemptRecord, Ending, Metering, Record};
use protocol::{Format, Operation, Usage};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    statistics_tell_the_days_of_the_systems_zone
    the_leaderboard_ranks_and_the_overview_compares
    availability_tells_lanes_and_how_sure_they_are
}

/// A priced request of a user at a provider.
fn record(at: DateTime<Utc>, user: i64, model: &str, dollars: i128) -> Record {
    let mut record = Record::plain(at);
    record.user_id = Some(UserId(user));
    record.key_id = Some(KeyId(user));
    record.provider_id = Some(ProviderId(1));
    record.model = Some(model.to_owned());
    record.user_agent = Some("claude-cli/2.0 (external)".to_owned());
    (record.status, record.ending) = (200, Ending::Complete);
    record.duration = Duration::from_millis(400);
    let usage = Usage { input_tokens: 5, output_tokens: 7, ..Usage::default() };
    record.settle(Metering::Exact(usage), Some(Pico(dollars * 1_000_000_000_000)), false);
    record
}

fn points(item: &Value) -> Vec<(&str, i64)> {
    let points = item["series"].as_array().unwrap().iter();
    points.map(|point| (point["from"].as_str().unwrap(), point["requests"].as_i64().unwrap())).collect()
}

async fn statistics_tell_the_days_of_the_systems_zone(house: TestHouse) {
    let api = Api::of(&house).await;
    // Half an hour off, so that its days begin within an hour of UTC.
    api.patch("/api/v1/settings", json!({"time_zone": "Asia/Kolkata"})).await.ok(200);
    let at = |hour, minute| Utc.with_ymd_and_hms(2030, 1, 30, hour, minute, 0).unwrap();
    for (when, user, model, dollars) in [
        (at(18, 29), 1, "small", 1),
        (at(18, 30), 1, "large", 2),
        (at(18, 31), 2, "small", 9),
        (at(23, 0), 3, "small", 0),
    ] {
        let mut record = record(when, user, model, dollars);
        let gemini = user == 1 && model == "large";
        record.format = Some(if gemini { Format::Gemini } else { Format::Anthropic });
        record.operation = Some(if gemini { Operation::Embed } else { Operation::Generate });
        house.recorder.record(record);
    }
    let span = "from=2030-01-30T00:00:00Z&to=2030-01-31T00:00:00Z";
    let told = api.get(&format!("/api/v1/statistics?{span}&limit=2")).await.ok(200);
    assert_eq!(told["time_zone"], "Asia/Kolkata");
    assert_eq!(told["periods"], json!(["2030-01-30T00:00:00Z", "2030-01-30T18:30:00Z"]));
    assert_eq!((&told["total"]["requests"], &told["total"]["cost_usd"]), (&json!(4), &json!("12")));
    assert_eq!(told["total"]["duration_ms"]["mean"], json!(400.0));
    let items = told["items"].as_array().unwrap();
    assert_eq!((&items[0]["subject"], &items[1]["subject"]), (&json!("2"), &json!("1")), "by cost");
    assert_eq!(points(&items[0]), [("2030-01-30T18:30:00Z", 1)]);
    assert_eq!(points(&items[1]), [("2030-01-30T00:00:00Z", 1), ("2030-01-30T18:30:00Z", 1)]);
    assert_eq!(told["rest"]["requests"], 1);
    // Across two facets the rows are read.
    let told =
        api.get(&format!("/api/v1/statistics?{span}&by=user&model=small&client=claude-cli")).await.ok(200);
    assert_eq!(told["total"]["requests"], 3);
    let told = api.get(&format!("/api/v1/statistics?{span}&by=client&bucket=hour")).await.ok(200);
    assert_eq!(told["items"][0]["subject"], "claude-cli");
    assert_eq!(points(&told["items"][0]), [("2030-01-30T18:00:00Z", 3), ("2030-01-30T23:00:00Z", 1)]);
    let told = api.get(&format!("/api/v1/statistics?{span}&by=operation&wire_format=gemini")).await.ok(200);
    assert_eq!((&told["total"]["requests"], told["items"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!((&told["items"][0]["subject"], &told["items"][0]["name"]), (&json!("embed"), &json!("embed")));
    let told = api.get(&format!("/api/v1/statistics?{span}&by=wire_format")).await.ok(200);
    let formats: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| &item["subject"]).collect();
    assert_eq!(formats, ["anthropic", "gemini"]);
    let bad = "/api/v1/statistics?by=cat&bucket=year&limit=0&user_id=x&what=1";
    let flaws = api.get(bad).await.problem(422);
    assert_eq!(flaws.len(), 6, "{flaws:?}");
    let long = "/api/v1/statistics?bucket=hour&from=2029-01-01T00:00:00Z&to=2030-01-01T00:00:00Z";
    assert!(api.get(long).await.problem(422)[1].starts_with("to: out_of_range"));
}

async fn the_leaderboard_ranks_and_the_overview_compares(house: TestHouse) {
    let api = Api::of(&house).await;
    let now = Utc::now();
    let long_ago = now - Duration::from_secs(400 * 86_400);
    let mut failed = record(now, 1, "small", 0);
    (failed.status, failed.ending) = (502, Ending::Failed);
    for record in
        [record(now, 1, "small", 3), failed, record(now, 2, "large", 5), record(long_ago, 3, "old", 8)]
    {
        house.recorder.record(record);
    }
    let ranked = |told: &Value| -> Vec<String> {
        let items = told["items"].as_array().unwrap().iter();
        items.map(|item| item["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ranked(&api.get("/api/v1/leaderboard?period=day").await.ok(200)), ["2", "1"]);
    assert_eq!(ranked(&api.get("/api/v1/leaderboard?period=day&sort=requests").await.ok(200)), ["1", "2"]);
    let all = api.get("/api/v1/leaderboard?period=all&by=model&limit=2").await.ok(200);
    assert_eq!(ranked(&all), ["old", "large"]);
    assert_eq!((&all["total"]["cost_usd"], &all["from"]), (&json!("16"), &Value::Null));
    let told = api.get("/api/v1/overview").await.ok(200);
    assert_eq!((&told["today"]["requests"], &told["today"]["errors"]), (&json!(3), &json!(1)));
    assert_eq!((&told["today"]["error_share"], &told["today"]["cost_usd"]), (&json!(0.333), &json!("8")));
    assert_eq!(
        (&told["yesterday"]["requests"], &told["yesterday"]["error_share"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!((&told["now"]["in_flight"], &told["now"]["sessions"]), (&json!(0), &json!(0)));
    assert!(api.get("/api/v1/leaderboard?period=year").await.problem(422)[1].starts_with("period: "));
}

async fn availability_tells_lanes_and_how_sure_they_are(house: TestHouse) {
    let api = Api::of(&house).await;
    let at = |hour| Utc.with_ymd_and_hms(2030, 1, 30, hour, 20, 0).unwrap();
    for (hour, outcome) in
        [(1, Outcome::Answered), (1, Outcome::RateLimited), (1, Outcome::CallerLeft), (2, Outcome::Answered)]
    {
        let mut record = record(at(hour), 1, "small", 1);
        let mut attempt = AttemptRecord::new(ProviderId(7), "seventh".to_owned(), Duration::ZERO);
        (attempt.outcome, attempt.first_frame) = (outcome, Some(Duration::from_millis(80)));
        record.attempts = vec![attempt];
        house.recorder.record(record);
    }
    let path = "/api/v1/availability?from=2030-01-30T01:30:00Z&to=2030-01-30T03:00:00Z";
    let told = api.get(path).await.ok(200);
    assert_eq!(told["from"], "2030-01-30T01:00:00Z", "in full hours");
    let provider = &told["items"][0];
    assert_eq!((&provider["provider_id"], &provider["succeeded"]), (&json!(7), &json!(2)));
    assert_eq!((&provider["refused"], &provider["neither"]), (&json!(1), &json!(1)));
    assert_eq!(provider["success_share"], json!(0.667));
    let sure = &provider["buckets"][1];
    assert_eq!((&sure["success_share"], &sure["success_interval"]), (&json!(1.0), &json!([0.207, 1.0])));
    assert_eq!(sure["first_frame_p50_ms"], json!(50.0));
    assert_eq!(api.get(&format!("{path}&provider_id=8")).await.ok(200)["items"], json!([]));
}
