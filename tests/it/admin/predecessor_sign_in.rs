//! A predecessor's script that signs in with a cookie jar, unchanged.

use actix_web::{http::Method, test::TestRequest};
use pointsman::store::Role;
use serde_json::{Value, json};

use super::{Api, api::Reply};
use crate::admin::house::{ADMIN_TOKEN, TestHouse};

/// What `curl -b jar -c jar` sends, and keeps.
#[derive(Default)]
struct Jar(Option<String>);

impl Jar {
    fn request(&self, path: &str, body: &Value) -> TestRequest {
        let request = TestRequest::default()
            .method(Method::POST)
            .uri(path)
            .peer_addr("203.0.113.9:4711".parse().unwrap())
            .insert_header(("host", "gate.example"))
            .insert_header(("content-type", "application/json"))
            .set_payload(body.to_string());
        match &self.0 {
            Some(token) => request.insert_header(("cookie", format!("auth-token={token}"))),
            None => request,
        }
    }

    async fn post(&mut self, api: &Api, path: &str, body: Value) -> Reply {
        let reply = api.send(self.request(path, &body)).await;
        if let Some(line) = reply.header("set-cookie") {
            let token = line.strip_prefix("auth-token=").unwrap().split(';').next().unwrap();
            assert!(line.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{line}");
            self.0 = Some(token.to_owned()).filter(|token| !token.is_empty());
        }
        reply
    }
}

fn refused(reply: &Reply, status: u16) -> Value {
    let told = reply.ok(status);
    assert_eq!(told["ok"], false, "{told}");
    told["errorCode"].clone()
}

#[actix::test]
async fn c19_a_predecessors_script_signs_in_acts_and_signs_out() {
    let house = TestHouse::on_sqlite().await;
    let (api, mut jar) = (Api::of(&house).await, Jar::default());
    assert_eq!(refused(&jar.post(&api, "/api/actions/users/getUsers", json!({})).await, 401), "UNAUTHORIZED");
    let told = jar.post(&api, "/api/auth/login", json!({"key": ADMIN_TOKEN})).await.ok(200);
    assert_eq!((&told["ok"], &told["loginType"]), (&json!(true), &json!("admin")));
    assert_eq!((&told["user"]["role"], &told["redirectTo"]), (&json!("admin"), &json!("/console/")));
    assert!(told.get("csrf_token").is_none());
    let made = jar.post(&api, "/api/actions/users/addUser", json!({"name": "ann"})).await.ok(200);
    assert_eq!(made["ok"], true);
    let seen = jar.post(&api, "/api/actions/users/getUsers", json!({})).await.ok(200);
    assert_eq!(seen["data"][0]["name"], "ann");
    // The token of the jar also does in a header, as there.
    let bearer = ("authorization", format!("Bearer {}", jar.0.clone().unwrap()));
    let by_header = Jar::default().request("/api/actions/users/addUser", &json!({"name": "bob"}));
    api.send(by_header.insert_header(bearer.clone())).await.ok(200);
    // But not on /api/v1, which has no such credential.
    let elsewhere = TestRequest::get().uri("/api/v1/users").insert_header(bearer);
    assert_eq!(api.send(elsewhere).await.problem(401), ["unauthorized"]);
    let old = Jar(jar.0.clone());
    assert_eq!(jar.post(&api, "/api/auth/logout", json!({})).await.ok(200), json!({"ok": true}));
    assert_eq!(jar.0, None);
    for mut over in [jar, old] {
        let reply = over.post(&api, "/api/actions/users/getUsers", json!({})).await;
        assert_eq!(refused(&reply, 401), "UNAUTHORIZED");
        over.post(&api, "/api/auth/logout", json!({})).await.ok(200);
    }
}

#[actix::test]
async fn c19_a_new_sign_in_ends_the_session_in_the_jar_and_a_header_goes_before_it() {
    let house = TestHouse::on_sqlite().await;
    let (api, mut jar) = (Api::of(&house).await, Jar::default());
    jar.post(&api, "/api/auth/login", json!({"key": ADMIN_TOKEN})).await.ok(200);
    let mut first = Jar(jar.0.clone());
    jar.post(&api, "/api/auth/login", json!({"key": ADMIN_TOKEN})).await.ok(200);
    assert_ne!(jar.0, first.0);
    assert_eq!(
        refused(&first.post(&api, "/api/actions/users/getUsers", json!({})).await, 401),
        "UNAUTHORIZED"
    );
    let key = house.console_key(Role::User, true).await;
    let both = jar.request("/api/actions/users/addUser", &json!({"name": "ann"}));
    let both = both.insert_header(("authorization", format!("Bearer {key}")));
    assert_eq!(refused(&api.send(both).await, 403), "PERMISSION_DENIED");
}

#[actix::test]
async fn who_signs_in_is_told_as_there() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (role, web_login, kind) in [
        (Role::Admin, true, "admin"),
        (Role::User, true, "dashboard_user"),
        (Role::Auditor, true, "dashboard_user"),
        (Role::Admin, false, "readonly_user"),
    ] {
        let (key, mut jar) = (house.console_key(role, web_login).await, Jar::default());
        let told = jar.post(&api, "/api/auth/login", json!({"key": key})).await.ok(200);
        assert_eq!(told["loginType"], kind);
        let logs = jar.post(&api, "/api/actions/my-usage/getMyUsageLogs", json!({})).await.ok(200);
        assert_eq!(logs["ok"], true);
    }
    let mut jar = Jar::default();
    for body in [json!({}), json!({"key": ""}), json!({"key": "  "}), json!({"key": 7})] {
        assert_eq!(refused(&jar.post(&api, "/api/auth/login", body).await, 400), "KEY_REQUIRED");
    }
    for key in ["sk-wrong", "\u{7f}", "密码"] {
        assert_eq!(
            refused(&jar.post(&api, "/api/auth/login", json!({"key": key})).await, 401),
            "KEY_INVALID"
        );
    }
    for _ in 0..5 {
        jar.post(&api, "/api/auth/login", json!({"key": "sk-wrong"})).await;
    }
    let haste = jar.post(&api, "/api/auth/login", json!({"key": "sk-wrong"})).await;
    assert_eq!(refused(&haste, 429), "RATE_LIMITED");
    assert!(haste.header("retry-after").is_some());
    jar.post(&api, "/api/auth/login", json!({"key": ADMIN_TOKEN})).await.ok(200);
}

