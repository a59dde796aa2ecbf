//! Keys: ours say who calls and go no further; the providers' go up and never come down (C-02, C-07, C-25).

use chrono::{TimeDelta, Utc};
use protocol::Format;
use serde_json::Value;

use crate::{
    house::{Asking, Heard, Speech, TestHouse, credential, plain},
    scripted::Upstream,
};

/// A key of somebody else's, left over in a client's settings.
const FOREIGN: &str = "sk-ant-foreign-Zq81Lm";

async fn sound() -> Upstream {
    Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(Format::Anthropic, "hi").on_the_wire(false)).await;
        }
    })
    .await
}

async fn open(upstream: &Upstream) -> TestHouse {
    TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
    })
    .await
}

/// A question without a key, and where else it may go.
fn question(query: &str) -> Asking {
    let mut asking = Asking::in_format(Format::Anthropic, "m", false, "hello").without_key();
    asking.path += query;
    asking
}

/// Every way to present a key.
fn presentations(key: &str) -> Vec<Asking> {
    vec![
        question("").header(format!("authorization: Bearer {key}")),
        question("").header(format!("Authorization: bearer   {key}")),
        question("").header(format!("x-api-key: {key}")),
        question("").header(format!("x-goog-api-key: {key}")),
        question("").header(format!("api-key: {key}")),
        question(&format!("?key={key}")),
        question(&format!("?beta=true&k%65y={key}")),
        question(&format!("?key={key}")).header(format!("x-api-key: {key}")),
        question("").header(format!("x-api-key: {key}")).header(format!("authorization: Bearer {FOREIGN}")),
        question("").header(format!("x-api-key: {FOREIGN}")).header(format!("authorization: Bearer {key}")),
        question(&format!("?key={FOREIGN}")).header(format!("x-goog-api-key: {key}")),
        question("").header(format!("x-api-key: {key}")).header(format!("cookie: session={key}")),
    ]
}

#[actix_rt::test]
async fn i31_a_callers_key_is_taken_from_everywhere_and_goes_nowhere() {
    let upstream = sound().await;
    let house = open(&upstream).await;
    let asked = presentations(&house.key);
    for asking in &asked {
        let heard = house.ask(asking.clone()).await;
        assert_eq!(heard.status, 200, "{asking:?}: {}", heard.text());
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), asked.len());
    for request in requests {
        for secret in [house.key.as_str(), FOREIGN] {
            assert!(!request.head.contains(secret), "{}", request.head);
        }
        assert_eq!(request.header("x-api-key"), Some(credential("only").as_str()));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {}", credential("only")).as_str()));
        assert_eq!(request.head.matches(&credential("only")).count(), 2, "{}", request.head);
    }
    house.close().await;
}

fn check_refused(heard: &Heard, message: &str) {
    assert_eq!(heard.status, 401, "{}", heard.text());
    assert_eq!(heard.json()["error"]["type"], "authentication_error");
    let text = heard.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(text.contains(message), "{text}");
    assert_eq!(heard.header("x-should-retry"), Some("false"), "waiting does not help");
    assert_eq!(heard.header("x-pointsman-error-source"), Some("gateway"));
}

#[actix_rt::test]
async fn a_key_that_does_not_hold_is_refused_before_any_upstream_is_asked() {
    let upstream = sound().await;
    let house = open(&upstream).await;
    let other = house.new_key("other", |_| {}).await;
    let past = Some(Utc::now() - TimeDelta::seconds(1));
    let disabled = house.new_key("disabled key", |key| key.enabled = false).await;
    let expired = house.new_key("expired key", |key| key.expires_at = past).await;
    let of_disabled = house.key_of("disabled", |user| user.enabled = false, |_| {}).await;
    let of_expired = house.key_of("expired", |user| user.expires_at = past, |_| {}).await;
    let mut near = house.key.clone();
    near.pop();
    for (asking, message) in [
        (question(""), "no api key was sent"),
        (question("").with_key(FOREIGN), "not known"),
        (question("").with_key(&near), "not known"),
        (question("").with_key(&format!("{}x", house.key)), "not known"),
        (question("").with_key(&disabled), "disabled"),
        (question("").with_key(&of_disabled), "disabled"),
        (question("").with_key(&expired), "expired"),
        (question("").with_key(&of_expired), "expired"),
        (question(&format!("?key={other}")).with_key(&house.key), "two different api keys"),
    ] {
        check_refused(&house.ask(asking).await, message);
    }
    assert_eq!(upstream.connections(), 0);
    for row in house.rows().await {
        assert_eq!((row.ending.name(), row.attempts.len(), row.status), ("refused", 0, 401));
    }
    house.close().await;
}

