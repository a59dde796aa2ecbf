//! Signing in by name and password (C-19, C-20).

use std::time::{Duration, Instant};

use actix_web::http::Method;
use pointsman::store::Role;
use serde_json::{Value, json};

use super::{Api, Browser};
use crate::admin::house::{ADMIN_TOKEN, TestHouse, on_both};

on_both! {
    c19_another_password_ends_all_sessions_but_the_one_that_sets_it
    a_user_with_a_password_signs_in_by_name
}

const PASSWORD: &str = "correct horse battery";

/// A user of that name with a password.
async fn user(api: &Api, name: &str, role: Role) -> i64 {
    let made = api.post("/api/v1/users", json!({"name": name, "role": role.name()})).await.ok(201);
    let id = made["id"].as_i64().unwrap();
    api.put(&format!("/api/v1/users/{id}/password"), json!({"password": PASSWORD})).await.ok(204);
    id
}

fn login(name: &str, password: &str) -> Value {
    json!({"name": name, "password": password})
}

async fn a_user_with_a_password_signs_in_by_name(house: TestHouse) {
    let api = Api::of(&house).await;
    for secret in [PASSWORD, "$argon2"] {
        api.never_show(secret);
    }
    let id = user(&api, "anna", Role::Operator).await;
    let mut browser = Browser::new(&api);
    let signed_in = browser.login(login("anna", PASSWORD)).await.ok(200);
    assert_eq!((&signed_in["role"], &signed_in["user_id"]), (&json!("operator"), &json!(id)));
    let me = browser.get("/api/v1/me").await.ok(200);
    assert_eq!(
        (&me["name"], &me["signed_in_by"], &me["has_password"]),
        (&json!("anna"), &json!("password"), &json!(true))
    );
    browser.get("/api/v1/users").await.ok(200);
    for (name, password) in [
        ("anna", "correct horse batterY"),
        ("anna", ""),
        ("Anna", PASSWORD),
        ("anna ", PASSWORD),
        ("an%", PASSWORD),
        ("anna' OR '1'='1", PASSWORD),
    ] {
        // Each from another place: this is not about haste.
        let refused = Browser::at(&api, name.len() as u8).login(login(name, password)).await;
        assert_eq!(refused.problem(401), ["sign_in_failed"], "{name} {password}");
    }
    for change in [json!({"enabled": false}), json!({"enabled": true, "expires_at": "2020-01-01T00:00:00Z"})]
    {
        api.patch(&format!("/api/v1/users/{id}"), &change).await.ok(200);
        let refused = Browser::at(&api, 99).login(login("anna", PASSWORD)).await;
        assert_eq!(refused.problem(401), ["sign_in_failed"], "{change}");
    }
    api.patch(&format!("/api/v1/users/{id}"), json!({"expires_at": null})).await.ok(200);
    Browser::at(&api, 98).login(login("anna", PASSWORD)).await.ok(200);
    api.delete(&format!("/api/v1/users/{id}/password")).await.ok(204);
    let refused = Browser::at(&api, 98).login(login("anna", PASSWORD)).await;
    assert_eq!(refused.problem(401), ["sign_in_failed"]);
    assert_eq!(api.delete(&format!("/api/v1/users/{id}/password")).await.problem(404), ["not_found"]);
}

async fn c19_another_password_ends_all_sessions_but_the_one_that_sets_it(house: TestHouse) {
    let api = Api::of(&house).await;
    let id = user(&api, "anna", Role::User).await;
    let key = json!({"name": "k", "web_login": true});
    let key = api.post(&format!("/api/v1/users/{id}/keys"), key).await.ok(201)["key"].clone();
    let (mut here, mut there, mut by_key) = (Browser::new(&api), Browser::new(&api), Browser::new(&api));
    here.login(login("anna", PASSWORD)).await.ok(200);
    there.login(login("anna", PASSWORD)).await.ok(200);
    by_key.login(json!({"token": key})).await.ok(200);
    let new = "another horse battery";
    let wrong = json!({"old_password": "what was it again", "password": new});
    let told = here.change(Method::PUT, "/api/v1/me/password", wrong).await.problem(422);
    assert_eq!(told, ["invalid", "old_password: wrong: is not the one that counts"]);
    there.get("/api/v1/me").await.ok(200);
    let right = json!({"old_password": PASSWORD, "password": new});
    here.change(Method::PUT, "/api/v1/me/password", right).await.ok(204);
    here.get("/api/v1/me").await.ok(200);
    for ended in [&there, &by_key] {
        assert_eq!(ended.get("/api/v1/me").await.problem(401), ["unauthorized"]);
    }
    assert_eq!(there.login(login("anna", PASSWORD)).await.problem(401), ["sign_in_failed"]);
    there.login(login("anna", new)).await.ok(200);
    // An admin sets another: then all are over.
    api.put(&format!("/api/v1/users/{id}/password"), json!({"password": PASSWORD})).await.ok(204);
    for ended in [&here, &there] {
        assert_eq!(ended.get("/api/v1/me").await.problem(401), ["unauthorized"]);
    }
    assert_eq!(
        api.put("/api/v1/users/4711/password", json!({"password": PASSWORD})).await.problem(404),
        ["not_found"]
    );
}

