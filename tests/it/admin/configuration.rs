//! The configuration in force, as operators are shown it.

use serde_json::{Value, json};

use super::Api;
use crate::admin::house::TestHouse;

fn find<'v>(all: &'v Value, changed_at: Option<&str>, key: &str) -> &'v Value {
    let mut items = all["items"].as_array().unwrap().iter();
    let found = items.find(|item| item["key"] == key && item["changed_at"] == json!(changed_at));
    found.unwrap_or_else(|| panic!("{key} of {changed_at:?}: {all:#}"))
}

#[actix::test]
async fn every_setting_is_shown_with_its_origin_and_no_secret_with_its_value() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let all = api.get("/api/v1/config").await.ok(200);
    let shown = |key: &str| {
        let item = find(&all, None, key);
        json!([item["value"], item["origin"], item["set_by"], item["secret"]])
    };
    assert_eq!(shown("server.port"), json!(["23000", "default", null, false]));
    assert_eq!(shown("log.level"), json!(["warn", "environment", "LOG_LEVEL", false]));
    assert_eq!(shown("admin_token"), json!(["…", "environment", "ADMIN_TOKEN", true]));
    assert_eq!(shown("traces.headers"), json!(["…", "environment", "OTEL_EXPORTER_OTLP_HEADERS", true]));
    assert_eq!(shown("prices.source_url")[0], "https://prices.example/list?…");
    assert_eq!(shown("sealing_key"), json!([null, "default", null, true]));
    let text = all.to_string();
    assert!(!text.contains("canary") && !text.contains("hT7kq2ZwPm4LsVx9"), "{text}");
}

#[actix::test]
async fn settings_that_change_at_run_time_say_where_and_whether_somebody_did() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let (settings, billing) = (Some("/api/v1/settings"), Some("/api/v1/settings/billing"));
    let before = api.get("/api/v1/config").await.ok(200);
    assert_eq!(find(&before, settings, "month_day")["origin"], "default");
    assert_eq!(find(&before, billing, "unpriced")["value"], "serve");

    api.patch("/api/v1/settings", json!({"month_day": 15, "waiting": {"queue": 3}})).await.ok(200);
    api.patch("/api/v1/settings/billing", json!({"unpriced": "refuse"})).await.ok(200);
    let after = api.get("/api/v1/config").await.ok(200);
    let shown = |at, key: &str| json!([find(&after, at, key)["value"], find(&after, at, key)["origin"]]);
    assert_eq!(shown(settings, "month_day"), json!([15, "database"]));
    assert_eq!(shown(settings, "waiting")[0]["queue"], 3);
    assert_eq!(shown(settings, "time_zone"), json!(["UTC", "default"]));
    assert_eq!(shown(billing, "unpriced"), json!(["refuse", "database"]));
}
