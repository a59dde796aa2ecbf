//! Limits of users and keys: what is taken, what is refused, who inherits, and that all of it counts at once.

use std::sync::Arc;

use actors::{
    ledger::limits::{Day, FiveHours, Limits, Span},
    money::Pico,
};
use chrono::NaiveTime;
use pointsman::current::keys::Caller;
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    limits_come_back_as_they_were_given
    in_a_patch_what_is_absent_stays_and_null_unsets
    a_key_takes_from_its_user_what_it_leaves_unset_and_a_user_from_the_system
    i09_limits_are_in_force_with_the_answer_that_set_them
}

/// A user with one key: their paths, and the key.
struct Person {
    user: String,
    key: String,
    secret: String,
}

async fn person(api: &Api, name: &str, user_limits: Value, key_limits: Value) -> Person {
    let user = api.post("/api/v1/users", json!({"name": name, "limits": user_limits})).await.ok(201);
    let user = format!("/api/v1/users/{}", user["id"]);
    let key = json!({"name": name, "limits": key_limits});
    let key = api.post(&format!("{user}/keys"), key).await.ok(201);
    let secret = key["key"].as_str().unwrap().to_owned();
    Person { user, key: format!("/api/v1/keys/{}", key["id"]), secret }
}

/// Who the next request with that key would be.
fn caller(house: &TestHouse, person: &Person) -> Caller {
    house.current.keys().find(&person.secret).unwrap()
}

fn at(hour: u32, minute: u32) -> Day {
    Day::Fixed(NaiveTime::from_hms_opt(hour, minute, 0).unwrap())
}

/// Every limit, none of them the default.
fn rich() -> Value {
    json!({
        "rpm": 60, "tpm": 1_000_000_000_000_u64, "concurrency": 0, "sessions": 4,
        "usd_5h": "0.000000000001", "usd_daily": "1", "usd_weekly": "20.5", "usd_monthly": "0",
        "usd_total": "9000000", "five_hours_reset": "fixed",
        "daily_reset": {"mode": "fixed", "at": "08:30"}, "strict": false, "hard_stop": true,
    })
}

/// None set.
fn unset() -> Value {
    let mut limits = rich();
    for value in limits.as_object_mut().unwrap().values_mut() {
        *value = Value::Null;
    }
    limits
}

