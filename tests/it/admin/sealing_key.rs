//! The sealing key, changed while everything goes on (C-10).

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    c10_the_sealing_key_is_changed_and_everything_goes_on
}

const NOTHING: Duration = Duration::from_secs(10);

async fn standing(api: &Api) -> Value {
    api.get("/api/v1/sealing-key").await.ok(200)
}

async fn provider(api: &Api, name: &str) {
    let body = json!({"name": name, "kind": "claude", "base_url": "https://one.example",
        "credential": "credential-canary-0001"});
    api.post("/api/v1/providers", body).await.ok(201);
}

/// Waits until nothing is sealed with another key.
async fn sealed_anew(api: &Api) -> Value {
    let waiting = async {
        loop {
            let standing = standing(api).await;
            if standing["sealed_with_another"]["total"] == 0 {
                return standing;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(NOTHING, waiting).await.unwrap()
}

async fn c10_the_sealing_key_is_changed_and_everything_goes_on(house: TestHouse) {
    let api = Api::of(&house).await;
    provider(&api, "one").await;
    provider(&api, "two").await;
    api.delete("/api/v1/providers/2").await.ok(204);
    api.post("/api/v1/users", json!({"name": "anna"})).await.ok(201);
    let key = api.post("/api/v1/users/1/keys", json!({"name": "k"})).await.ok(201)["key"].clone();
    let before = standing(&api).await;
    let none = json!({"total": 0, "digest_key": 0, "providers": 0, "deleted_providers": 0, "batches": 0,
        "idempotent_answers": 0});
    assert_eq!((&before["also"], &before["sealed_with_another"]), (&json!([]), &none));

    let changed = api.post("/api/v1/sealing-key/change", "").await.ok(200);
    assert!(changed["current"] != before["current"]);
    assert_eq!(changed["also"], json!([before["current"]]));
    let after = sealed_anew(&api).await;
    assert_eq!((&after["current"], &after["also"]), (&changed["current"], &changed["also"]));
    api.post("/api/v1/providers/2/restore", "").await.ok(200);
    provider(&api, "three").await;
    let credentials: Vec<_> = house.store.providers().await.unwrap();
    assert!(credentials.iter().all(|card| card.credential.reveal() == "credential-canary-0001"));
    house.current.refresh_keys().await.unwrap();
    assert!(house.current.keys().find(key.as_str().unwrap()).is_some(), "callers keep their keys");

    let again = api.post("/api/v1/sealing-key/change", "").await;
    assert_eq!(again.problem(409), ["old_sealing_key_there"]);
    assert_eq!(standing(&api).await["current"], changed["current"]);
    fs::remove_file(house.directory.path().join("sealing.key.old")).unwrap();
    let again = api.post("/api/v1/sealing-key/change", "").await.ok(200);
    assert_eq!(again["also"], json!([changed["current"]]));
    sealed_anew(&api).await;

    let told = api.get("/api/v1/audit?action=sealing_key.change").await.ok(200);
    let told = &told["items"].as_array().unwrap()[1];
    assert_eq!(told["before"], json!({"current": before["current"]}));
    assert_eq!(told["after"], json!({"current": changed["current"]}));
    assert_eq!((&told["subject"], &told["who"]), (&json!("sealing_key"), &json!("admin token")));
}
