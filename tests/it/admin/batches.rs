//! Many users, keys and providers changed at once: shown beforehand, done together or not at all, and undone.

use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_batch_is_shown_beforehand_done_together_and_undone
    one_that_cannot_be_changed_keeps_all_as_they_are
    a_batch_is_not_undone_over_what_was_done_since
    a_preview_that_is_no_longer_true_is_not_applied
    keys_and_providers_are_changed_in_batches_too
}

/// Three users with a key each, and the secrets of those.
async fn three(api: &Api) -> Vec<String> {
    let mut secrets = Vec::new();
    for (id, name) in [(1, "ann"), (2, "bob"), (3, "cy")] {
        let tags = json!([name]);
        let body = json!({"name": name, "groups": ["team"], "tags": tags, "limits": {"rpm": id, "usd_daily": "5"},
            "expires_at": format!("2130-01-0{id}T00:00:00Z"), "role": if id == 1 { "operator" } else { "user" }});
        api.post("/api/v1/users", body).await.ok(201);
        let made = api.post(&format!("/api/v1/users/{id}/keys"), json!({"name": "k"})).await.ok(201);
        secrets.push(made["key"].as_str().unwrap().to_owned());
    }
    secrets
}

/// What is listed, without versions and times of change.
async fn content(api: &Api, path: &str) -> Value {
    let mut items = api.get(path).await.ok(200)["items"].take();
    for item in items.as_array_mut().unwrap() {
        for own in ["version", "updated_at"] {
            item.as_object_mut().unwrap().remove(own);
        }
    }
    items
}

fn part(answer: &Value, part: &str) -> Vec<Value> {
    answer["items"].as_array().unwrap().iter().map(|item| item[part].clone()).collect()
}

async fn a_batch_is_shown_beforehand_done_together_and_undone(house: TestHouse) {
    let api = Api::of(&house).await;
    let secrets = three(&api).await;
    let accepted = || secrets.iter().filter(|key| house.current.keys().find(key).unwrap().enabled).count();
    let before = content(&api, "/api/v1/users").await;
    let lines = async |query: &str| api.get(&format!("/api/v1/audit?{query}")).await.ok(200)["items"].clone();
    let written = lines("").await;
    // Everything that can be changed of many.
    let change = json!({"enabled": false, "role": "auditor", "groups": ["other"], "tags": null,
        "allowed_models": ["m*"],
        "limits": {"usd_daily": "7.000000000001", "strict": true}, "expires_at": null});
    let asked = json!({"filter": {"group": "team", "q": "N"}, "change": {"enabled": false}, "preview": true});
    assert_eq!(
        part(&api.post("/api/v1/users/batch", asked).await.ok(200), "id"),
        [1],
        "whom the filter lets through"
    );
    let asked = json!({"filter": {"group": "team"}, "change": change, "preview": true});
    let shown = api.post("/api/v1/users/batch", &asked).await.ok(200);
    assert_eq!(
        (&shown["preview"], &shown["batch"], &shown["undo_until"]),
        (&json!(true), &json!(null), &json!(null))
    );
    assert_eq!(part(&shown, "version"), [1, 1, 1]);
    let second = &shown["items"][1];
    assert_eq!(
        (&second["name"], &second["before"], &second["after"]),
        (
            &json!("bob"),
            &json!({"enabled": true, "role": "user", "groups": ["team"], "tags": ["bob"], "allowed_models": [],
                "limits": {"usd_daily": "5", "strict": null}, "expires_at": "2130-01-02T00:00:00Z"}),
            &json!({"enabled": false, "role": "auditor", "groups": ["other"], "tags": [], "allowed_models": ["m*"],
                "limits": {"usd_daily": "7.000000000001", "strict": true}, "expires_at": null}),
        ),
        "what changes and nothing else"
    );
    assert_eq!(
        (content(&api, "/api/v1/users").await, lines("").await),
        (before.clone(), written),
        "nothing happened"
    );
    assert_eq!(accepted(), 3);

    let asked = json!({"filter": {"group": "team"}, "change": change, "state": shown["state"]});
    let done = api.post("/api/v1/users/batch", asked).await.ok(200);
    assert_eq!((part(&done, "after"), part(&done, "version")), (part(&shown, "after"), vec![json!(2); 3]));
    assert_eq!(accepted(), 0, "in force at once, for all");
    let batch = done["batch"].as_i64().unwrap();
    let told = lines(&format!("batch={batch}")).await;
    let told: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["action"].clone(), line["subject"].clone()))
        .collect();
    let expected = [3, 2, 1].map(|id| (json!("user.update"), json!(format!("user/{id}"))));
    assert_eq!(told, expected, "a line for each (C-26)");

    let undone = api.post(&format!("/api/v1/batches/{batch}/undo"), "").await.ok(200);
    assert_eq!((&undone["kind"], part(&undone, "version")), (&json!("user"), vec![json!(3); 3]));
    assert_eq!(content(&api, "/api/v1/users").await, before, "exactly as it was");
    assert_eq!(accepted(), 3);
    assert_eq!(lines(&format!("batch={batch}")).await.as_array().unwrap().len(), 6);
    let again = api.post(&format!("/api/v1/batches/{batch}/undo"), "").await;
    assert_eq!(again.problem(404), ["not_found"], "a batch is undone once");
}