async fn limits_come_back_as_they_were_given(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = person(&api, "ann", rich(), Value::Null).await;
    assert_eq!(api.get(&ann.user).await.ok(200)["limits"], rich());
    assert_eq!(api.get(&format!("{}/keys", ann.user)).await.ok(200)["items"][0]["limits"], unset());
    let limits = caller(&house, &ann).user_limits;
    let mut expected = Limits {
        rpm: Some(60),
        tpm: Some(1_000_000_000_000),
        concurrency: Some(0),
        sessions: Some(4),
        five_hours: Some(FiveHours::Fixed),
        day: Some(at(8, 30)),
        strict: Some(false),
        hard_stop: Some(true),
        ..Limits::default()
    };
    let picos = [1, 1_000_000_000_000, 20_500_000_000_000, 0, 9_000_000_000_000_000_000];
    for (span, picos) in Span::ALL.into_iter().zip(picos) {
        expected.usd[span] = Some(Pico(picos));
    }
    assert_eq!(*limits, expected);

    // What is shown may be sent back, and a number is read by its digits (I-06).
    api.patch(&ann.key, json!({"limits": rich()})).await.ok(200);
    let changed = api.patch(&ann.key, r#"{"limits": {"usd_daily": 0.300000000001, "usd_total": 1e3}}"#).await;
    let shown = &changed.ok(200)["limits"];
    assert_eq!(json!([shown["usd_daily"], shown["usd_total"]]), json!(["0.300000000001", "1000"]));
}

async fn in_a_patch_what_is_absent_stays_and_null_unsets(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = person(&api, "ann", rich(), rich()).await;
    for path in [&ann.user, &ann.key] {
        let check = async |patch: Value, expected: Value| {
            let changed = api.patch(path, json!({"limits": patch})).await.ok(200);
            assert_eq!(changed["limits"], expected, "{path} {patch}");
        };
        let with = |more: Value| {
            let mut limits = rich();
            limits.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            limits
        };
        check(json!({}), rich()).await;
        check(json!({"rpm": null, "usd_weekly": "3"}), with(json!({"rpm": null, "usd_weekly": "3"}))).await;
        check(json!({"rpm": 60, "usd_weekly": "20.5"}), rich()).await;
        let day = |day: Value| with(json!({"daily_reset": day}));
        check(json!({"daily_reset": {}}), rich()).await;
        check(json!({"daily_reset": {"at": "23:59"}}), day(json!({"mode": "fixed", "at": "23:59"}))).await;
        check(json!({"daily_reset": {"at": null}}), day(json!({"mode": "fixed", "at": "00:00"}))).await;
        check(json!({"daily_reset": {"mode": "rolling"}}), day(json!({"mode": "rolling", "at": null}))).await;
        check(json!({"daily_reset": {"mode": null}}), day(Value::Null)).await;
        check(json!({"daily_reset": {"at": "01:00"}}), day(json!({"mode": "fixed", "at": "01:00"}))).await;
        check(json!({"daily_reset": null}), day(Value::Null)).await;
        check(unset(), unset()).await;
        check(rich(), rich()).await;
        let changed = api.patch(path, json!({"name": "renamed"})).await.ok(200);
        assert_eq!(changed["limits"], rich());
        let changed = api.patch(path, json!({"limits": null})).await.ok(200);
        assert_eq!(changed["limits"], unset());
    }
}

async fn a_key_takes_from_its_user_what_it_leaves_unset_and_a_user_from_the_system(house: TestHouse) {
    let api = Api::of(&house).await;
    let defaults = json!({"rpm": 100, "tpm": 1000, "usd_daily": "9", "strict": true,
                          "daily_reset": {"mode": "rolling"}});
    api.patch("/api/v1/settings", json!({"default_limits": defaults})).await.ok(200);
    let of_user = json!({"rpm": 50, "usd_daily": "5", "daily_reset": {"at": "06:00"}});
    let ann = person(&api, "ann", of_user, json!({"usd_daily": "1", "sessions": 2, "strict": false})).await;

    let found = caller(&house, &ann);
    let (user, key) = (&found.user_limits, &found.key_limits);
    assert_eq!((user.rpm, user.tpm, user.sessions), (Some(50), Some(1000), None));
    assert_eq!((key.rpm, key.tpm, key.sessions), (Some(50), Some(1000), Some(2)));
    assert_eq!((user.usd[Span::Day], key.usd[Span::Day]), (Some(dollars(5)), Some(dollars(1))));
    assert_eq!((user.strict, key.strict), (Some(true), Some(false)));
    assert_eq!((user.day, key.day), (Some(at(6, 0)), Some(at(6, 0))));
    // What is shown is what was set here; the rest is in the quota.
    let shown = api.get(&ann.user).await.ok(200);
    assert_eq!(json!([shown["limits"]["rpm"], shown["limits"]["tpm"]]), json!([50, null]));
}

fn dollars(count: i128) -> Pico {
    Pico(count * 1_000_000_000_000)
}

async fn i09_limits_are_in_force_with_the_answer_that_set_them(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = person(&api, "ann", json!({"rpm": 50}), Value::Null).await;
    let bob = person(&api, "bob", json!({"tpm": 5}), json!({"rpm": 3})).await;
    let (of_ann, of_bob) = (caller(&house, &ann), caller(&house, &bob));

    let same = |one: &Caller, other: &Caller| {
        (
            Arc::ptr_eq(&one.user_limits, &other.user_limits),
            Arc::ptr_eq(&one.key_limits, &other.key_limits),
            Arc::ptr_eq(&one.settings, &other.settings),
        )
    };
    api.patch(&ann.user, json!({"limits": {"rpm": 10}})).await.ok(200);
    let now = caller(&house, &ann);
    assert_eq!((now.user_limits.rpm, now.key_limits.rpm), (Some(10), Some(10)));
    assert_eq!((of_ann.user_limits.rpm, of_ann.key_limits.rpm), (Some(50), Some(50)), "of one under way");
    assert_eq!(same(&of_bob, &caller(&house, &bob)), (true, true, true), "nobody else's changed");

    // A name says nothing about limits, so the very same ones hold.
    api.patch(&ann.user, json!({"name": "anne"})).await.ok(200);
    assert_eq!(same(&now, &caller(&house, &ann)), (true, true, true));

    api.patch(&ann.key, json!({"limits": {"rpm": 2}})).await.ok(200);
    let own = caller(&house, &ann);
    assert_eq!((own.user_limits.rpm, own.key_limits.rpm), (Some(10), Some(2)));
    assert_eq!(same(&now, &own), (true, false, true));

    api.patch("/api/v1/settings", json!({"default_limits": {"tpm": 7}})).await.ok(200);
    let (of_ann, now_of_bob) = (caller(&house, &ann), caller(&house, &bob));
    assert_eq!((of_ann.user_limits.tpm, of_ann.key_limits.tpm), (Some(7), Some(7)));
    assert_eq!(same(&of_bob, &now_of_bob), (true, true, false), "bob has a tpm of his own");
    assert!(Arc::ptr_eq(&of_ann.settings, &now_of_bob.settings), "one version for all");

    // Two keys of one user share its limits.
    let second = api.post(&format!("{}/keys", ann.user), json!({"name": "second"})).await.ok(201);
    let second = house.current.keys().find(second["key"].as_str().unwrap()).unwrap();
    assert!(Arc::ptr_eq(&second.user_limits, &of_ann.user_limits));
}

#[actix::test]
async fn i06_whatever_is_wrong_with_a_limit_is_told_with_its_field() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let ann = person(&api, "ann", json!({"rpm": 5}), json!({"rpm": 5})).await;
    let keys = format!("{}/keys", ann.user);
    let check = async |limits: &str, told: &str| {
        let body = format!(r#"{{"name": "x", "limits": {limits}}}"#);
        let told = ["invalid", told];
        assert_eq!(api.post("/api/v1/users", &body).await.problem(422), told, "{limits}");
        assert_eq!(api.post(&keys, &body).await.problem(422), told, "{limits}");
        assert_eq!(api.patch(&ann.user, &body).await.problem(422), told, "{limits}");
        assert_eq!(api.patch(&ann.key, &body).await.problem(422), told, "{limits}");
        let defaults = api.patch("/api/v1/settings", format!(r#"{{"default_limits": {limits}}}"#)).await;
        let told = ["invalid".to_owned(), told[1].replace("limits", "default_limits")];
        assert_eq!(defaults.problem(422), told, "{limits}");
    };
    for (field, most) in
        [("rpm", "1000000"), ("tpm", "1000000000000"), ("concurrency", "1000000"), ("sessions", "1000000")]
    {
        let beyond = format!("{most}1");
        for (value, code) in [
            ("-1", "out_of_range"),
            (&*beyond, "out_of_range"),
            ("99999999999999999999999", "out_of_range"),
            ("1.5", "wrong_type"),
            ("1e3", "wrong_type"),
            ("\"1\"", "wrong_type"),
            ("true", "wrong_type"),
            ("{}", "wrong_type"),
        ] {
            let told = format!("limits.{field}: {code}: must be a whole number from 0 to {most}");
            check(&format!(r#"{{"{field}": {value}}}"#), &told).await;
        }
    }
    for field in ["usd_5h", "usd_daily", "usd_weekly", "usd_monthly", "usd_total"] {
        for (value, why) in [
            ("\"-0.01\"", "must not be negative"),
            ("-1", "must not be negative"),
            ("\"9000000.000000000001\"", "must be at most 9000000"),
            ("1e50000000", "too many digits or too large an exponent"),
            ("\"0.00000000000000000000000000000000000000001\"", "too many digits or too large an exponent"),
            ("0.3000000000000004", "has more than 12 digits after the point"),
            ("\"NaN\"", "must be a decimal number"),
            ("\"$5\"", "must be a decimal number"),
            ("\"\"", "must be a decimal number"),
            ("true", "must be a decimal number"),
            ("[]", "must be a decimal number"),
        ] {
            check(&format!(r#"{{"{field}": {value}}}"#), &format!("limits.{field}: malformed: {why}")).await;
        }
    }
    for (limits, told) in [
        (
            r#"{"five_hours_reset": "daily"}"#,
            "limits.five_hours_reset: not_one_of: must be one of rolling, fixed",
        ),
        (r#"{"five_hours_reset": 5}"#, "limits.five_hours_reset: wrong_type: must be text"),
        (r#"{"daily_reset": "08:00"}"#, "limits.daily_reset: wrong_type: must be an object"),
        (
            r#"{"daily_reset": {"mode": "weekly"}}"#,
            "limits.daily_reset.mode: not_one_of: must be one of fixed, rolling",
        ),
        (r#"{"daily_reset": {"until": 1}}"#, "limits.daily_reset.until: unknown: is no member here"),
        (r#"{"strict": 1}"#, "limits.strict: wrong_type: must be true or false"),
        (r#"{"hard_stop": "yes"}"#, "limits.hard_stop: wrong_type: must be true or false"),
        (r#"{"rps": 1}"#, "limits.rps: unknown: is no member here"),
        (r#"{"rpm": 1, "rpm": 2}"#, "limits.rpm: repeated: is given more than once"),
        ("[]", "limits: wrong_type: must be an object"),
    ] {
        check(limits, told).await;
    }
    for time in ["24:00", "8:00", "08:60", "08:00:00", "0800", "noon", " 8:00", "+8:00", "08:00 "] {
        let told = "limits.daily_reset.at: malformed: must be a time of day from 00:00 to 23:59";
        check(&format!(r#"{{"daily_reset": {{"at": "{time}"}}}}"#), told).await;
    }
    let found = caller(&house, &ann);
    let five = Limits { rpm: Some(5), ..Limits::default() };
    assert_eq!((*found.user_limits, *found.key_limits), (five, five), "nothing of it was stored");
    assert_eq!(*found.settings, Default::default());
}
