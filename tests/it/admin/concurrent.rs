//! Two at once: who changes something by a version does not undo another's work unseen, and what is sent again
//! is not done again.

use actix_web::{http::Method, test::TestRequest};
use pointsman::store::Role;
use serde_json::{Value, json};

use super::{Api, api::Reply};
use crate::admin::house::{TestHouse, on_both};

on_both! {
    i52_a_change_by_an_old_version_is_refused
    i52_of_two_changes_by_one_version_one_is_made
    i52_of_changes_at_two_replicas_none_is_lost
    i52_settings_are_changed_by_the_version_that_was_looked_at
    i52_of_settings_changed_at_two_replicas_none_is_lost
    what_is_sent_again_is_answered_again_and_done_once
    a_key_belongs_to_one_request_and_one_principal
    an_answer_is_kept_when_nobody_waits_for_it
}

/// One of each, with its path.
async fn three(api: &Api) -> [(String, Value); 3] {
    let user = json!({"name": "ann"});
    let provider =
        json!({"name": "one", "kind": "claude", "base_url": "https://one.example", "credential": "secret"});
    let user = api.post("/api/v1/users", user).await;
    let key = api.post("/api/v1/users/1/keys", json!({"name": "k"})).await;
    let provider = api.post("/api/v1/providers", provider).await;
    for made in [&user, &key, &provider] {
        assert_eq!(made.header("etag"), Some("\"1\""), "{made:?}");
        assert_eq!(made.ok(201)["version"], 1);
    }
    [
        ("/api/v1/users/1".to_owned(), json!({"name": "anna"})),
        ("/api/v1/keys/1".to_owned(), json!({"name": "desk"})),
        ("/api/v1/providers/1".to_owned(), json!({"name": "two"})),
    ]
}

async fn if_match(api: &Api, method: &Method, path: &str, tag: &str, body: &Value) -> Reply {
    api.send(Api::with_body(method.clone(), path, body).insert_header(("if-match", tag))).await
}

async fn i52_a_change_by_an_old_version_is_refused(house: TestHouse) {
    let api = Api::of(&house).await;
    for (path, change) in three(&api).await {
        let changed = if_match(&api, &Method::PATCH, &path, "\"1\"", &change).await;
        assert_eq!(
            (changed.header("etag"), &changed.ok(200)["version"]),
            (Some("\"2\""), &json!(2)),
            "{path}"
        );
        for old in ["\"1\"", "W/\"2\"", "\"3\"", "\"x\""] {
            for method in [Method::PATCH, Method::DELETE] {
                let refused = if_match(&api, &method, &path, old, &json!({"enabled": false})).await;
                assert_eq!(refused.problem(412), ["version_mismatch"], "{method} {path} {old}");
            }
        }
        if !path.contains("keys") {
            let shown = api.get(&path).await;
            assert_eq!(shown.header("etag"), Some("\"2\""), "{path}");
            assert_eq!(shown.ok(200)["enabled"], true, "{path}");
        }
        if_match(&api, &Method::PATCH, &path, "\"7\", \"2\"", &json!({"enabled": false})).await.ok(200);
        if_match(&api, &Method::PATCH, &path, "*", &json!({"enabled": true})).await.ok(200);
        let unsaid = api.patch(&path, json!({"enabled": true})).await;
        assert_eq!(unsaid.header("etag"), Some("\"5\""), "without it as ever");
    }
    for path in ["/api/v1/keys/1", "/api/v1/users/1", "/api/v1/providers/1"] {
        if_match(&api, &Method::DELETE, path, "\"5\"", &Value::Null).await.ok(204);
    }
    let lines = api.get("/api/v1/audit?action=user.update").await.ok(200);
    assert_eq!(lines["items"].as_array().unwrap().len(), 4, "what was refused left no line");
}

