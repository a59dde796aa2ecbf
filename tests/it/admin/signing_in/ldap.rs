//! Signing in with an account of a directory (C-19): who comes in, as whom, and until when.

mod slapd;
mod unsound;

use serde_json::{Value, json};

use self::slapd::{ANNA, BERT, PASSWORD, READERS_PASSWORD, Slapd};
use super::{Api, Browser};
use crate::admin::house::{TestHouse, directory, on_both};

on_both! {
    c19_somebody_whom_the_directory_knows_signs_in
    who_is_unknown_becomes_a_user_with_the_role_that_the_directory_gives
}

/// The control plane of a house whose people are in that directory.
async fn set_up(house: &TestHouse, slapd: &Slapd, more: &[(&'static str, &str)]) -> Api {
    let api = Api::with(house, house.admin_with_ldap(&slapd.settings(more))).await;
    for secret in [PASSWORD, READERS_PASSWORD] {
        api.never_show(secret);
    }
    api
}

/// Makes a user who is known by that subject.
async fn known(api: &Api, name: &str, subject: &str, more: Value) -> i64 {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = api.post("/api/v1/users", body).await.ok(201)["id"].as_i64().unwrap();
    api.post(&format!("/api/v1/users/{id}/identities"), json!({"subject": subject})).await.ok(201);
    id
}

fn login(name: &str, password: &str) -> Value {
    json!({"name": name, "password": password})
}

async fn c19_somebody_whom_the_directory_knows_signs_in(house: TestHouse) {
    let slapd = Slapd::start();
    for url in [&slapd.plain, &slapd.tls] {
        let api = set_up(&house, &slapd, &[("LDAP_URL", url)]).await;
        // A user's name is what we call somebody, not what the directory does.
        if *url == slapd.plain {
            let id = known(&api, "Anna of sales", ANNA, json!({"role": "operator"})).await;
            let identities = api.get(&format!("/api/v1/users/{id}/identities")).await.ok(200);
            assert_eq!(identities["items"][0]["issuer"], "ldap");
        }
        let mut browser = Browser::new(&api);
        let signed_in = browser.login(login("anna", PASSWORD)).await.ok(200);
        assert_eq!((&signed_in["name"], &signed_in["role"]), (&json!("Anna of sales"), &json!("operator")));
        let me = browser.get("/api/v1/me").await.ok(200);
        assert_eq!((&me["signed_in_by"], &me["has_password"]), (&json!("ldap"), &json!(false)));
        let line = &api.get("/api/v1/audit?action=session.begin").await.ok(200)["items"][0];
        assert_eq!((&line["who"], &line["after"]["way"]), (&json!("Anna of sales"), &json!("ldap")));
    }
    let log = slapd.log();
    assert!(log.contains("STARTTLS"), "{log}");
    assert_eq!(log.matches("BIND dn=\"uid=anna,ou=people,dc=example,dc=org\" mech").count(), 2, "{log}");
}

#[actix::test]
async fn c19_what_is_not_their_password_signs_nobody_in() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[]).await;
    known(&api, "anna", ANNA, json!({})).await;
    let mut from = 0;
    for (name, password) in [
        ("anna", "canary-of-another"),
        ("anna", ""),
        ("", PASSWORD),
        ("nobody", PASSWORD),
        ("*", PASSWORD),
        ("ann*", PASSWORD),
        ("anna)(uid=*", PASSWORD),
        ("anna\0", PASSWORD),
        ("{{dn}}", PASSWORD),
        ("uid=anna,ou=people,dc=example,dc=org", PASSWORD),
        ("reader", READERS_PASSWORD),
        (&*"a".repeat(300), PASSWORD),
    ] {
        from += 1;
        let refused = Browser::at(&api, from).login(login(name, password)).await;
        assert_eq!(refused.problem(401), ["sign_in_failed"], "{name:?} {password}");
    }
    let binds = slapd.log().matches("BIND dn=\"uid=anna").count();
    assert_eq!(binds, 1, "only the one with a password was asked about: {}", slapd.log());
    Browser::new(&api).login(login("anna", PASSWORD)).await.ok(200);

    let by_mail = [("LDAP_SEARCH_FILTER", "(|(uid={{username}})(mail={{username}}))")];
    let api = set_up(&house, &slapd, &by_mail).await;
    Browser::new(&api).login(login("anna@example.org", PASSWORD)).await.ok(200);
    let two = Browser::new(&api).login(login("both@example.org", PASSWORD)).await;
    assert_eq!(two.problem(401), ["sign_in_failed"], "that may be either of two");
}

#[actix::test]
async fn c19_a_password_of_here_is_never_shown_to_the_directory() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[]).await;
    let id = known(&api, "anna", ANNA, json!({})).await;
    let own = json!({"password": "canary-that-is-kept-here"});
    api.never_show("canary-that-is-kept-here");
    api.put(&format!("/api/v1/users/{id}/password"), own).await.ok(204);
    Browser::at(&api, 1).login(login("anna", "canary-that-is-kept-here")).await.ok(200);
    for password in [PASSWORD, "canary-of-another"] {
        let refused = Browser::at(&api, 2).login(login("anna", password)).await;
        assert_eq!(refused.problem(401), ["sign_in_failed"], "{password}");
    }
    assert!(!slapd.log().contains("BIND"), "{}", slapd.log());
    api.delete(&format!("/api/v1/users/{id}/password")).await.ok(204);
    Browser::at(&api, 3).login(login("anna", PASSWORD)).await.ok(200);
}