#[actix_rt::test]
async fn a_key_that_is_disabled_is_refused_from_then_on() {
    let upstream = sound().await;
    let house = open(&upstream).await;
    assert_eq!(house.ask(question("").with_key(&house.key)).await.status, 200);
    let row = &house.rows().await[0];
    let change = pointsman::store::KeyChange { enabled: Some(false), ..Default::default() };
    let key = row.key_id.expect("it was recognised");
    house.store.update_key(key, change).await.expect("the database answers");
    house.current.refresh_keys().await.expect("the database answers");
    check_refused(&house.ask(question("").with_key(&house.key)).await, "disabled");
    house.close().await;
}

/// Upstreams, and proxies before them, quote what they were sent.
#[actix_rt::test]
async fn c25_a_providers_credential_never_comes_down() {
    let upstream = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let secret = request.header("x-api-key").expect("a credential").to_owned();
            let status = request.text().split("answer ").nth(1).and_then(|rest| rest.get(..3));
            let status: u16 = status.and_then(|status| status.parse().ok()).expect("a status");
            let headers = format!(
                "x-api-key: {secret}\r\nauthorization: Bearer {secret}\r\nset-cookie: k={secret}\r\n\
                 x-debug: key={secret}\r\nx-trace: kept\r\n"
            );
            let sound = Speech::new(Format::Anthropic, "hi").plain;
            let told = format!("key {secret} is out of order");
            let error = serde_json::json!({"type": "error", "error": {"type": "api_error", "message": told}});
            let body = if status == 200 { sound } else { error.to_string() };
            conn.send(plain(status, &headers, &body)).await;
        }
    })
    .await;
    let house = open(&upstream).await;
    for status in [200, 400, 401, 404, 413, 422, 500] {
        let question = format!("answer {status}");
        let heard = house.ask(Asking::in_format(Format::Anthropic, "m", false, &question)).await;
        let all = format!("{}{}", heard.head, heard.text());
        assert!(!all.contains(&credential("only")), "{status}: {all}");
        assert_eq!(heard.status == 200, status == 200, "{status}: {all}");
        assert!(status != 200 || heard.header("x-trace") == Some("kept"), "{all}");
        let row = house.row(&heard).await;
        assert!(row.failure.is_some() || status == 200);
        assert!(!format!("{row:?}").contains(&credential("only")), "{status}: {row:?}");
    }
    house.close().await;
}

/// What a caller writes about keys and addresses is a matter between it and the vendor, and changes nothing.
#[actix_rt::test]
async fn c07_nothing_in_a_request_changes_where_it_goes_or_with_which_credential() {
    let (upstream, elsewhere) = (sound().await, sound().await);
    let house = open(&upstream).await;
    let there = format!("http://{}", elsewhere.address);
    let mut asking = Asking::in_format(Format::Anthropic, "m", false, "hello");
    for name in ["api_base", "base_url", "api_key", "proxy"] {
        asking = asking.field(name, Value::from(there.as_str()));
    }
    for name in ["x-base-url", "x-upstream", "forwarded", "x-forwarded-host", "x-original-url"] {
        asking = asking.header(format!("{name}: {there}"));
    }
    assert_eq!(house.ask(asking).await.status, 200);
    assert_eq!((upstream.connections(), elsewhere.connections()), (1, 0));
    assert_eq!(upstream.requests()[0].header("x-api-key"), Some(credential("only").as_str()));
    house.close().await;
}