async fn i52_of_two_changes_by_one_version_one_is_made(house: TestHouse) {
    let api = Api::of(&house).await;
    for (path, _) in three(&api).await {
        let changes = (0..8).map(|at| json!({"name": format!("name {at}")})).collect::<Vec<_>>();
        let asked = changes.iter().map(|change| if_match(&api, &Method::PATCH, &path, "\"1\"", change));
        let replies = futures_util::future::join_all(asked).await;
        let made = replies.iter().filter(|reply| reply.status == 200).count();
        let refused = replies.iter().filter(|reply| reply.status == 412).count();
        assert_eq!((made, refused), (1, 7), "{path}");
    }
}

async fn i52_of_changes_at_two_replicas_none_is_lost(house: TestHouse) {
    let (here, there) = (Api::of(&house).await, Api::of(&house).await);
    three(&here).await;
    for (path, whole, one, other) in [
        ("/api/v1/users/1", "limits", "rpm", "sessions"),
        ("/api/v1/keys/1", "limits", "rpm", "sessions"),
        ("/api/v1/providers/1", "limits", "concurrency", "usd_daily"),
        ("/api/v1/providers/1", "breaker", "failure_threshold", "half_open_successes"),
        ("/api/v1/providers/1", "timeouts", "connect_ms", "idle_ms"),
    ] {
        for at in 1..=8 {
            let change = |member: &str| json!({whole: {member: at}});
            let asked = (here.patch(path, change(one)), there.patch(path, change(other)));
            let (first, second) = futures_util::future::join(asked.0, asked.1).await;
            for reply in [first, second] {
                reply.ok(200);
            }
            // A change of nothing shows a key too, which has no `GET`.
            let now = here.patch(path, json!({})).await.ok(200);
            for member in [one, other] {
                let has = now[whole][member].to_string();
                assert_eq!(has.trim_matches('"'), at.to_string(), "{path} {whole}.{member}");
            }
        }
    }
}

async fn i52_settings_are_changed_by_the_version_that_was_looked_at(house: TestHouse) {
    let api = Api::of(&house).await;
    for (path, change) in [
        ("/api/v1/settings", json!({"month_day": 5})),
        ("/api/v1/settings/billing", json!({"unpriced": "refuse"})),
    ] {
        let first = api.get(path).await;
        assert_eq!(first.header("etag"), Some("\"0\""), "nobody has set any of {path}");
        let changed = if_match(&api, &Method::PATCH, path, "\"0\"", &change).await;
        assert_eq!(changed.header("etag"), Some("\"1\""), "{path}");
        for old in ["\"0\"", "W/\"1\"", "\"2\"", "\"x\""] {
            let refused = if_match(&api, &Method::PATCH, path, old, &json!({})).await;
            assert_eq!(refused.problem(412), ["version_mismatch"], "{path} {old}");
        }
        let shown = api.get(path).await;
        assert_eq!((shown.header("etag"), shown.ok(200)), (Some("\"1\""), changed.ok(200)), "{path}");
        let asked = (0..8).map(|_| if_match(&api, &Method::PATCH, path, "\"1\"", &change));
        let replies = futures_util::future::join_all(asked).await;
        let made = replies.iter().filter(|reply| reply.status == 200).count();
        let refused = replies.iter().filter(|reply| reply.status == 412).count();
        assert_eq!((made, refused), (1, 7), "{path}");
        if_match(&api, &Method::PATCH, path, "*", &change).await.ok(200);
        let unsaid = api.patch(path, json!({})).await;
        assert_eq!(unsaid.header("etag"), Some("\"4\""), "without it as ever");
    }
    let lines = api.get("/api/v1/audit?action=setting.update").await.ok(200);
    assert_eq!(lines["items"].as_array().unwrap().len(), 8, "what was refused left no line");
}

async fn i52_of_settings_changed_at_two_replicas_none_is_lost(house: TestHouse) {
    let (here, there) = (Api::of(&house).await, Api::of(&house).await);
    let path = "/api/v1/settings";
    for at in 1..=16 {
        let days = here.patch(path, json!({"month_day": at}));
        let queues = there.patch(path, json!({"waiting": {"queue": at}}));
        let (days, queues) = futures_util::future::join(days, queues).await;
        let now = here.get(path).await.ok(200);
        for (reply, has) in [(days, &now["month_day"]), (queues, &now["waiting"]["queue"])] {
            reply.ok(200);
            assert_eq!(*has, at, "neither undid the other");
        }
    }
}

