//! Signing in at an OpenID Connect provider (C-19): who comes in, as whom, and until when.

mod forged;
mod people;
mod provider;
mod tokens;
mod visit;

use std::collections::HashMap;

use pointsman::store::Role;
use serde_json::{Value, json};

use self::{
    provider::{CLIENT, Provider},
    tokens::Key,
    visit::{Visit, known, set_up},
};
use super::{Api, Browser};
use crate::admin::house::{ADMIN_TOKEN, TestHouse, on_both};

on_both! {
    c19_somebody_whom_the_provider_knows_signs_in
}

async fn c19_somebody_whom_the_provider_knows_signs_in(house: TestHouse) {
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[("OIDC_SCOPES", "email,groups")]).await;
    let id = known(&api, "anna", "subject-of-anna", json!({"role": "operator"})).await;
    let mut visit = Visit::at(&api, 9);
    visit.browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
    let before = visit.browser.clone();

    let address = visit.leave("?return_to=/users%3Fx=%2522").await;
    let asked: HashMap<_, _> = address.query_pairs().into_owned().collect();
    assert_eq!((&*asked["response_type"], &*asked["client_id"]), ("code", CLIENT));
    assert_eq!((&*asked["scope"], &*asked["code_challenge_method"]), ("openid email groups", "S256"));
    assert_eq!(asked["redirect_uri"], "https://gate.example/api/v1/auth/oidc/callback");
    assert!(asked["state"].len() >= 43 && asked["nonce"].len() >= 43 && asked["state"] != asked["nonce"]);

    let back = provider.signs_in(&address, json!({"sub": "subject-of-anna"}));
    let reply = visit.arrive(&back).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.text.contains("content=\"0;url=/users?x=%22\""), "{}", reply.text);
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");

    let me = visit.me().await.ok(200);
    assert_eq!(
        (&me["name"], &me["role"], &me["user"]["id"]),
        (&json!("anna"), &json!("operator"), &json!(id))
    );
    assert_eq!((&me["signed_in_by"], &me["read_only"]), (&json!("oidc"), &json!(false)));
    assert_eq!(before.get("/api/v1/me").await.problem(401), ["unauthorized"], "the session it left with");
    let line = &api.get("/api/v1/audit?action=session.begin").await.ok(200)["items"][0];
    assert_eq!((&line["who"], &line["after"]["way"]), (&json!("anna"), &json!("oidc")));
    assert_eq!(line["address"], "203.0.113.9");
}

#[actix::test]
async fn rsa_keys_are_as_good_and_a_secret_is_posted_where_the_provider_takes_nothing_else() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::rsa("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    assert_eq!(Visit::at(&api, 9).sign_in(&provider, json!({"sub": "1"})).await.status, 200);
    provider.tell(json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let api = set_up(&house, &provider, &[]).await;
    let posted = Visit::at(&api, 9).sign_in(&provider, json!({"sub": "1"})).await;
    assert_eq!(posted.problem(401), ["sign_in_failed"], "this provider insists on the header");
}

#[actix::test]
async fn keys_that_the_provider_has_made_meanwhile_are_read_once_more() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    let somebody = json!({"sub": "1"});
    assert_eq!(Visit::at(&api, 1).sign_in(&provider, somebody.clone()).await.status, 200);
    assert_eq!(provider.asked("/keys"), 1);
    provider.rotate(Key::ec("two"));
    assert_eq!(Visit::at(&api, 2).sign_in(&provider, somebody.clone()).await.status, 200);
    assert_eq!(provider.asked("/keys"), 2);
    assert_eq!(Visit::at(&api, 3).sign_in(&provider, somebody.clone()).await.status, 200);
    assert_eq!(provider.asked("/keys"), 2);
    // Tokens with made-up keys do not have the provider asked each time.
    let stranger = Key::ec("three");
    provider.twist(move |draft| *draft = tokens::Draft::new(draft.claims.clone(), stranger.clone()));
    for from in 4..8 {
        let reply = Visit::at(&api, from).sign_in(&provider, somebody.clone()).await;
        assert_eq!(reply.problem(401), ["sign_in_failed"]);
    }
    assert_eq!(provider.asked("/keys"), 2);
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1);
}

#[actix::test]
async fn a_provider_that_is_away_keeps_nobody_else_out_and_is_not_pestered() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    provider.set_up(false);
    let api = set_up(&house, &provider, &[]).await;
    let mut browser = Browser::new(&api);
    for _ in 0..3 {
        let reply = browser.get("/api/v1/auth/oidc/start").await;
        assert_eq!(reply.problem(502), ["sign_in_provider_failed"]);
        assert_eq!(reply.header("set-cookie"), None);
    }
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1);
    browser.login(json!({"token": ADMIN_TOKEN})).await.ok(200);
}

