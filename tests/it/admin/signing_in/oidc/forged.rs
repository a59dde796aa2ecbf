//! What somebody brings who was not let in by the provider, or not here, or not now.

use std::rc::Rc;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    Visit, known,
    provider::{Provider, SECRET},
    set_up,
    tokens::{Draft, Key, Signer},
};
use crate::admin::house::TestHouse;

type Twist = Rc<dyn Fn(&mut Draft)>;

fn claim(name: &'static str, value: Value) -> Twist {
    Rc::new(move |draft| draft.claims[name] = value.clone())
}

/// Everything that a token can be but good.
fn forgeries(key: &Rc<Key>) -> Vec<(&'static str, Twist)> {
    let now = Utc::now().timestamp();
    let (public, stranger) = (key.public().to_string(), Key::ec(&key.name));
    let by_secret = |secret: String| -> Twist {
        Rc::new(move |draft| {
            draft.header["alg"] = json!("HS256");
            draft.signer = Signer::Secret(secret.clone().into_bytes());
        })
    };
    let dropped = |name: &'static str| -> Twist {
        Rc::new(move |draft| {
            draft.claims.as_object_mut().unwrap().remove(name);
        })
    };
    let without_algorithm: Twist = Rc::new(|draft| {
        draft.header = json!({"alg": "none"});
        draft.signer = Signer::Nothing;
    });
    let unsigned: Twist = Rc::new(|draft| draft.signer = Signer::Nothing);
    let other_key: Twist = Rc::new(move |draft| draft.signer = Signer::Key(stranger.clone()));
    let critical: Twist = Rc::new(|draft| draft.header["crit"] = json!(["b64"]));
    vec![
        ("nonce of another sign-in", claim("nonce", json!("a".repeat(64)))),
        ("no nonce", dropped("nonce")),
        ("for another client", claim("aud", json!("another"))),
        ("for us and another", claim("aud", json!(["gate", "another"]))),
        ("for nobody", claim("aud", json!([]))),
        ("another party's", claim("azp", json!("another"))),
        ("another provider's", claim("iss", json!("https://other.example"))),
        ("over", claim("exp", json!(now - 1))),
        ("signed by a key of somebody else with the same name", other_key),
        ("alg none", without_algorithm),
        ("no signature", unsigned),
        ("HS256 by the public key", by_secret(public)),
        ("HS256 by the client's secret", by_secret(SECRET.to_owned())),
        ("something critical", critical),
    ]
}

#[actix::test]
async fn c19_a_token_counts_only_as_the_provider_signed_it_for_us_and_this_sign_in() {
    let house = TestHouse::on_sqlite().await;
    let key = Key::ec("one");
    let provider = Provider::start(key.clone()).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({"role": "admin"})).await;
    for (at, (what, twist)) in (1..).zip(forgeries(&key)) {
        provider.twist(move |draft| twist(draft));
        let reply = Visit::at(&api, at).sign_in(&provider, json!({"sub": "1"})).await;
        assert_eq!(reply.problem(401), ["sign_in_failed"], "{what}");
    }
    provider.twist(|_| ());
    assert_eq!(Visit::at(&api, 99).sign_in(&provider, json!({"sub": "1"})).await.status, 200);
}

#[actix::test]
async fn c21_a_callback_counts_once_and_only_in_the_browser_that_began_it() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    let (mut theirs, mut ours) = (Visit::at(&api, 1), Visit::at(&api, 2));
    let address = theirs.leave("").await;
    let back = provider.signs_in(&address, json!({"sub": "1"}));
    // An attacker's callback in somebody else's browser would have that one work as the attacker.
    assert_eq!(ours.arrive(&back).await.problem(401), ["sign_in_expired"], "no ticket");
    ours.leave("").await;
    assert_eq!(ours.arrive(&back).await.problem(401), ["sign_in_expired"], "another's state");
    let ticket = theirs.ticket.clone().unwrap();
    for wrong in [back.replace("state=", "state=0"), back.replace("state=", "x="), format!("{back}&state=x")]
    {
        assert_eq!(theirs.arrive(&wrong).await.problem(401), ["sign_in_expired"], "{wrong}");
    }
    for forged in [ticket[1..].to_owned(), format!("{ticket}0"), ticket.replace('.', ""), String::new()] {
        let mut visit = Visit { ticket: Some(forged.clone()), ..Visit::at(&api, 1) };
        assert_eq!(visit.arrive(&back).await.problem(401), ["sign_in_expired"], "{forged}");
    }
    assert_eq!(provider.asked("/token"), 0, "the provider hears of none of it");
    assert_eq!(theirs.arrive(&back).await.status, 200);
    // The browser was told to forget the ticket, but somebody may have kept it.
    assert_eq!(theirs.arrive(&back).await.problem(401), ["sign_in_expired"], "a second time");
    assert_eq!(provider.asked("/token"), 1);
    let again = theirs.leave("").await;
    let stale =
        provider.signs_in(&again, json!({"sub": "1"})).replace("code=canary-code-1", "code=canary-code-0");
    assert_eq!(theirs.arrive(&stale).await.problem(401), ["sign_in_failed"], "a code that was redeemed");
}

