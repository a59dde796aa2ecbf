//! The settings of the system: shown, changed, and in force at once.

use actors::ledger::calendar::Calendar;
use chrono::Weekday;
use chrono_tz::Tz;
use pointsman::store::MoneyRefusal;
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    settings_change_where_told_and_go_back_by_null
    i52_a_request_goes_by_the_settings_it_began_with
}

const PATH: &str = "/api/v1/settings";

async fn settings_change_where_told_and_go_back_by_null(house: TestHouse) {
    let api = Api::of(&house).await;
    let defaults = api.get(PATH).await.ok(200);
    let limits = &defaults["default_limits"];
    assert!(limits.as_object().unwrap().values().all(Value::is_null), "{limits}");
    assert_eq!(
        defaults,
        json!({
            "time_zone": "UTC", "week_starts": {"day": "monday", "hour": 0}, "month_day": 1,
            "default_limits": limits, "waiting": {"queue": 0, "wait_ms": 5000}, "money_refusal_status": 429,
        })
    );
    assert_eq!(api.patch(PATH, json!({})).await.ok(200), defaults);

    let given = json!({
        "time_zone": "Asia/Shanghai", "week_starts": {"day": "sunday"}, "month_day": 15,
        "default_limits": {"rpm": 60, "usd_daily": "5"}, "waiting": {"queue": 8}, "money_refusal_status": 402,
    });
    let changed = api.patch(PATH, given).await.ok(200);
    assert_eq!(changed["week_starts"], json!({"day": "sunday", "hour": 0}));
    assert_eq!(changed["waiting"], json!({"queue": 8, "wait_ms": 5000}));
    assert_eq!(changed["default_limits"]["usd_daily"], "5");
    assert_eq!(api.get(PATH).await.ok(200), changed);
    let in_force = house.current.settings();
    let calendar = Calendar { zone: Tz::Asia__Shanghai, week_starts: (Weekday::Sun, 0), month_day: 15 };
    assert_eq!(house.current.calendar_of(&in_force), calendar);
    assert_eq!(in_force.money_refusal, MoneyRefusal::PaymentRequired);

    let nested =
        json!({"week_starts": {"hour": 6}, "waiting": {"wait_ms": 1}, "default_limits": {"rpm": null}});
    let changed = api.patch(PATH, nested).await.ok(200);
    assert_eq!(changed["week_starts"], json!({"day": "sunday", "hour": 6}));
    assert_eq!(changed["waiting"], json!({"queue": 8, "wait_ms": 1}));
    assert_eq!(
        json!([changed["default_limits"]["rpm"], changed["default_limits"]["usd_daily"]]),
        json!([null, "5"])
    );
    assert_eq!(changed["month_day"], 15, "was not mentioned");

    let inner =
        json!({"week_starts": {"day": null, "hour": null}, "waiting": {"queue": null, "wait_ms": null}});
    let changed = api.patch(PATH, inner).await.ok(200);
    assert_eq!(
        json!([changed["week_starts"], changed["waiting"]]),
        json!([defaults["week_starts"], defaults["waiting"]])
    );
    let all: serde_json::Map<_, _> =
        defaults.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
    assert_eq!(api.patch(PATH, Value::Object(all)).await.ok(200), defaults);
    assert_eq!(house.current.calendar_of(&house.current.settings()), Calendar::default());
}

async fn i52_a_request_goes_by_the_settings_it_began_with(house: TestHouse) {
    let api = Api::of(&house).await;
    let user = api.post("/api/v1/users", json!({"name": "ann"})).await.ok(201);
    let key = api.post(&format!("/api/v1/users/{}/keys", user["id"]), json!({"name": "k"})).await.ok(201);
    let find = || house.current.keys().find(key["key"].as_str().unwrap()).unwrap();
    let began = find();
    for count in 1..=20 {
        let status = if count % 2 == 0 { 402 } else { 429 };
        let patch = json!({"default_limits": {"rpm": count}, "money_refusal_status": status});
        api.patch(PATH, patch).await.ok(200);
        let next = find();
        assert_eq!(next.user_limits.rpm, Some(count), "in force with the answer");
        assert_eq!(next.settings.money_refusal.status(), status, "and both of one version");
    }
    assert_eq!((began.user_limits.rpm, began.settings.money_refusal.status()), (None, 429));
}

#[actix::test]
async fn whatever_is_wrong_with_a_setting_is_told_with_its_field() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let before = api.get(PATH).await.ok(200);
    let zone = "time_zone: not_one_of: must be a time zone such as Europe/Berlin";
    let refusal = "money_refusal_status: not_one_of: must be one of 429, 402";
    for (body, told) in [
        (json!({"time_zone": "Mars/Olympus"}), zone),
        (json!({"time_zone": ""}), zone),
        (json!({"time_zone": 8}), "time_zone: wrong_type: must be text"),
        (
            json!({"week_starts": {"day": "someday"}}),
            "week_starts.day: not_one_of: must be one of monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        ),
        (
            json!({"week_starts": {"hour": 24}}),
            "week_starts.hour: out_of_range: must be a whole number from 0 to 23",
        ),
        (json!({"week_starts": "monday"}), "week_starts: wrong_type: must be an object"),
        (json!({"month_day": 0}), "month_day: out_of_range: must be a whole number from 1 to 31"),
        (json!({"month_day": 32}), "month_day: out_of_range: must be a whole number from 1 to 31"),
        (
            json!({"waiting": {"queue": 10_001}}),
            "waiting.queue: out_of_range: must be a whole number from 0 to 10000",
        ),
        (
            json!({"waiting": {"wait_ms": -1}}),
            "waiting.wait_ms: out_of_range: must be a whole number from 0 to 600000",
        ),
        (json!({"money_refusal_status": 403}), refusal),
        (json!({"money_refusal_status": "402"}), refusal),
        (json!({"default_limit": {}}), "default_limit: unknown: is no member here"),
    ] {
        assert_eq!(api.patch(PATH, &body).await.problem(422), ["invalid", told], "{body}");
    }
    // A bad change is refused whole (I-52).
    let half = json!({"month_day": 2, "waiting": {"queue": "many"}});
    api.patch(PATH, half).await.problem(422);
    assert_eq!(api.get(PATH).await.ok(200), before);
}