#[actix::test]
async fn c06_a_provider_leads_us_nowhere_we_do_not_go() {
    let house = TestHouse::on_sqlite().await;
    for (more, what) in [
        (json!({"jwks_uri": "http://169.254.169.254/keys"}), "a cloud's metadata"),
        (json!({"issuer": "https://other.example"}), "another's name"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "no http"),
    ] {
        let provider = Provider::start(Key::ec("one")).await;
        provider.tell(more);
        let api = set_up(&house, &provider, &[]).await;
        let reply = Browser::new(&api).get("/api/v1/auth/oidc/start").await;
        assert_eq!(reply.problem(502), ["sign_in_provider_failed"], "{what}");
    }
    let private = [
        ("OIDC_ISSUER", "https://10.0.0.1"),
        ("OIDC_CLIENT_ID", CLIENT),
        ("OIDC_PUBLIC_URL", "https://gate.example"),
    ];
    let api = Api::with(&house, house.admin_with_oidc(&private)).await;
    let reply = Browser::new(&api).get("/api/v1/auth/oidc/start").await;
    assert_eq!(reply.problem(502), ["sign_in_provider_failed"], "private, and nobody allowed it");
}

#[actix::test]
async fn c19_a_session_is_over_with_its_provider_and_with_what_its_user_is_known_by() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    let id = known(&api, "anna", "1", json!({})).await;
    let mut visit = Visit::at(&api, 9);
    visit.sign_in(&provider, json!({"sub": "1"})).await;
    visit.me().await.ok(200);
    let without = Api::of(&house).await;
    let elsewhere = Browser { api: &without, ..visit.browser.clone() };
    assert_eq!(elsewhere.get("/api/v1/me").await.problem(401), ["unauthorized"], "no provider any more");

    visit.sign_in(&provider, json!({"sub": "1"})).await;
    visit.me().await.ok(200);
    let identities = format!("/api/v1/users/{id}/identities");
    let listed = api.get(&identities).await.ok(200);
    assert_eq!(listed["items"][0]["issuer"], provider.issuer());
    let identity = &listed["items"][0]["id"];
    api.delete(&format!("/api/v1/identities/{identity}")).await.ok(204);
    assert_eq!(visit.me().await.problem(401), ["unauthorized"]);
    api.post(&identities, json!({"subject": "1"})).await.ok(201);
    assert_eq!(visit.me().await.problem(401), ["unauthorized"], "what was over stays over");
}

#[actix::test]
async fn the_ways_of_signing_in_are_told_to_everyone() {
    let house = TestHouse::on_sqlite().await;
    let ways = async |api: &Api| -> Vec<Value> {
        let request = actix_web::test::TestRequest::get().uri("/api/v1/auth/ways");
        api.send(request).await.ok(200)["items"].as_array().unwrap().clone()
    };
    let api = Api::of(&house).await;
    let plain = |way: &str| json!({"way": way, "label": null, "start": null});
    assert_eq!(ways(&api).await, [plain("token"), plain("password")]);
    for path in ["start", "callback?state=x&code=y"] {
        let reply = Browser::new(&api).get(&format!("/api/v1/auth/oidc/{path}")).await;
        assert_eq!(reply.problem(404), ["not_found"], "{path}");
    }
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[("OIDC_LABEL", "Our <id>")]).await;
    let oidc = json!({"way": "oidc", "label": "Our <id>", "start": "/api/v1/auth/oidc/start"});
    assert_eq!(ways(&api).await[2], oidc);
}

#[actix::test]
async fn c04_what_users_are_known_by_is_for_auditors_to_see_and_for_admins_to_change() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let id = api.post("/api/v1/users", json!({"name": "anna"})).await.ok(201)["id"].clone();
    let path = format!("/api/v1/users/{id}/identities");
    let link = json!({"issuer": "https://id.example", "subject": "1"});
    let made = api.post(&path, &link).await.ok(201);
    assert_eq!((&made["user_id"], &made["subject"]), (&id, &json!("1")));
    assert_eq!(api.post(&path, &link).await.problem(409), ["conflict", "subject: taken: is already taken"]);
    for (body, flaw) in [
        (json!({"subject": "1"}), "issuer: required: must be given"),
        (json!({"issuer": "https://id.example"}), "subject: required: must be given"),
        (
            json!({"issuer": " a", "subject": "1"}),
            "issuer: out_of_range: must not begin or end with a space or hold control characters",
        ),
    ] {
        assert_eq!(api.post(&path, body).await.problem(422), ["invalid", flaw]);
    }
    let other = json!({"issuer": "https://id.example", "subject": "2"});
    assert_eq!(api.post("/api/v1/users/99/identities", other).await.problem(404), ["not_found"]);
    assert_eq!(api.get("/api/v1/users/99/identities").await.problem(404), ["not_found"]);
    assert_eq!(api.delete("/api/v1/identities/99").await.problem(404), ["not_found"]);
    for (role, status) in [(Role::User, 403), (Role::Auditor, 200)] {
        let mut browser = Browser::new(&api);
        browser.login(json!({"token": house.console_key(role, true).await})).await.ok(200);
        assert_eq!(browser.get(&path).await.status, status, "{role:?}");
    }
    // What becomes of the user becomes of it.
    api.delete(&format!("/api/v1/users/{id}")).await.ok(204);
    let other = api.post("/api/v1/users", json!({"name": "bert"})).await.ok(201)["id"].clone();
    api.post(&format!("/api/v1/users/{other}/identities"), link).await.ok(201);
}
