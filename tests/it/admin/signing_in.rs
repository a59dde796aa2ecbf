//! Signing in to the control plane (C-19): what a session opens, and what ends it.

mod browser;
mod cross_site;
mod endings;
mod ldap;
mod oidc;
mod passwords;
mod walk;

use actix_web::{http::Method, test::TestRequest};
use pointsman::store::Role;
use serde_json::json;

use self::browser::Browser;
use super::Api;
use crate::admin::house::{ADMIN_TOKEN, TestHouse};

#[actix::test]
async fn c19_an_admin_signs_in_looks_changes_and_signs_out() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    let signed_in = browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    assert_eq!(signed_in["name"], "admin token");
    assert_eq!((&signed_in["role"], &signed_in["read_only"]), (&json!("admin"), &json!(false)));
    assert_eq!((&signed_in["user_id"], &signed_in["signed_in_by"]), (&json!(null), &json!("admin_token")));

    let me = browser.get("/api/v1/me").await.ok(200);
    assert_eq!(me["signed_in_by"], "admin_token");
    assert_eq!(me["session"]["id"], signed_in["session_id"]);
    assert_eq!(me["session"]["csrf_token"], signed_in["csrf_token"]);
    assert_eq!(me["session"]["expires_at"], signed_in["expires_at"]);
    browser.change(Method::POST, "/api/v1/users", json!({"name": "anna"})).await.ok(201);

    browser.change(Method::POST, "/api/v1/auth/logout", json!(null)).await.ok(204);
    assert_eq!(browser.cookie, None, "the browser was told to forget it");
    assert_eq!(browser.get("/api/v1/users").await.problem(401), ["unauthorized"]);
}

#[actix::test]
async fn c19_a_token_is_new_at_each_sign_in_and_the_one_that_came_along_is_over() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    // Fixation: a token that somebody else chose is never taken over.
    browser.cookie = Some("sid_chosen-by-somebody-else".to_owned());
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let first = browser.clone();
    assert_ne!(first.cookie.as_deref(), Some("sid_chosen-by-somebody-else"));
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    assert_ne!(browser.cookie, first.cookie);
    assert_eq!(first.get("/api/v1/users").await.problem(401), ["unauthorized"], "left behind");
    browser.get("/api/v1/users").await.ok(200);
    // A wrong sign-in takes nothing from whoever is signed in.
    assert_eq!(browser.login(json!({"token": "wrong"})).await.problem(401), ["sign_in_failed"]);
    browser.get("/api/v1/users").await.ok(200);
}

#[actix::test]
async fn c19_a_cookie_out_of_a_database_or_a_list_opens_nothing() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    let signed_in = browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let token = browser.cookie.clone().unwrap();
    api.never_show(&token);
    for path in ["/api/v1/auth/sessions", "/api/v1/audit", "/api/v1/me"] {
        browser.get(path).await.ok(200);
    }
    for cookie in [signed_in["csrf_token"].as_str().unwrap(), &token[1..], "", ADMIN_TOKEN, "sid_"] {
        let reply = Browser { cookie: Some(cookie.to_owned()), ..browser.clone() }.get("/api/v1/users").await;
        assert_eq!(reply.problem(401), ["unauthorized"], "{cookie}");
        let forget = "__Host-pointsman=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(reply.header("set-cookie"), Some(forget));
    }
    let twice = TestRequest::get()
        .uri("/api/v1/users")
        .insert_header(("cookie", format!("__Host-pointsman=sid_x; __Host-pointsman={token}")));
    assert_eq!(api.send(twice).await.problem(401), ["unauthorized"], "which of them is ours?");
    let no_credential = TestRequest::get().uri("/api/v1/users").insert_header(("authorization", token));
    assert_eq!(api.send(no_credential).await.problem(401), ["unauthorized"]);
}

#[actix::test]
async fn c19_a_credential_in_a_header_goes_before_the_cookie_also_when_it_is_wrong() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let user = house.console_key(Role::User, true).await;
    let mut browser = Browser::new(&api);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let with =
        |header: (&'static str, String)| browser.request(Method::GET, "/api/v1/users").insert_header(header);
    let theirs = api.send(with(("authorization", format!("Bearer {user}")))).await;
    assert_eq!(theirs.problem(403), ["forbidden"], "as the key's user, who may not");
    for header in [("authorization", "Bearer wrong"), ("authorization", "what"), ("x-api-key", "wrong")] {
        let reply = api.send(with((header.0, header.1.to_owned()))).await;
        assert_eq!(reply.problem(401), ["unauthorized"], "{header:?}");
        assert_eq!(reply.header("set-cookie"), None, "the cookie is as good as before");
    }
    let out = Api::with_body(Method::POST, "/api/v1/auth/logout", "");
    let cookie = ("cookie", format!("__Host-pointsman={}", browser.cookie.clone().unwrap()));
    assert_eq!(api.send(out.insert_header(cookie)).await.problem(409), ["no_session"]);
    browser.get("/api/v1/users").await.ok(200);
}