#[actix::test]
async fn c21_a_page_of_another_site_does_nothing_by_the_jar() {
    let house = TestHouse::on_sqlite().await;
    let (api, mut jar) = (Api::of(&house).await, Jar::default());
    jar.post(&api, "/api/auth/login", json!({"key": ADMIN_TOKEN})).await.ok(200);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let act = jar.request("/api/actions/users/addUser", &json!({"name": "ann"}));
        let reply =
            api.send(act.insert_header((name, value)).insert_header(("content-type", "text/plain"))).await;
        assert_eq!(refused(&reply, 403), "PERMISSION_DENIED", "{name}: {value}");
        let login = jar.request("/api/auth/login", &json!({"key": ADMIN_TOKEN}));
        assert_eq!(refused(&api.send(login.insert_header((name, value))).await, 403), "CSRF_REJECTED");
        let logout = jar.request("/api/auth/logout", &json!({}));
        assert_eq!(refused(&api.send(logout.insert_header((name, value))).await, 403), "CSRF_REJECTED");
    }
    assert_eq!(jar.post(&api, "/api/actions/users/getUsers", json!({})).await.ok(200)["data"], json!([]));
    let ours = jar.request("/api/actions/users/addUser", &json!({"name": "ann"}));
    api.send(ours.insert_header(("origin", "https://gate.example"))).await.ok(200);
}