#[actix::test]
async fn a_password_is_long_and_otherwise_what_one_likes() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let id = user(&api, "anna", Role::User).await;
    let path = format!("/api/v1/users/{id}/password");
    for (password, why) in [
        ("elevenchars".to_owned(), "must have at least 12 characters"),
        ("äöüäöüäöüäö".to_owned(), "must have at least 12 characters"),
        ("x".repeat(1_025), "must have at most 1024 bytes"),
    ] {
        let told = api.put(&path, json!({"password": password})).await.problem(422);
        assert_eq!(told, ["invalid", &format!("password: out_of_range: {why}")]);
    }
    for password in ["aaaaaaaaaaaa", "  spaces count  ", "密码密码密码密码密码密码"] {
        api.put(&path, json!({"password": password})).await.ok(204);
        Browser::new(&api).login(login("anna", password)).await.ok(200);
    }
    let key = house.console_key(Role::User, true).await;
    let mut browser = Browser::new(&api);
    browser.login(json!({"token": key})).await.ok(200);
    let first = json!({"old_password": "", "password": PASSWORD});
    let refused = browser.change(Method::PUT, "/api/v1/me/password", first).await;
    assert_eq!(refused.problem(404), ["not_found"], "the first one is an admin's to set");
}

#[actix::test]
async fn c20_who_does_not_exist_is_told_the_same_after_the_same_work() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    user(&api, "anna", Role::User).await;
    api.post("/api/v1/users", json!({"name": "bert"})).await.ok(201);
    let (mut told, mut took) = (Vec::new(), [Duration::MAX; 3]);
    for round in 0..8u8 {
        for (at, name) in ["anna", "bert", "nobody"].into_iter().enumerate() {
            let begun = Instant::now();
            let reply =
                Browser::at(&api, round * 3 + at as u8).login(login(name, "wrong horse battery")).await;
            took[at] = took[at].min(begun.elapsed());
            told.push((
                reply.status,
                reply.text,
                reply.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
            ));
        }
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    // The least of several is the work itself, whatever else the machine does.
    let (least, most) = (took.iter().min().unwrap(), took.iter().max().unwrap());
    assert!(*least > Duration::from_millis(3) && *most < *least * 3, "{took:?}");
}

#[actix::test]
async fn c20_ten_thousand_tries_come_to_a_few_and_lock_no_one_out() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    user(&api, "anna", Role::Admin).await;
    Browser::at(&api, 200).login(login("anna", PASSWORD)).await.ok(200);
    let (mut failed, mut waits) = (0, 0);
    let attacker = Browser::at(&api, 1);
    for n in 0..10_000u32 {
        // Whatever is written into the header: the peer is no proxy of ours.
        let forged = format!("10.1.{}.{}", n >> 8 & 255, n & 255);
        let reply = attacker.clone().login_through(login("anna", "wrong horse battery"), &forged).await;
        match reply.status {
            401 => failed += 1,
            429 => {
                assert_eq!(reply.problem(429), ["too_many_attempts"]);
                assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
                waits += 1;
            }
            other => panic!("{other}: {}", reply.text),
        }
    }
    assert!(failed <= 12 && failed + waits == 10_000, "{failed} were let in");
    // Also with the right password the attacker waits; and so does who comes from somewhere new.
    assert_eq!(Browser::at(&api, 1).login(login("anna", PASSWORD)).await.status, 429);
    for from in 2..40 {
        Browser::at(&api, from).login(login("anna", "wrong horse battery")).await;
    }
    assert_eq!(Browser::at(&api, 41).login(login("anna", PASSWORD)).await.status, 429);
    // Who signed in there before does not, and neither does whoever has the admin token, wherever.
    Browser::at(&api, 200).login(login("anna", PASSWORD)).await.ok(200);
    Browser::at(&api, 1).login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    assert_eq!(Browser::at(&api, 1).login(json!({"token": "wrong"})).await.status, 429);
}

#[actix::test]
async fn c20_a_thousand_at_once_are_a_few() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    user(&api, "anna", Role::Admin).await;
    let tries = (0..1_000)
        .map(|_| async { Browser::at(&api, 1).login(login("anna", "wrong horse battery")).await.status });
    let told = futures_util::future::join_all(tries).await;
    let let_in = told.iter().filter(|status| **status == 401).count();
    assert_eq!(let_in + told.iter().filter(|status| **status == 429).count(), 1_000);
    // Five, and one more for each wait that passes meanwhile.
    assert!((5..=12).contains(&let_in), "{let_in}");
}