#[actix::test]
async fn c19_a_stolen_code_is_worth_nothing_in_another_sign_in() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    let (mut anna, mut thief) = (Visit::at(&api, 1), Visit::at(&api, 2));
    let stolen = provider.signs_in(&anna.leave("").await, json!({"sub": "1"}));
    let own = provider.signs_in(&thief.leave("").await, json!({"sub": "2"}));
    assert!(stolen.contains("code=canary-code-0") && own.contains("code=canary-code-1"));
    let injected = own.replace("canary-code-1", "canary-code-0");
    assert_eq!(thief.arrive(&injected).await.problem(401), ["sign_in_failed"], "PKCE");
    assert_eq!(anna.arrive(&stolen).await.status, 200);
}

#[actix::test]
async fn c19_a_ticket_lasts_ten_minutes() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    let tickets = house.tickets();
    let visit = async |minutes: i64| {
        let ticket = tickets.make("/".to_owned(), None, Utc::now() - TimeDelta::minutes(minutes));
        let mut visit = Visit { ticket: Some(tickets.sealed(&ticket)), ..Visit::at(&api, 1) };
        let state = tickets.state(&ticket);
        visit.arrive(&format!("/api/v1/auth/oidc/callback?code=made-up&state={state}")).await
    };
    assert_eq!(visit(11).await.problem(401), ["sign_in_expired"]);
    assert_eq!(visit(9).await.problem(401), ["sign_in_failed"], "that far it goes, to the provider");
}

#[actix::test]
async fn c19_another_providers_answer_is_not_taken_for_this_ones() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    let split = |back: &str| {
        let (before, after) = back.split_once("&iss=").unwrap();
        (before.to_owned(), after.to_owned())
    };
    let mut visit = Visit::at(&api, 1);
    let back = provider.signs_in(&visit.leave("").await, json!({"sub": "1"}));
    let other = format!("{}&iss=https%3A%2F%2Fother.example", split(&back).0);
    assert_eq!(visit.arrive(&other).await.problem(401), ["sign_in_failed"]);
    assert_eq!(provider.asked("/token"), 0);
    // Who names itself always is not taken without its name.
    assert_eq!(visit.arrive(&split(&back).0).await.status, 200);
    provider.tell(json!({"authorization_response_iss_parameter_supported": true}));
    let api = set_up(&house, &provider, &[]).await;
    let mut visit = Visit::at(&api, 2);
    let back = provider.signs_in(&visit.leave("").await, json!({"sub": "1"}));
    assert_eq!(visit.arrive(&split(&back).0).await.problem(401), ["sign_in_failed"]);
    assert_eq!(visit.arrive(&back).await.status, 200);
}

#[actix::test]
async fn c19_a_browser_is_led_nowhere_else() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    for away in ["//evil.example", "https://evil.example", "/%5Cevil.example", "/.//evil.example", "evil"] {
        let path = format!("/api/v1/auth/oidc/start?return_to={away}");
        let reply = Visit::at(&api, 1).browser.get(&path).await;
        assert_eq!(reply.problem(422)[0], "invalid", "{away}");
    }
}

#[actix::test]
async fn c20_whoever_makes_up_codes_has_to_wait() {
    let house = TestHouse::on_sqlite().await;
    let provider = Provider::start(Key::ec("one")).await;
    let api = set_up(&house, &provider, &[]).await;
    known(&api, "anna", "1", json!({})).await;
    let mut visit = Visit::at(&api, 1);
    let mut told = Vec::new();
    for _ in 0..6 {
        let back = provider.signs_in(&visit.leave("").await, json!({"sub": "1"}));
        told.push(visit.arrive(&back.replace("code=", "code=x")).await.status);
    }
    assert_eq!(told, [401, 401, 401, 401, 401, 429]);
    assert_eq!(provider.asked("/token"), 5);
    assert_eq!(Visit::at(&api, 2).sign_in(&provider, json!({"sub": "1"})).await.status, 200);
}
