//! What another site can have a browser do: nothing (C-21).

use actix_web::{http::Method, test::TestRequest};
use serde_json::json;

use super::{Api, Browser};
use crate::admin::house::{ADMIN_TOKEN, TestHouse};

#[actix::test]
async fn c21_a_change_by_session_needs_what_only_a_page_of_ours_knows() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let (mut browser, mut other) = (Browser::new(&api), Browser::new(&api));
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    other.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let user = json!({"name": "anna"});
    let mut wrong = vec![String::new(), other.csrf.clone(), browser.cookie.clone().unwrap()];
    wrong.extend([browser.csrf[1..].to_owned(), browser.csrf.to_uppercase(), format!("{}0", browser.csrf)]);
    for csrf in wrong {
        let reply = Browser { csrf: csrf.clone(), ..browser.clone() }
            .change(Method::POST, "/api/v1/users", user.clone())
            .await;
        assert_eq!(reply.problem(403), ["csrf_rejected"], "{csrf}");
    }
    let without = browser.request(Method::POST, "/api/v1/users").set_payload(user.to_string());
    let without = without.insert_header(("content-type", "application/json"));
    assert_eq!(api.send(without).await.problem(403), ["csrf_rejected"]);
    let twice = browser.changing(Method::POST, "/api/v1/users", &user);
    let twice = twice.append_header(("x-pointsman-csrf", browser.csrf.clone()));
    assert_eq!(api.send(twice).await.problem(403), ["csrf_rejected"]);
    assert_eq!(browser.get("/api/v1/users").await.ok(200)["items"], json!([]), "nothing has changed");
    browser.change(Method::POST, "/api/v1/users", user).await.ok(201);
}

#[actix::test]
async fn c21_a_page_of_another_site_changes_nothing_whatever_it_knows() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let user = json!({"name": "anna"});
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let host = ("host", "gate.example");
        let change = browser.changing(Method::POST, "/api/v1/users", &user).insert_header(host);
        let reply = api.send(change.insert_header((name, value))).await;
        assert_eq!(reply.problem(403), ["csrf_rejected"], "{name}: {value}");
        let login = browser.changing(Method::POST, "/api/v1/auth/login", &json!({"token": ADMIN_TOKEN}));
        let reply = api.send(login.insert_header(host).insert_header((name, value))).await;
        assert_eq!(reply.problem(403), ["csrf_rejected"], "nobody is signed in from there: {name}: {value}");
        assert_eq!(reply.header("set-cookie"), None);
        // A header is nothing that a browser adds by itself.
        let script = Api::request(Method::GET, "/api/v1/users").insert_header((name, value));
        api.send(script).await.ok(200);
    }
    let ours = browser.changing(Method::POST, "/api/v1/users", &user);
    let ours = ours.insert_header(("host", "gate.example")).insert_header(("origin", "https://gate.example"));
    api.send(ours).await.ok(201);
}

#[actix::test]
async fn c21_forms_overrides_and_preflights_get_nowhere() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut browser = Browser::new(&api);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    // What a form or a fetch without a preflight can send, the token left out.
    for media in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
        let form = browser.request(Method::POST, "/api/v1/users").insert_header(("content-type", media));
        let reply = api.send(form.set_payload(r#"{"name":"anna"}"#)).await;
        assert_eq!(reply.problem(403), ["csrf_rejected"], "{media}");
        // And had it the token, what it sends is still no JSON.
        let form = browser.changing(Method::POST, "/api/v1/users", &json!(null));
        let form = form.insert_header(("content-type", media)).set_payload(r#"{"name":"anna"}"#);
        assert_eq!(api.send(form).await.problem(415), ["unsupported_media_type"], "{media}");
    }
    // A GET is a GET, whatever it says it is.
    api.post("/api/v1/users", json!({"name": "bert"})).await.ok(201);
    for (name, value) in
        [("x-http-method-override", "DELETE"), ("x-method-override", "DELETE"), ("x-http-method", "DELETE")]
    {
        let get = browser.request(Method::GET, "/api/v1/users/1").insert_header((name, value));
        api.send(get).await.ok(200);
    }
    for query in ["?_method=DELETE", "?x-pointsman-csrf=1"] {
        let path = format!("/api/v1/users/1{query}");
        assert_eq!(browser.get(&path).await.status, 422, "no such parameter");
        assert_eq!(api.send(browser.request(Method::DELETE, &path)).await.problem(403), ["csrf_rejected"]);
    }
    browser.get("/api/v1/users/1").await.ok(200);
    // No other site may read an answer or send a header of its own.
    let preflight = TestRequest::default()
        .method(Method::OPTIONS)
        .uri("/api/v1/users")
        .insert_header(("origin", "https://evil.example"))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "x-pointsman-csrf"));
    let read =
        browser.request(Method::GET, "/api/v1/users").insert_header(("origin", "https://evil.example"));
    for request in [preflight, read] {
        let reply = api.send(request).await;
        let cors = reply.headers.iter().find(|(name, _)| name.starts_with("access-control"));
        assert_eq!(cors, None);
    }
}
