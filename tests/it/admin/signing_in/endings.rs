//! What ends a session (C-19).

use std::time::Duration;

use actix_web::http::Method;
use pointsman::store::Role;
use serde_json::json;

use super::{Api, Browser};
use crate::admin::house::{ADMIN_TOKEN, TestHouse, on_both};

on_both! {
    c19_a_session_is_over_after_a_change_of_what_it_rests_on
    c19_a_session_that_ended_on_one_replica_is_over_on_another
}

async fn c19_a_session_is_over_after_a_change_of_what_it_rests_on(house: TestHouse) {
    let api = Api::of(&house).await;
    for (what, change, back) in [
        ("users", json!({"enabled": false}), json!({"enabled": true})),
        ("users", json!({"role": "operator"}), json!({"role": "auditor"})),
        ("users", json!({"expires_at": "2020-01-01T00:00:00Z"}), json!({"expires_at": null})),
        ("keys", json!({"enabled": false}), json!({"enabled": true})),
        ("keys", json!({"web_login": false}), json!({"web_login": true})),
        ("keys", json!({"expires_at": "2020-01-01T00:00:00Z"}), json!({"expires_at": null})),
    ] {
        let key = house.console_key(Role::Auditor, true).await;
        let mut browser = Browser::new(&api);
        let signed_in = browser.login(json!({"token": key})).await.ok(200);
        browser.get("/api/v1/users").await.ok(200);
        let id = if what == "keys" { &signed_in["key_id"] } else { &signed_in["user_id"] };
        let path = format!("/api/v1/{what}/{id}");
        api.patch(&path, json!({"name": format!("still {id}")})).await.ok(200);
        browser.get("/api/v1/users").await.ok(200);
        api.patch(&path, &change).await.ok(200);
        if change.get("expires_at").is_some() {
            // Time passes by itself, so nobody is there to end it before it is used.
            assert_eq!(browser.get("/api/v1/users").await.problem(401), ["unauthorized"], "{what} {change}");
        }
        api.patch(&path, &back).await.ok(200);
        assert_eq!(browser.get("/api/v1/users").await.problem(401), ["unauthorized"], "{what} {change}");
    }
}

async fn c19_a_session_that_ended_on_one_replica_is_over_on_another(house: TestHouse) {
    let (here, there) = (Api::of(&house).await, Api::of(&house).await);
    let mut browser = Browser::new(&here);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let elsewhere = Browser { cookie: browser.cookie.clone(), ..Browser::new(&there) };
    elsewhere.get("/api/v1/users").await.ok(200);
    browser.change(Method::POST, "/api/v1/auth/logout", json!(null)).await.ok(204);
    assert_eq!(elsewhere.get("/api/v1/users").await.problem(401), ["unauthorized"]);
}

#[actix::test]
async fn c19_a_session_is_over_with_its_key_its_user_and_the_admin_token() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for what in ["users", "keys"] {
        let key = house.console_key(Role::Auditor, true).await;
        let mut browser = Browser::new(&api);
        let signed_in = browser.login(json!({"token": key})).await.ok(200);
        let id = if what == "keys" { &signed_in["key_id"] } else { &signed_in["user_id"] };
        api.delete(&format!("/api/v1/{what}/{id}")).await.ok(204);
        assert_eq!(browser.get("/api/v1/users").await.problem(401), ["unauthorized"], "{what}");
    }
    let mut browser = Browser::new(&api);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let later = Api::with(&house, house.admin_with_token("pm-another-Wz7Rk2QpLm4X")).await;
    let browser = Browser { cookie: browser.cookie.clone(), ..Browser::new(&later) };
    assert_eq!(browser.get("/api/v1/users").await.problem(401), ["unauthorized"]);
}

#[actix::test]
async fn c19_a_session_ends_unused_and_at_last() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let (mut idle, mut busy) = (Browser::new(&api), Browser::new(&api));
    idle.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    busy.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let pass = async |time: Duration| {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    };
    for _ in 0..3 {
        pass(23 * HOUR).await;
        busy.get("/api/v1/users").await.ok(200);
    }
    assert_eq!(idle.get("/api/v1/users").await.problem(401), ["unauthorized"], "unused for a day");
    for _ in 3..7 {
        pass(23 * HOUR).await;
        busy.get("/api/v1/users").await.ok(200);
    }
    pass(7 * HOUR).await;
    assert_eq!(busy.get("/api/v1/users").await.problem(401), ["unauthorized"], "a week old");
    let sessions = api.get("/api/v1/auth/sessions").await.ok(200);
    assert_eq!(sessions["items"], json!([]));
}

#[actix::test]
async fn c19_no_one_piles_sessions_up() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut first = Browser::new(&api);
    first.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    for _ in 0..99 {
        Browser::new(&api).login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    }
    first.get("/api/v1/users").await.ok(200);
    Browser::new(&api).login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    assert_eq!(first.get("/api/v1/users").await.problem(401), ["unauthorized"], "one more ends the oldest");
}