async fn one_that_cannot_be_changed_keeps_all_as_they_are(house: TestHouse) {
    let api = Api::of(&house).await;
    three(&api).await;
    let before = content(&api, "/api/v1/users").await;
    let refused =
        async |path: &str, body: Value| api.post(&format!("/api/v1/{path}/batch"), body).await.problem(422);
    let off = json!({"enabled": false});
    assert_eq!(
        refused("users", json!({"ids": [1, 99, 2, 1], "change": off})).await,
        ["invalid", "ids[1]: not_found: there is no such user", "ids[3]: repeated: is given more than once",]
    );
    assert_eq!(
        refused("users", json!({"ids": [1], "filter": {}, "change": {"name": "x", "role": "root"}})).await,
        ["invalid", "change.role: not_one_of: must be one of user, auditor, operator, admin"]
    );
    assert_eq!(
        refused("users", json!({"ids": [1], "filter": {}, "change": {"name": "x"}})).await,
        [
            "invalid",
            "filter: unknown: cannot be given together with `ids`",
            "change.name: unknown: is changed of one alone",
        ]
    );
    assert_eq!(
        refused("users", json!({"preview": true})).await,
        ["invalid", "ids: required: must be given, or `filter`", "change: required: must be given"]
    );
    let many: Vec<_> = (0..501).collect();
    assert_eq!(
        refused("users", json!({"ids": many, "change": off})).await,
        ["invalid", "ids: out_of_range: must have at most 500 entries"]
    );
    assert_eq!(content(&api, "/api/v1/users").await, before);

    // Of the second the address would not do any more; the first stays as it is.
    for (name, url, private) in [("one", "https://one.example", false), ("two", "http://127.0.0.1:1", true)] {
        let body = json!({"name": name, "kind": "claude", "base_url": url, "allow_private_network": private,
            "credential": "credential-canary-0009"});
        api.post("/api/v1/providers", body).await.ok(201);
    }
    api.never_show("credential-canary-0009");
    let before = content(&api, "/api/v1/providers").await;
    for preview in [true, false] {
        let change = json!({"weight": 9, "allow_private_network": false});
        let told = refused("providers", json!({"filter": {}, "change": change, "preview": preview})).await;
        assert!(told[1].starts_with("base_url: malformed: "), "{told:?}");
    }
    assert_eq!(content(&api, "/api/v1/providers").await, before);
    let secret = json!({"ids": [1], "change": {"credential": "credential-canary-0010", "name": "x"}});
    assert_eq!(
        refused("providers", secret).await,
        [
            "invalid",
            "change.name: unknown: is changed of one alone",
            "change.credential: unknown: is changed of one alone",
        ]
    );
    let told = api.get("/api/v1/audit?action=user.update").await.ok(200);
    assert_eq!(told["items"], json!([]), "what did not happen is not told");
}

async fn a_batch_is_not_undone_over_what_was_done_since(house: TestHouse) {
    let api = Api::of(&house).await;
    three(&api).await;
    let change = json!({"ids": [1, 2, 3], "change": {"tags": ["new"]}});
    let batch = api.post("/api/v1/users/batch", change).await.ok(200)["batch"].clone();
    api.patch("/api/v1/users/2", json!({"limits": {"rpm": 9}})).await.ok(200);
    api.delete("/api/v1/users/3").await.ok(204);
    let before = content(&api, "/api/v1/users").await;
    let undo = format!("/api/v1/batches/{batch}/undo");
    let refused = api.post(&undo, "").await.problem(409);
    assert_eq!(
        refused,
        ["conflict", "user/2: changed: was changed since", "user/3: changed: was changed since"]
    );
    assert_eq!(content(&api, "/api/v1/users").await, before, "not even the first");
    assert_eq!(api.post("/api/v1/batches/99/undo", "").await.problem(404), ["not_found"]);
}

