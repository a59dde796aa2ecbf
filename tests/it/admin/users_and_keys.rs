//! Users and keys: a key works from the answer on that made it, and not a request longer than it should.

use chrono::{TimeZone as _, Utc};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_key_is_shown_once_and_counts_at_once
    i41_a_key_is_unknown_from_the_answer_on_that_removed_it
    changes_of_user_and_key_reach_the_directory
}

async fn user(api: &Api, name: &str) -> Value {
    api.post("/api/v1/users", json!({"name": name, "groups": ["team"], "tags": ["t"]})).await.ok(201)
}

async fn key(api: &Api, user: &Value, body: Value) -> Value {
    api.post(&format!("/api/v1/users/{}/keys", user["id"]), body).await.ok(201)
}

async fn a_key_is_shown_once_and_counts_at_once(house: TestHouse) {
    let api = Api::of(&house).await;
    let owner = user(&api, "ann").await;
    assert_eq!(owner["role"], "user");
    assert_eq!(owner["limits"]["rpm"], Value::Null);
    let made = key(&api, &owner, json!({"name": "laptop"})).await;
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("sk-") && secret.len() > 40);
    assert!(secret.starts_with(made["prefix"].as_str().unwrap()));
    assert!(secret.ends_with(made["last_four"].as_str().unwrap()));
    let caller = house.current.keys().find(secret).expect("the next request is recognised");
    assert_eq!(json!([caller.key, caller.user]), json!([made["id"], owner["id"]]));
    assert_eq!(*caller.groups, ["team"], "of its user, since it has none of its own");

    api.never_show(secret);
    let keys = format!("/api/v1/users/{}/keys", owner["id"]);
    let listed = api.get(&keys).await.ok(200);
    assert_eq!(listed["items"][0]["name"], "laptop");
    assert_eq!(listed["items"][0]["key"], Value::Null);
    let changed = api.patch(&format!("/api/v1/keys/{}", made["id"]), json!({"name": "desk"})).await.ok(200);
    assert_eq!((changed["name"].clone(), changed["key"].clone()), (json!("desk"), Value::Null));
    api.get(&format!("/api/v1/users/{}", owner["id"])).await.ok(200);
}

async fn i41_a_key_is_unknown_from_the_answer_on_that_removed_it(house: TestHouse) {
    let api = Api::of(&house).await;
    let owner = user(&api, "ann").await;
    let secrets: Vec<_> = {
        let (one, two) =
            (key(&api, &owner, json!({"name": "1"})).await, key(&api, &owner, json!({"name": "2"})).await);
        api.delete(&format!("/api/v1/keys/{}", one["id"])).await.ok(204);
        [one, two].iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
    };
    assert!(house.current.keys().find(&secrets[0]).is_none());
    assert!(house.current.keys().find(&secrets[1]).is_some());
    api.delete(&format!("/api/v1/users/{}", owner["id"])).await.ok(204);
    assert!(house.current.keys().find(&secrets[1]).is_none(), "went with its user");
    let keys = format!("/api/v1/users/{}/keys", owner["id"]);
    assert_eq!(api.get(&keys).await.problem(404), ["not_found"]);
    assert_eq!(api.post(&keys, json!({"name": "3"})).await.problem(404), ["not_found"]);
}

async fn changes_of_user_and_key_reach_the_directory(house: TestHouse) {
    let api = Api::of(&house).await;
    let owner = user(&api, "ann").await;
    let made =
        key(&api, &owner, json!({"name": "1", "groups": ["own"], "expires_at": "2099-01-01T01:00:00+01:00"}))
            .await;
    let secret = made["key"].as_str().unwrap();
    let (user_path, key_path) =
        (format!("/api/v1/users/{}", owner["id"]), format!("/api/v1/keys/{}", made["id"]));
    let found = || house.current.keys().find(secret).unwrap();
    assert_eq!(*found().groups, ["own"]);
    assert_eq!(found().expires_at, Some(Utc.with_ymd_and_hms(2099, 1, 1, 0, 0, 0).unwrap()));

    api.patch(&user_path, json!({"enabled": false, "expires_at": "2098-01-01T00:00:00Z"})).await.ok(200);
    assert!(!found().enabled);
    assert_eq!(found().expires_at, Some(Utc.with_ymd_and_hms(2098, 1, 1, 0, 0, 0).unwrap()));
    let changed = api.patch(&user_path, json!({"enabled": null, "expires_at": null})).await.ok(200);
    assert_eq!((changed["expires_at"].clone(), changed["tags"].clone()), (Value::Null, json!(["t"])));
    assert!(found().enabled);
    api.patch(&key_path, json!({"groups": [], "expires_at": null})).await.ok(200);
    assert_eq!(*found().groups, ["team"]);
    assert_eq!(found().expires_at, None);
    api.patch(&key_path, json!({"enabled": false})).await.ok(200);
    assert!(!found().enabled);
}

#[actix::test]
async fn a_user_is_checked_like_everything_else() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    user(&api, "ann").await;
    let taken = api.post("/api/v1/users", json!({"name": "ann"})).await.problem(409);
    assert_eq!(taken, ["conflict", "name: taken: is already taken"]);
    let told = api
        .post("/api/v1/users", json!({"role": "root", "groups": [""], "tags": "t", "expires_at": "tomorrow"}))
        .await
        .problem(422);
    assert_eq!(
        told,
        [
            "invalid",
            "role: not_one_of: must be one of user, auditor, operator, admin",
            "groups[0]: out_of_range: must have 1 to 64 characters",
            "tags: wrong_type: must be a list",
            "expires_at: malformed: must be a time such as 2030-01-31T12:00:00Z",
        ]
    );
}
