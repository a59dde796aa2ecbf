//! What operators hear of a house that serves: a snapshot, then changes.

use actors::{ledger::limits::Span, money::Pico, provider::messages::SetBreaker};
use pointsman::store::UserChange;
use protocol::Format;
use serde_json::Value;

use crate::{
    house::{Asking, Heard, Speech, TestHouse},
    scripted::Upstream,
};

fn listening(query: &str) -> Asking {
    Asking::post(format!("/api/v1/events{query}"), "").method("GET")
}

async fn house() -> (TestHouse, Upstream) {
    let upstream = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(Format::Anthropic, "yes").on_the_wire(false)).await;
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
    })
    .await;
    (house, upstream)
}

/// The events of a stream that has ended: id, name and document.
fn events(heard: &Heard) -> Vec<(String, String, Value)> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(ToOwned::to_owned))
    };
    let event = |text: &str| {
        let data = serde_json::from_str(&field(text, "data")?).unwrap();
        Some((field(text, "id").unwrap_or_default(), field(text, "event")?, data))
    };
    heard.text().split("\n\n").filter_map(event).collect()
}

async fn ask(house: &TestHouse) -> Heard {
    let heard = house.ask(Asking::in_format(Format::Anthropic, "m", false, "tides?")).await;
    assert_eq!(heard.status, 200, "{}", heard.text());
    heard
}

#[actix::test]
async fn a_listener_hears_of_requests_actors_quotas_and_alerts_until_the_house_closes() {
    let (house, _upstream) = house().await;
    let user = house.current.keys().find(&house.key).unwrap().user;
    let mut limits = house.store.user(user).await.unwrap().limits;
    limits.usd[Span::Day] = Some(Pico(1_000_000_000_000));
    house
        .store
        .update_user(user, UserChange { limits: Some(limits), ..UserChange::default() })
        .await
        .unwrap();
    house.current.refresh_keys().await.unwrap();

    let mut listener = house.operate(listening("")).await;
    assert!(listener.hears("event: snapshot").await);
    let answered = ask(&house).await;
    assert!(listener.hears("event: request").await);
    assert!(listener.hears("unpriced_model").await);
    assert!(listener.hears("event: quota").await);
    let provider = house.current.cards()[0].id;
    house.gateway.set_breaker(provider, SetBreaker::Open).await.unwrap();
    assert!(listener.hears(r#""breaker":"open""#).await);
    assert!(listener.hears("breaker_open").await);
    house.gateway.set_breaker(provider, SetBreaker::Closed).await.unwrap();
    assert!(listener.hears(r#""on":false"#).await);
    house.stopper.stop();
    let heard = listener.rest().await;
    let all = events(&heard);
    assert_eq!(all[0].1, "snapshot");
    let names: Vec<_> =
        all[0].2["actors"].as_array().unwrap().iter().map(|actor| actor["name"].clone()).collect();
    assert!(names.contains(&"only".into()), "{names:?}");
    let request = &all.iter().find(|(_, name, _)| name == "request").unwrap().2;
    assert_eq!(request["id"], answered.header("x-pointsman-request-id").unwrap());
    assert_eq!((&request["status"], &request["ending"]), (&200.into(), &"complete".into()));
    let quota = |(_, name, data): &&(String, String, Value)| {
        name == "quota" && data["account"] == format!("user/{}", user.0)
    };
    let quota = &all.iter().find(quota).unwrap().2;
    let daily = quota["windows"].as_array().unwrap().iter().find(|window| window["limit_usd"] == "1");
    assert_eq!(daily.unwrap()["used_percent"], 0, "{quota}");
    let alerts: Vec<_> =
        all.iter().filter(|(_, name, _)| name == "alert").map(|(_, _, data)| data.to_string()).collect();
    assert_eq!(
        alerts.last().unwrap(),
        r#"{"alert":"breaker_open","subject":"only","on":false}"#,
        "{alerts:?}"
    );
    assert_eq!(all.last().unwrap().2["reason"], "stopping");
    assert!(!heard.text().contains("credential-of"), "no secret");
    house.ended().await;
}

#[actix::test]
async fn who_comes_back_goes_on_where_it_was_and_hears_only_its_topics() {
    let (house, _upstream) = house().await;
    let mut listener = house.operate(listening("?topics=requests")).await;
    assert!(listener.hears("event: snapshot").await);
    let first = ask(&house).await;
    assert!(listener.hears("event: request").await);
    listener.leave();
    let missed = ask(&house).await;
    let id_of = |heard: &Heard| heard.header("x-pointsman-request-id").unwrap().to_owned();

    // From the very beginning of what is remembered: the last that was known is the snapshot.
    let mut whole = house.operate(listening("?topics=requests")).await;
    assert!(whole.hears("event: snapshot").await);
    let known = {
        let (number, text) = (ask(&house).await, &mut whole);
        assert!(text.hears(&id_of(&number)).await);
        text.so_far()
    };
    let after_snapshot = known.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let again = listening("?topics=requests").header(format!("last-event-id: {after_snapshot}"));
    let mut again = house.operate(again).await;
    let last = ask(&house).await;
    assert!(again.hears(&id_of(&last)).await);
    let text = again.so_far();
    assert!(!text.contains("snapshot") && !text.contains("event: actor"), "{text}");
    assert_eq!(text.matches("event: request").count(), 2, "the one that was missed, and the last: {text}");
    assert!(!text.contains(&id_of(&first)) && !text.contains(&id_of(&missed)), "{text}");

    let refused = house.operate(listening("?topics=requests,weather")).await.rest().await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &"invalid".into()));
    house.close().await;
}