async fn a_preview_that_is_no_longer_true_is_not_applied(house: TestHouse) {
    let api = Api::of(&house).await;
    three(&api).await;
    let ask = json!({"filter": {"group": "team"}, "change": {"tags": ["new"]}});
    let with = |name: &str, value: &Value| {
        let mut body = ask.clone();
        body[name] = value.clone();
        body
    };
    let look = async || {
        api.post("/api/v1/users/batch", with("preview", &json!(true))).await.ok(200)["state"].clone()
    };
    let seen = look().await;
    assert_eq!(look().await, seen, "as long as nothing happens");
    // One more that the filter lets through, one that it does not any more, one that was changed.
    api.post("/api/v1/users", json!({"name": "dee", "groups": ["team"]})).await.ok(201);
    assert_eq!(
        api.post("/api/v1/users/batch", with("state", &seen)).await.problem(412),
        ["version_mismatch"]
    );
    api.delete("/api/v1/users/4").await.ok(204);
    assert_eq!(look().await, seen);
    api.patch("/api/v1/users/3", json!({"groups": []})).await.ok(200);
    assert_eq!(
        api.post("/api/v1/users/batch", with("state", &seen)).await.problem(412),
        ["version_mismatch"]
    );
    let seen = look().await;
    api.patch("/api/v1/users/1", json!({"limits": {"rpm": 5}})).await.ok(200);
    assert_eq!(
        api.post("/api/v1/users/batch", with("state", &seen)).await.problem(412),
        ["version_mismatch"]
    );
    let done = api.post("/api/v1/users/batch", with("state", &look().await)).await.ok(200);
    assert_eq!(part(&done, "id"), [1, 2]);
}

async fn keys_and_providers_are_changed_in_batches_too(house: TestHouse) {
    let api = Api::of(&house).await;
    let secrets = three(&api).await;
    for secret in &secrets {
        api.never_show(secret);
    }
    let keys = content(&api, "/api/v1/keys").await;
    let change = json!({"filter": {"user_id": 2}, "change": {"name": "ci", "web_login": true, "groups": ["g"],
        "expires_at": "2130-01-31T00:00:00Z", "limits": {"tpm": 5}}});
    let done = api.post("/api/v1/keys/batch", change).await.ok(200);
    assert_eq!(part(&done, "id"), [2]);
    assert_eq!(*house.current.keys().find(&secrets[1]).unwrap().groups, ["g"]);
    api.post(&format!("/api/v1/batches/{}/undo", done["batch"]), "").await.ok(200);
    assert_eq!(content(&api, "/api/v1/keys").await, keys);
    assert_eq!(*house.current.keys().find(&secrets[1]).unwrap().groups, ["team"]);

    api.never_show("credential-canary-0011");
    for name in ["one", "two"] {
        let body = json!({"name": name, "kind": "claude", "base_url": "https://one.example", "notes": name,
            "credential": "credential-canary-0011", "breaker": {"open_ms": 5}, "model_redirects": {"a": "b"}});
        api.post("/api/v1/providers", body).await.ok(201);
    }
    let providers = content(&api, "/api/v1/providers").await;
    let change = json!({"kind": "openai", "base_url": "https://two.example", "formats": ["openai_chat"], "weight": 5,
        "priority": -1, "cost_multiplier": "1.25", "groups": ["g"], "allowed_models": ["m*"], "model_redirects": null,
        "limits": {"concurrency": 3}, "breaker": {"open_ms": 7}, "timeouts": {"idle_ms": 9}, "enabled": false,
        "notes": "moved", "allow_private_network": true});
    let asked = json!({"ids": [2, 1], "change": change});
    let done = api.post("/api/v1/providers/batch", asked).await.ok(200);
    assert_eq!(part(&done, "name"), ["one", "two"], "as they were made");
    assert_eq!(done["items"][0]["before"]["breaker"], json!({"open_ms": 5}));
    let cards = || house.current.cards().iter().map(|card| (card.weight, card.enabled)).collect::<Vec<_>>();
    assert_eq!(cards(), [(5, false), (5, false)]);
    api.post(&format!("/api/v1/batches/{}/undo", done["batch"]), "").await.ok(200);
    assert_eq!(content(&api, "/api/v1/providers").await, providers, "every member that a batch can change");
    assert_eq!(cards(), [(1, true), (1, true)]);
    assert_eq!(house.current.cards()[1].credential.reveal(), "credential-canary-0011", "which stayed sealed");
}
