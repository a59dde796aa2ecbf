//! What users and keys may ask for and with which programs, and whom providers serve and when.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    restrictions_are_kept_shown_changed_and_copied
    a_provider_keeps_whom_it_serves_and_when
}

const USER: &str = "/api/v1/users/1";
const KEY: &str = "/api/v1/keys/1";

fn rules(models: &[&str], allowed: &[&str], blocked: &[&str]) -> Value {
    json!({"allowed_models": models, "allowed_clients": allowed, "blocked_clients": blocked})
}

/// The restrictions in what is shown.
fn of(shown: &Value) -> Value {
    let members = ["allowed_models", "allowed_clients", "blocked_clients"];
    Value::Object(members.map(|member| (member.to_owned(), shown[member].clone())).into_iter().collect())
}

fn named(name: &str, mut rules: Value) -> Value {
    rules["name"] = json!(name);
    rules
}

async fn restrictions_are_kept_shown_changed_and_copied(house: TestHouse) {
    let api = Api::of(&house).await;
    let all = rules(&["claude-*", "gpt-5"], &["Claude-Code", "codex*/1"], &["curl"]);
    let own = rules(&["gpt-5"], &[], &["wget"]);
    assert_eq!(of(&api.post("/api/v1/users", named("ann", all.clone())).await.ok(201)), all);
    let made = api.post("/api/v1/users/1/keys", named("k", own.clone())).await.ok(201);
    assert_eq!(of(&made), own);
    assert_eq!(of(&api.get(USER).await.ok(200)), all, "as it was written");
    let rules_of = |secret: &Value| house.current.keys().find(secret.as_str().unwrap()).unwrap().rules;
    let compiled = rules_of(&made["key"]).expect("restricted");
    assert_eq!(compiled.user.allowed_models, ["claude-*", "gpt-5"]);
    assert_eq!(compiled.key.allowed_models, ["gpt-5"]);

    let copy = api.post("/api/v1/users/1/clone", json!({"name": "bob"})).await.ok(201);
    assert_eq!(of(&copy), all);
    assert_eq!(of(&api.post("/api/v1/keys/1/clone", json!({"name": "l"})).await.ok(201)), own);

    // What is absent stays, and null goes back to no restriction.
    let changed = api.patch(USER, json!({"allowed_clients": null, "tags": ["t"]})).await.ok(200);
    assert_eq!(of(&changed), rules(&["claude-*", "gpt-5"], &[], &["curl"]));
    let audit = api.get("/api/v1/audit?action=user.update").await.ok(200);
    let told = |when: &str| audit["items"][0][when]["restrictions"].clone();
    assert_eq!((told("before"), told("after")["allowed_clients"].clone()), (all.clone(), Value::Null));
    api.patch(USER, json!({"allowed_models": [], "blocked_clients": null})).await.ok(200);
    assert_eq!(
        of(&api.patch(KEY, json!({"allowed_models": null, "blocked_clients": []})).await.ok(200)),
        rules(&[], &[], &[])
    );
    assert_eq!(rules_of(&made["key"]), None, "nothing to look at on the way of a request");

    api.patch(KEY, own.clone()).await.ok(200);
    api.delete(USER).await.ok(204);
    api.post("/api/v1/users/1/restore", "").await.ok(200);
    assert_eq!(rules_of(&made["key"]).unwrap().key.allowed_models, ["gpt-5"], "with the key that came back");
}

const PROVIDER: &str = "/api/v1/providers/1";

