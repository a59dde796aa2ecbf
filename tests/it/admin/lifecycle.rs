//! What happens to users, keys and providers beyond being changed.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    they_are_turned_off_and_on_and_go_on_for_longer
    a_rotated_key_is_known_by_both_secrets_until_the_overlap_ends
    a_copy_is_like_its_original
    i41_what_is_deleted_is_gone_and_can_be_brought_back
    a_restored_provider_has_its_credential_and_its_prices
    what_is_purged_is_gone_for_good
}

const FAR: &str = "2099-01-01T00:00:00Z";

async fn user(api: &Api, name: &str) -> Value {
    let body = json!({"name": name, "groups": ["g"], "tags": ["t"], "limits": {"usd_daily": "5"}});
    api.post("/api/v1/users", body).await.ok(201)
}

async fn key(api: &Api, user: i64, name: &str) -> (i64, String) {
    let made = api.post(&format!("/api/v1/users/{user}/keys"), json!({"name": name})).await.ok(201);
    (made["id"].as_i64().unwrap(), made["key"].as_str().unwrap().to_owned())
}

async fn provider(api: &Api, name: &str) -> Value {
    let body = json!({"name": name, "kind": "claude", "base_url": "https://one.example", "weight": 7,
        "credential": "credential-canary-0001", "allowed_models": ["m*"], "limits": {"usd_total": "100"}});
    api.post("/api/v1/providers", body).await.ok(201)
}

