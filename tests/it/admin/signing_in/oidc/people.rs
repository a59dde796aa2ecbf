//! Whom a provider knows, and who that is here.

use serde_json::{Value, json};

use super::{Visit, known, provider::Provider, set_up, tokens::Key};
use crate::admin::{
    audit::refusals,
    house::{TestHouse, on_both},
};

on_both! {
    c19_nobody_is_known_by_a_name_or_an_address
    who_is_unknown_becomes_a_user_where_the_operator_says_so
}

async fn c19_nobody_is_known_by_a_name_or_an_address(house: TestHouse) {
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna@a.example", "1", json!({"role": "admin"})).await;
    let alike = json!({
        "sub": "2", "email": "anna@a.example", "email_verified": true, "preferred_username": "anna@a.example",
    });
    let reply = Visit::at(&api, 1).sign_in(&provider, alike.clone()).await;
    assert_eq!(reply.problem(403), ["sign_in_refused"]);
    let line = &refusals(&api, 1).await[0];
    assert_eq!(line["after"]["code"], "sign_in_refused");
    assert_eq!(line["subject"], "GET /api/v1/auth/oidc/callback");
    // Not even where unknown people become users.
    let api = set_up(&house, &provider, &[("OIDC_CREATE_USERS", "true")]).await;
    let reply = Visit::at(&api, 2).sign_in(&provider, alike).await;
    assert_eq!(reply.problem(403), ["sign_in_refused"]);
    assert!(reply.text.contains("a user of that name exists"), "{}", reply.text);
    assert_eq!(api.get("/api/v1/users").await.ok(200)["items"].as_array().unwrap().len(), 1);
    // The same subject at another provider is somebody else.
    let other = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &other, &[]).await;
    let reply = Visit::at(&api, 3).sign_in(&other, json!({"sub": "1"})).await;
    assert_eq!(reply.problem(403), ["sign_in_refused"]);
}

async fn who_is_unknown_becomes_a_user_where_the_operator_says_so(house: TestHouse) {
    let provider = Provider::start(Key::ec("one")).await;
    let more = [
        ("OIDC_CREATE_USERS", "true"),
        ("OIDC_ROLES", "bosses=admin,ops=operator"),
        ("OIDC_ALLOWED_GROUPS", "ops,bosses"),
    ];
    let api = set_up(&house, &provider, &more).await;
    let claims = |groups: Value| json!({"sub": "7", "preferred_username": "anna", "groups": groups});
    let mut visit = Visit::at(&api, 1);
    assert_eq!(visit.sign_in(&provider, claims(json!(["x"]))).await.problem(403), ["sign_in_refused"]);
    assert_eq!(visit.sign_in(&provider, claims(json!(["ops"]))).await.status, 200);
    let me = visit.me().await.ok(200);
    assert_eq!((&me["name"], &me["role"]), (&json!("anna"), &json!("operator")));
    let lines = api.get("/api/v1/audit?who=oidc").await.ok(200);
    let told =
        lines["items"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect::<Vec<_>>();
    assert_eq!(told, ["identity.link", "user.create"]);

    // The provider gives the role, and what was begun with another is over.
    let mut elsewhere = Visit::at(&api, 2);
    assert_eq!(elsewhere.sign_in(&provider, claims(json!(["ops", "bosses"]))).await.status, 200);
    assert_eq!(elsewhere.me().await.ok(200)["role"], "admin");
    assert_eq!(visit.me().await.problem(401), ["unauthorized"]);
    assert_eq!(api.get("/api/v1/users").await.ok(200)["items"].as_array().unwrap().len(), 1);

    let nameless = json!({"sub": "8", "groups": ["ops"]});
    assert_eq!(visit.sign_in(&provider, nameless).await.problem(403), ["sign_in_refused"]);
}

#[actix::test]
async fn c19_a_user_who_is_disabled_or_expired_gets_no_session() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    for (from, change) in [(1, json!({"enabled": false})), (2, json!({"expires_at": "2020-01-01T00:00:00Z"}))]
    {
        let id = known(&api, &format!("user {from}"), &from.to_string(), json!({})).await;
        let mut visit = Visit::at(&api, from);
        let claims = json!({"sub": from.to_string()});
        assert_eq!(visit.sign_in(&provider, claims.clone()).await.status, 200);
        api.patch(&format!("/api/v1/users/{id}"), &change).await.ok(200);
        assert_eq!(visit.me().await.problem(401), ["unauthorized"], "{change}");
        assert_eq!(visit.sign_in(&provider, claims).await.problem(403), ["sign_in_refused"], "{change}");
    }
}

#[actix::test]
async fn c12_c25_a_person_is_shown_a_page_that_tells_nothing_of_what_came() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    let visit = Visit::at(&api, 1);
    for path in [
        "callback?state=%3Cb%3Ecanary&error=%3Cb%3Ecanary&error_description=canary",
        "start?return_to=//canary",
    ] {
        let request =
            visit.browser.request(actix_web::http::Method::GET, &format!("/api/v1/auth/oidc/{path}"));
        let reply = api.send(request.insert_header(("accept", "text/html,*/*;q=0.8"))).await;
        assert!(matches!(reply.status, 401 | 422), "{}", reply.text);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert!(!reply.text.contains("canary") && !reply.text.contains("<b>"), "{}", reply.text);
        assert!(reply.text.contains("<code>sign_in_expired") || reply.text.contains("<code>invalid"));
    }
}