async fn who_is_unknown_becomes_a_user_with_the_role_that_the_directory_gives(house: TestHouse) {
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[]).await;
    let refused = Browser::at(&api, 1).login(login("bert", PASSWORD)).await;
    assert_eq!(refused.problem(403), ["sign_in_refused"], "nobody is linked");

    let roles = [
        ("LDAP_CREATE_USERS", "true"),
        ("LDAP_ADMIN_FILTER", "(&(cn=bosses)(member={{dn}}))"),
        ("LDAP_AUDITOR_FILTER", "(&(uid={{username}})(mail=anna@example.org))"),
    ];
    let api = set_up(&house, &slapd, &roles).await;
    let mut of_bert = Browser::at(&api, 2);
    for (name, role) in [("bert", "admin"), ("anna", "auditor"), ("cleo", "user")] {
        let mut browser = Browser::at(&api, 2);
        let signed_in = browser.login(login(name, PASSWORD)).await.ok(200);
        assert_eq!((&signed_in["name"], &signed_in["role"]), (&json!(name), &json!(role)));
        if name == "bert" {
            of_bert = browser;
        }
    }
    let lines = api.get("/api/v1/audit?who=ldap").await.ok(200);
    let told: Vec<_> = lines["items"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    assert_eq!(told, ["identity.link", "user.create"].repeat(3));
    of_bert.get("/api/v1/me").await.ok(200);

    // Who leaves a group loses the role with the next sign-in, and what was begun with it.
    let fewer = [("LDAP_ADMIN_FILTER", "(&(cn=others)(member={{dn}}))")];
    let later = set_up(&house, &slapd, &fewer).await;
    let signed_in = Browser::at(&later, 3).login(login("bert", PASSWORD)).await.ok(200);
    assert_eq!(signed_in["role"], "user");
    assert_eq!(of_bert.get("/api/v1/me").await.problem(401), ["unauthorized"]);

    // A user who was made here is not that one of the directory, whatever the name.
    let users = api.get("/api/v1/users").await.ok(200)["items"].as_array().unwrap().clone();
    let bert = users.iter().find(|user| user["name"] == "bert").unwrap()["id"].clone();
    let identity = api.get(&format!("/api/v1/users/{bert}/identities")).await.ok(200)["items"][0].clone();
    assert_eq!(identity["subject"], BERT);
    api.delete(&format!("/api/v1/identities/{}", identity["id"])).await.ok(204);
    let refused = Browser::at(&api, 4).login(login("bert", PASSWORD)).await;
    assert_eq!(refused.problem(403), ["sign_in_refused"]);
    assert!(refused.text.contains("a user of that name exists"), "{}", refused.text);
}

#[actix::test]
async fn c19_a_session_is_over_with_its_directory_and_with_what_its_user_is_known_by() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[]).await;
    let id = known(&api, "anna", ANNA, json!({})).await;
    for (which, other) in [
        ("none", Api::of(&house).await),
        (
            "another base",
            set_up(&house, &slapd, &[("LDAP_SEARCH_BASE", "ou=people,dc=example,dc=org")]).await,
        ),
    ] {
        let mut browser = Browser::new(&api);
        browser.login(login("anna", PASSWORD)).await.ok(200);
        browser.get("/api/v1/me").await.ok(200);
        let elsewhere = Browser { api: &other, ..browser };
        assert_eq!(elsewhere.get("/api/v1/me").await.problem(401), ["unauthorized"], "{which}");
    }
    let mut browser = Browser::new(&api);
    browser.login(login("anna", PASSWORD)).await.ok(200);
    let listed = api.get(&format!("/api/v1/users/{id}/identities")).await.ok(200);
    api.delete(&format!("/api/v1/identities/{}", listed["items"][0]["id"])).await.ok(204);
    assert_eq!(browser.get("/api/v1/me").await.problem(401), ["unauthorized"]);
}

#[actix::test]
async fn c19_a_user_who_is_disabled_or_expired_gets_no_session() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[]).await;
    let id = known(&api, "anna", ANNA, json!({})).await;
    for change in [json!({"enabled": false}), json!({"enabled": true, "expires_at": "2020-01-01T00:00:00Z"})]
    {
        api.patch(&format!("/api/v1/users/{id}"), &change).await.ok(200);
        let refused = Browser::new(&api).login(login("anna", PASSWORD)).await;
        assert_eq!(refused.problem(403), ["sign_in_refused"], "{change}");
    }
}

#[actix::test]
async fn the_directory_is_told_among_the_ways_of_signing_in() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let api = set_up(&house, &slapd, &[("LDAP_LABEL", "Our <directory>")]).await;
    let ways = api.get("/api/v1/auth/ways").await.ok(200);
    assert_eq!(ways["items"][2], json!({"way": "ldap", "label": "Our <directory>", "start": null}));
}

/// What `pointsman doctor` goes by.
#[actix::test]
async fn whoever_looks_after_the_server_is_told_what_the_directory_lacks() {
    let slapd = Slapd::start();
    let looked = async |more: &[(&'static str, &str)]| directory(&slapd.settings(more)).look().await;
    assert_eq!(looked(&[]).await, Ok(()));
    for (more, said) in [
        (("LDAP_BIND_PASSWORD", "canary"), "does not let ldap.bind_dn in: rc=49"),
        (("LDAP_SEARCH_BASE", "dc=example,dc=com"), "answers a search with rc=32"),
        (("LDAP_TLS_CA_FILE", ""), "can't be reached: "),
    ] {
        let why = looked(&[more]).await.unwrap_err();
        assert!(why.starts_with(said) && !why.contains("canary"), "{why}");
    }
}
