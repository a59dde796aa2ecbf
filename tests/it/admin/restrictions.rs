//! What users and keys may ask for, and with which programs.

use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    restrictions_are_kept_shown_changed_and_copied
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
