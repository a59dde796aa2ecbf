//! A directory that is away, silent, senseless, or not the one it says it is.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::json;

use super::{
    ANNA, PASSWORD, known, login, set_up,
    slapd::{READER, Slapd},
};
use crate::admin::{api::Api, house::TestHouse, signing_in::browser::Browser};

/// A control plane whose directory is there, with these variables beside.
async fn at(house: &TestHouse, url: &str, more: &[(&'static str, &str)]) -> Api {
    let own = [("LDAP_URL", url), ("LDAP_SEARCH_BASE", "dc=example,dc=org"), ("LDAP_TIMEOUT", "300")];
    let set: Vec<_> = more.iter().chain(&own).map(|(name, value)| (*name, (*value).to_owned())).collect();
    let api = Api::with(house, house.admin_with_ldap(&set)).await;
    api.never_show(PASSWORD);
    api
}

async fn fails(api: &Api, what: &str) {
    let refused = Browser::at(api, 1).login(login("anna", PASSWORD)).await;
    assert_eq!(refused.problem(502), ["sign_in_provider_failed"], "{what}");
}

#[actix::test]
async fn a_directory_that_does_not_answer_keeps_nobody_else_out_and_counts_against_nobody() {
    let house = TestHouse::on_sqlite().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("ldap://{}", listener.local_addr().unwrap());
    let plain = [("LDAP_PLAIN", "true")];
    let api = at(&house, &silent, &plain).await;
    // More than a place has free.
    for _ in 0..7 {
        fails(&api, "silent").await;
    }
    fails(&at(&house, "ldap://127.0.0.1:1", &plain).await, "away").await;
    let token = json!({"token": crate::admin::house::ADMIN_TOKEN});
    Browser::at(&api, 1).login(token).await.ok(200);
}

#[actix::test]
async fn a_directory_that_answers_what_makes_no_sense_ends_nothing_but_the_attempt() {
    let house = TestHouse::on_sqlite().await;
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // An answer to the first message, whole by its lengths and of nothing that is expected.
        &[0x30, 0x05, 0x02, 0x01, 0x01, 0x61, 0x00],
        &[0x30, 0x0c, 0x02, 0x01, 0x01, 0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x02, 0xff, 0xff],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0xff; 64],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        // Not waited for: that would keep this thread from hanging up.
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1_024]);
            let _ = stream.write_all(answer);
            // Until we hang up.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let api = at(&house, &url, &[("LDAP_PLAIN", "true")]).await;
        fails(&api, &format!("{answer:?}")).await;
    }
}

#[actix::test]
async fn c32_no_password_goes_to_a_directory_that_nobody_vouches_for() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    let stranger = Slapd::start();
    let of_stranger = stranger.authority().display().to_string();
    let named = slapd.tls.replace("127.0.0.1", "localhost");
    for (what, more) in [
        ("another authority", ("LDAP_TLS_CA_FILE", of_stranger.as_str())),
        ("another name", ("LDAP_URL", &named)),
        (
            "another name, by StartTLS",
            ("LDAP_URL", &named.replace("ldaps", "ldap").replace(port(&slapd.tls), port(&slapd.plain))),
        ),
    ] {
        fails(&set_up(&house, &slapd, &[more]).await, what).await;
    }
    assert!(!slapd.log().contains("BIND"), "{}", slapd.log());
}

#[actix::test]
async fn c32_without_tls_nothing_is_said_unless_the_operator_says_so() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::without_tls();
    fails(&set_up(&house, &slapd, &[]).await, "it can't speak TLS").await;
    assert!(!slapd.log().contains("BIND"), "{}", slapd.log());
    let api = set_up(&house, &slapd, &[("LDAP_PLAIN", "true")]).await;
    known(&api, "anna", ANNA, json!({})).await;
    Browser::at(&api, 2).login(login("anna", PASSWORD)).await.ok(200);
}

#[actix::test]
async fn what_the_directory_does_not_let_us_look_up_is_its_fault() {
    let house = TestHouse::on_sqlite().await;
    let slapd = Slapd::start();
    for (what, more) in [
        ("nobody may look without a name", vec![("LDAP_BIND_DN", ""), ("LDAP_BIND_PASSWORD_FILE", "")]),
        ("another password", vec![("LDAP_BIND_PASSWORD", "canary-of-another")]),
        ("no such place", vec![("LDAP_SEARCH_BASE", "dc=example,dc=com")]),
        ("nothing that tells somebody for ever", vec![("LDAP_SUBJECT_ATTRIBUTE", "employeeNumber")]),
    ] {
        let mut set = slapd.settings(&more);
        if what.starts_with("nobody") {
            set.retain(|(name, value)| *name != "LDAP_BIND_PASSWORD" && value != READER);
        }
        let api = Api::with(&house, house.admin_with_ldap(&set)).await;
        fails(&api, what).await;
    }
}

fn port(url: &str) -> &str {
    url.rsplit(':').next().unwrap()
}
