//! Alive, ready, healthy: told to anyone, and nothing beyond that.

use actix_web::{http::Method, test::TestRequest};
use chrono::Utc;
use pointsman::{
    journal::{
        quarantine::Quarantine,
        record::Record,
        recorder::{self, JournalSettings},
    },
    ops::Degraded,
};
use serde_json::json;

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    i44_a_draining_server_is_not_ready_at_once_and_still_alive
}

async fn i44_a_draining_server_is_not_ready_at_once_and_still_alive(house: TestHouse) {
    let api = Api::of(&house).await;
    let ask = async |path: &str| api.send(TestRequest::get().uri(path)).await;
    assert_eq!(ask("/readyz").await.ok(200), json!({"status": "ready"}));
    assert_eq!(ask("/health").await.ok(200)["status"], "ok");
    house.drain.begin();
    assert_eq!(
        ask("/readyz?verbose").await.ok(503),
        json!({
            "status": "not_ready",
            "checks": {
                "database_read": true, "journal_replayed": true, "recorder_has_room": true, "not_draining": false,
            },
        })
    );
    assert_eq!(ask("/livez").await.ok(200), json!({"status": "alive"}));
    assert_eq!(ask("/health").await.ok(200)["status"], "draining");
}

#[actix::test]
async fn i42_a_server_that_can_keep_no_more_records_is_not_ready() {
    let mut house = TestHouse::on_sqlite().await;
    let directory = tempfile::tempdir().unwrap();
    let journal = JournalSettings { max_bytes: 10_000, ..JournalSettings::new(directory.path()) };
    // Nobody runs the writer, as if the database had been away for long.
    let quarantine = Quarantine::new(directory.path());
    let (recorder, _writer) = recorder::recorder(house.store.clone(), quarantine, journal).unwrap();
    house.recorder = recorder;
    let api = Api::of(&house).await;
    let ready = async || api.send(TestRequest::get().uri("/readyz")).await.status;
    assert_eq!(ready().await, 200);
    let mut waiting = 0;
    while house.recorder.has_room() {
        house.recorder.record(Record::plain(Utc::now()));
        waiting += 1;
    }
    assert_eq!(ready().await, 503, "a tenth of the room is kept for what is under way");
    let health = api.send(TestRequest::get().uri("/health")).await.ok(200);
    assert_eq!(health["degraded"], json!(["recorder_full"]));
    let recorder = &health["recorder"];
    assert_eq!((&recorder["waiting"], &recorder["journal_max_bytes"]), (&json!(waiting), &json!(10_000)));
    assert!((9_000..10_000).contains(&recorder["journal_bytes"].as_u64().unwrap()), "{recorder}");
}

#[actix::test]
async fn health_names_what_is_degraded_and_nobody() {
    let mut house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let named =
        json!({"name": "canary", "kind": "claude", "base_url": "https://x.example", "credential": "s"});
    api.post("/api/v1/providers", named).await.ok(201);
    house.store = TestHouse::store_that_is_away();
    let api = Api::of(&house).await;
    api.never_show("canary");
    api.never_show("127.0.0.1");
    let health = api.send(TestRequest::get().uri("/health")).await.ok(200);
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["degraded"], json!(["database_away"]));
    assert_eq!((&health["store"], &health["version"]), (&json!("sqlite"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(
        api.send(TestRequest::get().uri("/readyz")).await.status,
        200,
        "what is in memory goes on serving"
    );
}

#[actix::test]
async fn every_degraded_mode_has_a_gauge() {
    let mut house = TestHouse::on_sqlite().await;
    let modes = async |house: &TestHouse| {
        let metrics = Api::of(house).await.send(Api::request(Method::GET, "/metrics")).await.text;
        let told = metrics.lines().filter_map(|line| line.strip_prefix("pointsman_degraded{mode=\""));
        let told = told.filter_map(|line| line.split_once("\"} "));
        let mut told: Vec<_> = told.map(|(mode, holds)| (mode.to_owned(), holds == "1")).collect();
        told.sort_unstable();
        told
    };
    let sound = modes(&house).await;
    let mut names: Vec<_> = Degraded::ALL.into_iter().map(Degraded::name).collect();
    names.sort_unstable();
    assert_eq!(sound, names.iter().map(|name| ((*name).to_owned(), false)).collect::<Vec<_>>());
    house.store = TestHouse::store_that_is_away();
    let away: Vec<_> = modes(&house).await.into_iter().filter(|(_, holds)| *holds).collect();
    assert_eq!(away, [("database_away".to_owned(), true)]);
}