fn provider(name: &str, more: Value) -> Value {
    let mut body =
        json!({"name": name, "kind": "claude", "base_url": "https://p.example", "credential": "secret"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn a_provider_keeps_whom_it_serves_and_when(house: TestHouse) {
    let api = Api::of(&house).await;
    let night = json!({"from": "22:00", "to": "06:30", "days": ["friday", "monday"]});
    let told = json!({"from": "22:00", "to": "06:30", "days": ["monday", "friday"]});
    let body = provider(
        "p",
        json!({"allowed_clients": ["codex-cli"], "blocked_clients": ["curl"], "schedule": night}),
    );
    let made = api.post("/api/v1/providers", body).await.ok(201);
    let shown =
        |shown: &Value| json!([shown["allowed_clients"], shown["blocked_clients"], shown["schedule"]]);
    assert_eq!(shown(&made), json!([["codex-cli"], ["curl"], told]));
    let copy = api.post("/api/v1/providers/1/clone", json!({"name": "q"})).await.ok(201);
    assert_eq!(shown(&copy), shown(&made));
    let in_force = || house.current.cards()[0].restrictions.clone();
    assert!(in_force().schedule.is_some() && !in_force().clients.admit_all());

    // What is absent stays, also inside of a schedule.
    let later = api.patch(PROVIDER, json!({"schedule": {"to": "24:00"}, "weight": 2})).await.ok(200);
    let told = json!({"from": "22:00", "to": "24:00", "days": ["monday", "friday"]});
    assert_eq!(shown(&later), json!([["codex-cli"], ["curl"], told]));
    let daily =
        api.patch(PROVIDER, json!({"schedule": {"days": null}, "allowed_clients": null})).await.ok(200);
    assert_eq!(shown(&daily), json!([[], ["curl"], {"from": "22:00", "to": "24:00", "days": []}]));
    api.delete(PROVIDER).await.ok(204);
    assert_eq!(shown(&api.post("/api/v1/providers/1/restore", "").await.ok(200)), shown(&daily));
    let open = api.patch(PROVIDER, json!({"schedule": null, "blocked_clients": []})).await.ok(200);
    assert_eq!(shown(&open), json!([[], [], null]));
    assert_eq!(in_force(), Default::default());
    let ends = api.patch(PROVIDER, json!({"schedule": {"from": null, "to": null}})).await.ok(200);
    assert_eq!(ends["schedule"], Value::Null);
}

#[actix::test]
async fn a_schedule_has_two_ends_that_differ() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    api.post("/api/v1/providers", provider("p", json!({}))).await.ok(201);
    for (schedule, expected) in [
        (json!({"from": "08:00"}), "schedule.to: required: must be given"),
        (json!({"to": "08:00"}), "schedule.from: required: must be given"),
        (
            json!({"from": "08:00", "to": "08:00"}),
            "schedule.to: out_of_range: must differ from its beginning",
        ),
        (
            json!({"from": "24:00", "to": "08:00"}),
            "schedule.from: malformed: must be a time of day from 00:00 to 23:59",
        ),
        (
            json!({"from": "8:00", "to": "08:00"}),
            "schedule.from: malformed: must be a time of day from 00:00 to 23:59",
        ),
        (
            json!({"from": "08:00", "to": "24:01"}),
            "schedule.to: malformed: must be a time of day from 00:00 to 24:00",
        ),
        (json!({"from": "08:00", "to": 9}), "schedule.to: wrong_type: must be text"),
        (
            json!({"from": "08:00", "to": "09:00", "days": ["mon"]}),
            "schedule.days[0]: not_one_of: must be one of monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        ),
        (json!({"from": "08:00", "to": "09:00", "zone": "UTC"}), "schedule.zone: unknown: is no member here"),
        (json!("08:00-09:00"), "schedule: wrong_type: must be an object"),
    ] {
        let told = api.patch(PROVIDER, json!({"schedule": schedule})).await.problem(422);
        assert_eq!(told, ["invalid", expected]);
    }
    let both = api.patch(PROVIDER, json!({"schedule": {"days": ["sunday"]}})).await.problem(422);
    assert_eq!(both.len(), 3, "{both:?}");
    api.patch(PROVIDER, json!({"schedule": {"from": "00:00", "to": "24:00"}})).await.ok(200);
    let same = api.patch(PROVIDER, json!({"schedule": {"from": "01:00", "to": "01:00"}})).await.problem(422);
    assert_eq!(same[1], "schedule.to: out_of_range: must differ from its beginning");
}

#[actix::test]
async fn a_simulation_names_providers_that_do_not_serve_the_program_or_are_closed() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let hour = |from_now: i64| (Utc::now() + TimeDelta::hours(from_now)).format("%H:00").to_string();
    let closed = json!({"schedule": {"from": hour(2), "to": hour(4)}});
    let open = json!({"schedule": {"from": hour(-2), "to": hour(4)}, "allowed_clients": ["codex-cli"]});
    api.patch("/api/v1/settings", json!({"time_zone": "UTC"})).await.ok(200);
    for (name, more) in
        [("closed", closed), ("codex", open), ("no-curl", json!({"blocked_clients": ["curl"]}))]
    {
        api.post("/api/v1/providers", provider(name, more)).await.ok(201);
    }
    api.post("/api/v1/users", json!({"name": "ann"})).await.ok(201);
    api.post("/api/v1/users/1/keys", json!({"name": "k"})).await.ok(201);
    let told = async |agent: Option<&str>| {
        let ask = json!({"format": "anthropic", "model": "m", "key_id": 1, "user_agent": agent});
        let told = api.post("/api/v1/route/simulate", ask).await.ok(200);
        let mut fates: Vec<_> = told["candidates"].as_array().unwrap().clone();
        fates.sort_by_key(|candidate| candidate["provider_id"].as_i64());
        let wait = fates[0]["retry_in_ms"].as_i64().expect("when it opens");
        assert!((3_600_000..=7_200_000).contains(&wait), "{wait}");
        let reason = |one: &Value| match one["fate"].as_str() {
            Some("skipped") => one["reason"].as_str().unwrap().to_owned(),
            _ => "fit".to_owned(),
        };
        fates.iter().map(reason).collect::<Vec<_>>()
    };
    assert_eq!(told(None).await, ["outside_schedule", "fit", "fit"]);
    assert_eq!(told(Some("codex_exec/1")).await, ["outside_schedule", "fit", "fit"]);
    assert_eq!(told(Some("other/1")).await, ["outside_schedule", "client_not_allowed", "fit"]);
    assert_eq!(told(Some("curl/8")).await, ["outside_schedule", "client_not_allowed", "client_not_allowed"]);
}

#[actix::test]
async fn c14_a_list_of_programs_is_short_and_each_pattern_too() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    api.post("/api/v1/users", json!({"name": "ann"})).await.ok(201);
    api.post("/api/v1/users/1/keys", json!({"name": "k"})).await.ok(201);
    for path in [USER, KEY] {
        let told = api
            .patch(
                path,
                json!({"allowed_clients": ["_", "", 7, "a\u{0}", "a".repeat(65)], "blocked_clients": "x"}),
            )
            .await
            .problem(422);
        let letters = "out_of_range: must be printable ASCII with a letter, a digit or `*` in it";
        assert_eq!(
            told,
            [
                "invalid".to_owned(),
                format!("allowed_clients[0]: {letters}"),
                "allowed_clients[1]: out_of_range: must have 1 to 64 characters".to_owned(),
                "allowed_clients[2]: wrong_type: must be text".to_owned(),
                format!("allowed_clients[3]: {letters}"),
                "allowed_clients[4]: out_of_range: must have 1 to 64 characters".to_owned(),
                "blocked_clients: wrong_type: must be a list".to_owned(),
            ]
        );
        let many = api.patch(path, json!({"blocked_clients": vec!["a"; 51], "allowed_models": ["*a"]})).await;
        assert_eq!(
            many.problem(422)[1..],
            [
                "allowed_models[0]: out_of_range: may hold `*` only at its end",
                "blocked_clients: out_of_range: must have at most 50 entries"
            ]
        );
        api.patch(path, json!({"blocked_clients": vec!["a"; 50]})).await.ok(200);
    }
}

#[actix::test]
async fn a_simulation_tells_whom_they_refuse() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let provider =
        json!({"name": "p", "kind": "claude", "base_url": "https://p.example", "credential": "secret"});
    api.post("/api/v1/providers", provider).await.ok(201);
    api.post("/api/v1/users", named("ann", rules(&["claude-*"], &[], &["curl"]))).await.ok(201);
    api.post("/api/v1/users/1/keys", named("k", rules(&["claude-a"], &["claude-code"], &[]))).await.ok(201);
    let told = async |model: &str, agent: Option<&str>| {
        let ask = json!({"format": "anthropic", "model": model, "key_id": 1, "user_agent": agent});
        let told = api.post("/api/v1/route/simulate", ask).await.ok(200);
        assert_eq!(told["chosen"].is_null(), !told["refused"].is_null(), "{told}");
        told["refused"].clone()
    };
    let code = Some("claude-cli/2.1 (external, cli)");
    assert_eq!(told("claude-a", code).await, Value::Null);
    assert_eq!(told("claude-a", None).await, Value::Null, "nothing is said of the client");
    assert_eq!(told("gpt-5", None).await, "your user may not ask for model `gpt-5`, only for `claude-*`");
    assert_eq!(
        told("claude-b", None).await,
        "this api key may not ask for model `claude-b`, only for `claude-a`"
    );
    assert_eq!(told("claude-a", Some("curl/8")).await, "your api keys are not open to this client");
    let elsewhere = "this api key is not open to this client, only to `claude-code`";
    assert_eq!(told("claude-a", Some("codex_exec/1")).await, elsewhere);
    assert_eq!(told("claude-a", Some("")).await, elsewhere);
}