fn with_key(path: &str, key: &str, body: &Value) -> TestRequest {
    Api::with_body(Method::POST, path, body).insert_header(("idempotency-key", key.to_owned()))
}

async fn users(api: &Api) -> usize {
    api.get("/api/v1/users").await.ok(200)["items"].as_array().unwrap().len()
}

async fn what_is_sent_again_is_answered_again_and_done_once(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = json!({"name": "ann"});
    let first = api.send(with_key("/api/v1/users", "one", &ann)).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let made = first.ok(201);
    // A server that comes after this one remembers.
    let after = Api::of(&house).await;
    for api in [&api, &after] {
        let again = api.send(with_key("/api/v1/users", "one", &ann)).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!((again.header("etag"), again.ok(201)), (Some("\"1\""), made.clone()));
    }
    assert_eq!(users(&api).await, 1);

    // The key that the caller would otherwise never see again; at rest it is sealed.
    let key = json!({"name": "k"});
    let first = api.send(with_key("/api/v1/users/1/keys", "two", &key)).await.ok(201);
    let again = after.send(with_key("/api/v1/users/1/keys", "two", &key)).await.ok(201);
    assert_eq!(first["key"], again["key"]);
    assert!(house.current.keys().find(first["key"].as_str().unwrap()).is_some());
    // A refusal did nothing, and its key is free.
    let refused = api.send(with_key("/api/v1/users", "three", &json!({"name": ""}))).await;
    refused.problem(422);
    api.send(with_key("/api/v1/users", "three", &json!({"name": "bob"}))).await.ok(201);
    assert_eq!(users(&api).await, 2);
}

async fn a_key_belongs_to_one_request_and_one_principal(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = json!({"name": "ann"});
    api.send(with_key("/api/v1/users", "one", &ann)).await.ok(201);
    let other_body = api.send(with_key("/api/v1/users", "one", &json!({"name": "bob"}))).await;
    assert_eq!(other_body.problem(422), ["idempotency_key_reused"]);
    let other_path = api.send(with_key("/api/v1/providers", "one", &ann)).await;
    assert_eq!(other_path.problem(422), ["idempotency_key_reused"]);
    for bad in ["", &"x".repeat(201)] {
        let told = api.send(with_key("/api/v1/users", bad, &ann)).await.problem(422);
        assert!(told[1].starts_with("idempotency-key: malformed"), "{told:?}");
    }
    let key = house.console_key(Role::Admin, true).await;
    let other = TestRequest::post()
        .uri("/api/v1/users")
        .insert_header(("authorization", format!("Bearer {key}")))
        .insert_header(("content-type", "application/json"))
        .insert_header(("idempotency-key", "one"))
        .set_payload(json!({"name": "bob"}).to_string());
    api.send(other).await.ok(201);

    // Side by side, one is done and the others are told so.
    let cy = json!({"name": "cy"});
    let asked = (0..6).map(|_| api.send(with_key("/api/v1/users", "side by side", &cy)));
    let replies = futures_util::future::join_all(asked).await;
    let done: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(done.iter().all(|reply| reply.text == done[0].text), "one and the same");
    let told =
        replies.iter().filter(|reply| reply.status != 201).all(|reply| reply.problem(409) == ["in_progress"]);
    assert!(told && !done.is_empty(), "{replies:?}");
}

async fn an_answer_is_kept_when_nobody_waits_for_it(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = json!({"name": "ann"});
    let mut hung_up = api.begin(with_key("/api/v1/users", "one", &ann));
    // Until the note of it is being written, and no longer.
    let waited = tokio::time::timeout(std::time::Duration::from_millis(1), &mut hung_up).await;
    drop((waited, hung_up));
    let again = async || api.send(with_key("/api/v1/users", "one", &ann)).await;
    let mut reply = again().await;
    while reply.status == 409 {
        assert_eq!(reply.problem(409), ["in_progress"]);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        reply = again().await;
    }
    assert_eq!((reply.ok(201)["name"].clone(), users(&api).await), (json!("ann"), 1));
}