async fn they_are_turned_off_and_on_and_go_on_for_longer(house: TestHouse) {
    let api = Api::of(&house).await;
    user(&api, "ann").await;
    let (_, secret) = key(&api, 1, "k").await;
    provider(&api, "one").await;
    let on = || house.current.keys().find(&secret).unwrap().enabled;
    for path in ["/api/v1/users/1", "/api/v1/keys/1"] {
        assert_eq!(api.post(&format!("{path}/disable"), "").await.ok(200)["enabled"], false, "{path}");
        assert!(!on(), "{path}");
        assert_eq!(api.post(&format!("{path}/enable"), "").await.ok(200)["enabled"], true, "{path}");
        assert!(on(), "{path}");
        let renewed = api.post(&format!("{path}/renew"), json!({"expires_at": FAR})).await.ok(200);
        assert_eq!((&renewed["expires_at"], &renewed["enabled"]), (&json!(FAR), &json!(true)), "{path}");
        api.post(&format!("{path}/disable"), "").await.ok(200);
        let both =
            api.post(&format!("{path}/renew"), json!({"expires_at": FAR, "enable": true})).await.ok(200);
        assert_eq!(both["enabled"], true, "{path}");
        let past = api.post(&format!("{path}/renew"), json!({"expires_at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!(
            past.problem(422),
            ["invalid", "expires_at: out_of_range: must be in the future"],
            "{path}"
        );
        let unsaid = api.post(&format!("{path}/renew"), json!({})).await.problem(422);
        assert_eq!(unsaid, ["invalid", "expires_at: required: must be given"], "{path}");
    }
    let cards = || house.current.cards().iter().map(|card| card.enabled).collect::<Vec<_>>();
    assert_eq!(api.post("/api/v1/providers/1/disable", "").await.ok(200)["enabled"], false);
    assert_eq!(cards(), [false]);
    api.post("/api/v1/providers/1/enable", "").await.ok(200);
    assert_eq!(cards(), [true]);
    for path in ["users", "keys", "providers"] {
        assert_eq!(api.post(&format!("/api/v1/{path}/9/disable"), "").await.problem(404), ["not_found"]);
    }
}

async fn a_rotated_key_is_known_by_both_secrets_until_the_overlap_ends(house: TestHouse) {
    let api = Api::of(&house).await;
    user(&api, "ann").await;
    let (_, first) = key(&api, 1, "k").await;
    let rotate = async |overlap_ms: u64| {
        let made = api.post("/api/v1/keys/1/rotate", json!({"overlap_ms": overlap_ms})).await.ok(200);
        (made["key"].as_str().unwrap().to_owned(), made)
    };
    let find = |secret: &str| house.current.keys().find(secret);
    let (second, made) = rotate(60_000).await;
    assert!(second.ends_with(made["last_four"].as_str().unwrap()) && second != first);
    assert_eq!(made["version"], 2);
    let (old, new) = (find(&first).unwrap(), find(&second).unwrap());
    assert_eq!((old.key, old.user), (new.key, new.user), "one key, with its quota and its history");
    assert!(std::sync::Arc::ptr_eq(&old.key_limits, &new.key_limits), "and one ledger");
    let end = old.expires_at.unwrap();
    assert!(end > Utc::now() && end <= Utc::now() + TimeDelta::seconds(60), "{end}");
    assert_eq!(json!(end), made["old_until"]);
    assert_eq!(new.expires_at, None);
    api.never_show(&first);
    api.never_show(&second);
    api.get("/api/v1/users/1/keys").await.ok(200);
    api.get("/api/v1/audit").await.ok(200);

    // Of three secrets the first is gone; and without an overlap the old one goes at once.
    let (third, _) = rotate_quietly(&api, 60_000).await;
    assert!(find(&first).is_none() && find(&second).is_some() && find(&third).is_some());
    let (fourth, _) = rotate_quietly(&api, 0).await;
    assert!(find(&second).is_none() && find(&third).is_none() && find(&fourth).is_some());
    let too_long = api.post("/api/v1/keys/1/rotate", json!({"overlap_ms": 2_592_000_001_u64})).await;
    assert!(too_long.problem(422)[1].starts_with("overlap_ms: out_of_range"));
    // What is put away goes with both.
    let (fifth, _) = rotate_quietly(&api, 60_000).await;
    api.delete("/api/v1/keys/1").await.ok(204);
    assert!(find(&fourth).is_none() && find(&fifth).is_none());
    api.post("/api/v1/keys/1/restore", "").await.ok(200);
    assert!(find(&fourth).is_some() && find(&fifth).is_some());
}

async fn rotate_quietly(api: &Api, overlap_ms: u64) -> (String, Value) {
    let made = api.post("/api/v1/keys/1/rotate", json!({"overlap_ms": overlap_ms})).await.ok(200);
    (made["key"].as_str().unwrap().to_owned(), made)
}

/// What a row says, without what makes it this one.
fn content(row: &Value) -> Value {
    let mut row = row.clone();
    for own in ["id", "name", "key", "prefix", "last_four", "created_at", "updated_at", "version"] {
        row.as_object_mut().unwrap().remove(own);
    }
    row
}

async fn a_copy_is_like_its_original(house: TestHouse) {
    let api = Api::of(&house).await;
    let ann = user(&api, "ann").await;
    let bob = api.post("/api/v1/users/1/clone", json!({"name": "bob"})).await.ok(201);
    assert_eq!((content(&bob), &bob["id"]), (content(&ann), &json!(2)));
    assert_eq!(api.get("/api/v1/users/2/keys").await.ok(200)["items"], json!([]), "keys are not copied");

    let made = json!({"name": "k", "limits": {"rpm": 3}, "expires_at": FAR});
    let original = api.post("/api/v1/users/1/keys", made).await.ok(201);
    let copy = api.post("/api/v1/keys/1/clone", json!({"name": "l", "enabled": false})).await.ok(201);
    assert_eq!((&copy["enabled"], &copy["limits"]["rpm"]), (&json!(false), &json!(3)));
    assert_ne!(original["key"], copy["key"], "a secret of its own");
    assert!(house.current.keys().find(copy["key"].as_str().unwrap()).is_some());

    let one = provider(&api, "one").await;
    let two = api.post("/api/v1/providers/1/clone", json!({"name": "two", "enabled": false})).await.ok(201);
    let mut expected = content(&one);
    expected["enabled"] = json!(false);
    assert_eq!(content(&two), expected);
    // Sealed under its own row: the credential opens there.
    let cards = house.store.providers().await.unwrap();
    assert_eq!(cards[0].credential.reveal(), cards[1].credential.reveal());
    for path in ["users/1", "providers/1"] {
        let taken = api.post(&format!("/api/v1/{path}/clone"), json!({"name": one["name"]})).await;
        assert!(taken.status == 409 || path == "users/1", "{}", taken.text);
    }
    let unnamed = api.post("/api/v1/users/1/clone", json!({})).await.problem(422);
    assert_eq!(unnamed, ["invalid", "name: required: must be given"]);
}

async fn i41_what_is_deleted_is_gone_and_can_be_brought_back(house: TestHouse) {
    let api = Api::of(&house).await;
    user(&api, "ann").await;
    let (first, secret) = key(&api, 1, "k").await;
    let (_, gone_before) = key(&api, 1, "before").await;
    api.delete("/api/v1/keys/2").await.ok(204);
    api.delete("/api/v1/users/1").await.ok(204);
    let known = |secret: &str| house.current.keys().find(secret).is_some();
    assert!(!known(&secret) && !known(&gone_before));
    // Also by whoever reads the database anew.
    assert!(house.store.directory().await.unwrap().is_empty());
    for path in ["/api/v1/users/1", "/api/v1/users/1/keys"] {
        assert_eq!(api.get(path).await.problem(404), ["not_found"]);
    }
    assert_eq!(api.get("/api/v1/users").await.ok(200)["items"], json!([]));
    let trash = api.get("/api/v1/trash").await.ok(200);
    let told: Vec<_> = trash["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["kind"], row["id"], row["name"], row["who"]]))
        .collect();
    assert_eq!(told, [json!(["user", 1, "ann", "admin token"]), json!(["key", 2, "before", "admin token"])]);
    assert_eq!(api.get("/api/v1/trash?kind=key").await.ok(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        api.get("/api/v1/trash?kind=x").await.problem(422)[1],
        "kind: not_one_of: must be one of user, key, provider"
    );

    // The name is free: somebody else may have it, and then the first does not come back.
    let other = user(&api, "ann").await;
    assert_eq!(other["id"], 2, "another number");
    let taken = api.post("/api/v1/users/1/restore", "").await.problem(409);
    assert_eq!(taken, ["conflict", "name: taken: is already taken"]);
    assert_eq!(api.post("/api/v1/keys/2/restore", "").await.problem(404), ["not_found"], "its user is away");
    api.patch("/api/v1/users/2", json!({"name": "anna"})).await.ok(200);
    let back = api.post("/api/v1/users/1/restore", "").await.ok(200);
    assert_eq!(
        (&back["id"], &back["name"], &back["limits"]["usd_daily"]),
        (&json!(1), &json!("ann"), &json!("5"))
    );
    assert_eq!(back["version"], 2);
    assert!(known(&secret) && !known(&gone_before), "the keys that went with it");
    assert_eq!(house.current.keys().find(&secret).unwrap().key.0, first);
    api.post("/api/v1/keys/2/restore", "").await.ok(200);
    assert!(known(&gone_before));
    assert_eq!(api.get("/api/v1/trash").await.ok(200)["items"], json!([]));
    assert_eq!(api.post("/api/v1/users/1/restore", "").await.problem(404), ["not_found"], "is there already");
}

async fn a_restored_provider_has_its_credential_and_its_prices(house: TestHouse) {
    let api = Api::of(&house).await;
    provider(&api, "one").await;
    api.never_show("credential-canary-0001");
    let price = json!({"input_usd_per_mtok": "3.000000000001", "output_usd_per_mtok": "15"});
    api.put("/api/v1/providers/1/prices/m", price).await.ok(200);
    let before = api.get("/api/v1/providers/1/prices").await.ok(200);
    api.delete("/api/v1/providers/1").await.ok(204);
    assert!(house.current.cards().is_empty() && house.store.providers().await.unwrap().is_empty());
    api.get("/api/v1/trash").await.ok(200);
    api.get("/api/v1/audit").await.ok(200);
    let back = api.post("/api/v1/providers/1/restore", "").await.ok(200);
    assert_eq!((&back["weight"], &back["version"]), (&json!(7), &json!(2)));
    assert_eq!(house.current.cards()[0].credential.reveal(), "credential-canary-0001");
    assert_eq!(api.get("/api/v1/providers/1/prices").await.ok(200), before);
}

async fn what_is_purged_is_gone_for_good(house: TestHouse) {
    let api = Api::of(&house).await;
    user(&api, "ann").await;
    assert_eq!(api.delete("/api/v1/trash/user/1").await.problem(404), ["not_found"], "is not deleted");
    api.delete("/api/v1/users/1").await.ok(204);
    assert_eq!(api.delete("/api/v1/trash/key/1").await.problem(404), ["not_found"]);
    assert_eq!(api.delete("/api/v1/trash/users/1").await.problem(404), ["not_found"]);
    api.delete("/api/v1/trash/user/1").await.ok(204);
    assert_eq!(api.post("/api/v1/users/1/restore", "").await.problem(404), ["not_found"]);
    let line = api.get("/api/v1/audit?limit=1").await.ok(200)["items"][0].clone();
    assert_eq!((&line["action"], &line["subject"]), (&json!("user.purge"), &json!("user/1")));
    assert_eq!(user(&api, "ann").await["id"], 2, "its number is given to nobody else");
}