#[actix::test]
async fn c19_a_key_without_console_rights_signs_in_to_look_at_its_own_usage_alone() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let key = house.console_key(Role::Admin, false).await;
    let mut browser = Browser::new(&api);
    let signed_in = browser.login(json!({"token": key})).await.ok(200);
    assert_eq!((&signed_in["role"], &signed_in["read_only"]), (&json!("user"), &json!(true)));
    assert_eq!(browser.get("/api/v1/users").await.problem(403), ["forbidden"]);
    browser.get("/api/v1/requests").await.ok(200);
    let rename = browser.change(Method::PATCH, "/api/v1/keys/1", json!({"name": "x"})).await;
    assert_eq!(rename.problem(403), ["forbidden"]);
    browser.change(Method::POST, "/api/v1/auth/logout", json!(null)).await.ok(204);
}

#[actix::test]
async fn a_sign_in_says_what_it_wants() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    for body in [
        json!({}),
        json!({"name": "anna"}),
        json!({"password": "x"}),
        json!({"token": null}),
        json!({"token": ADMIN_TOKEN, "name": "anna", "password": "x"}),
    ] {
        assert_eq!(browser.login(body.clone()).await.problem(422), ["invalid"], "{body}");
    }
    let unknown = browser.login(json!({"token": ADMIN_TOKEN, "remember": true})).await;
    assert_eq!(unknown.problem(422), ["invalid", "remember: unknown: is no member here"]);
    let form = TestRequest::post()
        .uri("/api/v1/auth/login")
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(format!("token={ADMIN_TOKEN}"));
    assert_eq!(api.send(form).await.problem(415), ["unsupported_media_type"]);
}

#[actix::test]
async fn c04_sessions_are_shown_to_and_ended_by_their_holder_and_admins_alone() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let (anna, bert) =
        (house.console_key(Role::User, true).await, house.console_key(Role::Operator, true).await);
    let (mut at_home, mut at_work, mut other, mut admin) =
        (Browser::new(&api), Browser::new(&api), Browser::new(&api), Browser::new(&api));
    let home = at_home.login(json!({"token": anna})).await.ok(200);
    at_work.login(json!({"token": anna})).await.ok(200);
    other.login(json!({"token": bert})).await.ok(200);
    admin.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let ids = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| (item["id"].as_i64().unwrap(), item["current"] == true)).collect::<Vec<_>>()
    };
    let own = at_work.get("/api/v1/auth/sessions").await.ok(200);
    let (first, user) = (home["session_id"].as_i64().unwrap(), &home["user_id"]);
    assert_eq!(ids(&own), [(first, false), (first + 1, true)]);
    assert_eq!(own["items"][0]["address"], "203.0.113.9");
    assert_eq!(own["items"][0]["user_agent"], "a browser");
    assert_eq!(ids(&admin.get("/api/v1/auth/sessions").await.ok(200)), [(first + 3, true)]);
    let of_anna = format!("/api/v1/auth/sessions?user_id={user}");
    assert_eq!(ids(&admin.get(&of_anna).await.ok(200)), [(first, false), (first + 1, false)]);
    assert_eq!(other.get(&of_anna).await.problem(404), ["not_found"]);
    let of_home = format!("/api/v1/auth/sessions/{first}");
    assert_eq!(other.change(Method::DELETE, &of_home, json!(null)).await.problem(404), ["not_found"]);
    at_home.get("/api/v1/me").await.ok(200);
    at_work.change(Method::DELETE, &of_home, json!(null)).await.ok(204);
    assert_eq!(at_home.get("/api/v1/me").await.problem(401), ["unauthorized"]);
    admin.change(Method::DELETE, &format!("/api/v1/auth/sessions/{}", first + 1), json!(null)).await.ok(204);
    assert_eq!(at_work.get("/api/v1/me").await.problem(401), ["unauthorized"]);

    let told = api.get("/api/v1/audit").await.ok(200);
    // Lines of refusals are written behind the answer's back, and stand anywhere among these.
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().filter(|line| line["action"] != "access.refused").collect();
    let lines = told.iter().map(|line| {
        let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", of("action"), of("subject"), line["after"]["reason"].as_str().unwrap_or_default())
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines[0], format!("session.end session/{} ended", first + 1));
    let of_sessions = lines.iter().filter(|line| line.starts_with("session."));
    assert_eq!(of_sessions.count(), 6, "{lines:?}");
    assert!(lines.contains(&format!("session.begin session/{} ", first + 3)));
    assert_eq!(told[0]["before"]["user_id"], *user);
    assert_eq!(told[0]["address"], "203.0.113.9");
}
