//! Conversations stay where they began, and move when they must.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use protocol::Format;

use crate::{
    house::{Asking, Heard, Speech, TestHouse, plain},
    scripted::Upstream,
};

/// An upstream that answers everything in that format, plainly, with `text` as what it says.
async fn answering(format: Format, text: &'static str) -> Upstream {
    Upstream::start(move |mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(format, text).on_the_wire(false)).await;
        }
    })
    .await
}

/// A house with two providers of equal standing.
async fn two(format: Format) -> (TestHouse, [Upstream; 2]) {
    let upstreams = [answering(format, "east").await, answering(format, "west").await];
    let house = TestHouse::open(|setup| {
        setup.provider("east", upstreams[0].address);
        setup.provider("west", upstreams[1].address);
    })
    .await;
    (house, upstreams)
}

fn provider(heard: &Heard) -> &str {
    assert_eq!(heard.status, 200, "{}", heard.text());
    heard.header("x-pointsman-provider").expect("every answer names its provider")
}

/// The marks that clients put on their conversations, each on a question of its own.
fn marked(format: Format, conversation: &str, question: &str) -> Vec<Asking> {
    let plain = Asking::in_format(format, "m", false, question);
    let header = |name: &str| plain.clone().header(format!("{name}: {conversation}"));
    let field = |name: &str, value: serde_json::Value| plain.clone().field(name, value);
    let user = |id: String| serde_json::json!({ "user_id": id });
    match format {
        Format::Anthropic => vec![
            header("x-claude-code-session-id"),
            field("metadata", user(format!(r#"{{"device_id":"d","session_id":"{conversation}"}}"#))),
            field("metadata", user(format!("user_d_account__session_{conversation}"))),
        ],
        Format::OpenaiChat => vec![field("prompt_cache_key", conversation.into()), header("session-id")],
        Format::OpenaiResponses => vec![
            header("session_id"),
            field("client_metadata", serde_json::json!({ "session_id": conversation })),
            field("prompt_cache_key", conversation.into()),
        ],
        // Gemini's clients mark nothing.
        Format::Gemini => Vec::new(),
    }
}

#[actix_rt::test]
async fn a_marked_conversation_stays_with_its_provider_in_every_format() {
    for format in Format::ALL {
        let (house, _upstreams) = two(format).await;
        let mut homes = BTreeSet::new();
        for conversation in 0..24 {
            let name = format!("conversation-{conversation}");
            let mut home = None;
            for turn in 0..3 {
                for asking in marked(format, &name, &format!("unlike any other: {conversation} {turn}")) {
                    let heard = house.ask(asking).await;
                    let found = provider(&heard).to_owned();
                    let home = home.get_or_insert_with(|| found.clone());
                    assert_eq!(*home, found, "{format:?} {name} moved at turn {turn}");
                }
            }
            homes.extend(home);
        }
        assert_eq!(homes.len(), if format == Format::Gemini { 0 } else { 2 }, "{format:?}: both have some");
        house.close().await;
    }
}

#[actix_rt::test]
async fn unmarked_conversations_begin_by_weight_and_go_on_where_they_began() {
    for format in Format::ALL {
        let (house, _upstreams) = two(format).await;
        let mut homes = Vec::new();
        for conversation in 0..24 {
            let first = format!("question {conversation}");
            let turn = |said: &[&str]| house.ask(Asking::turns(format, "m", false, said));
            let home = provider(&turn(&[&first]).await).to_owned();
            for said in
                [vec![first.as_str(), "so", "and then?"], vec![&first, "so", "and then?", "well", "ah"]]
            {
                assert_eq!(provider(&turn(&said).await), home, "{format:?}: {said:?}");
            }
            homes.push(home);
        }
        let east = homes.iter().filter(|home| *home == "east").count();
        assert!((1..24).contains(&east), "{format:?}: {east} of 24 began in the east");
        house.close().await;
    }
}

/// Many conversations begin with the same words: each first turn is drawn anew.
#[actix_rt::test]
async fn first_turns_that_are_alike_are_spread_by_weight() {
    let (house, _upstreams) = two(Format::Anthropic).await;
    let house_ref = &house;
    let asked = stream::iter(0..40)
        .map(|_| house_ref.ask(Asking::in_format(Format::Anthropic, "m", false, "hello")))
        .buffer_unordered(8);
    let homes: Vec<String> = asked.map(|heard| provider(&heard).to_owned()).collect().await;
    let east = homes.iter().filter(|home| *home == "east").count();
    assert!((5..=35).contains(&east), "{east} of 40 went east");
    house.close().await;
}

#[actix_rt::test]
async fn a_conversation_moves_when_its_provider_fails_and_stays_where_it_went() {
    let failing = Upstream::start(|mut conn| async move {
        let mut good = true;
        while conn.request().await.is_some() {
            let sound = Speech::new(Format::Anthropic, "east").on_the_wire(false);
            let broken = r#"{"type":"error","error":{"type":"api_error","message":"out of order"}}"#;
            conn.send(if good { sound } else { plain(500, "", broken) }).await;
            good = false;
        }
    })
    .await;
    let west = answering(Format::Anthropic, "west").await;
    let house = TestHouse::open(|setup| {
        setup.provider("east", failing.address);
        setup.provider("west", west.address).priority = 1;
    })
    .await;
    let mut went = Vec::new();
    for turn in 0..4 {
        let asking = Asking::in_format(Format::Anthropic, "m", false, &format!("turn {turn}"));
        let heard = house.ask(asking.header("x-claude-code-session-id: mine")).await;
        let attempts = heard.header("x-pointsman-attempts").map(str::to_owned);
        went.push((provider(&heard).to_owned(), attempts.unwrap_or_default()));
    }
    let told = |provider: &str, attempts: &str| (provider.to_owned(), attempts.to_owned());
    assert_eq!(went, [told("east", "1"), told("west", "2"), told("west", "1"), told("west", "1")]);
    house.close().await;
}

#[actix_rt::test]
async fn i49_two_keys_never_share_a_conversation() {
    let (house, _upstreams) = two(Format::Anthropic).await;
    let other = house.new_key("other", |_| {}).await;
    for conversation in 0..20 {
        for key in [house.key.clone(), other.clone()] {
            let asking = Asking::in_format(Format::Anthropic, "m", false, "hello").with_key(&key);
            house.ask(asking.header(format!("x-claude-code-session-id: shared-{conversation}"))).await;
        }
    }
    let sessions = house.gateway.sessions(None, 100).await.expect("the tracker answers");
    assert_eq!(sessions.len(), 40);
    let rows = house.rows().await;
    let named: BTreeSet<_> = rows.iter().map(|row| (row.key_id, row.session.clone())).collect();
    assert_eq!(named.len(), 40);
    house.close().await;
}

#[actix_rt::test]
async fn a_title_request_of_another_model_does_not_move_the_conversation() {
    let upstreams = [answering(Format::Anthropic, "east").await, answering(Format::Anthropic, "west").await];
    let house = TestHouse::open(|setup| {
        setup.provider("east", upstreams[0].address).allowed_models = vec!["opus".to_owned()];
        let west = setup.provider("west", upstreams[1].address);
        west.priority = 1;
    })
    .await;
    for model in ["opus", "haiku", "opus", "haiku", "opus"] {
        let asking = Asking::in_format(Format::Anthropic, model, false, "hello");
        let heard = house.ask(asking.header("x-claude-code-session-id: mine")).await;
        assert_eq!(provider(&heard), if model == "opus" { "east" } else { "west" });
    }
    house.close().await;
}

#[actix_rt::test]
async fn what_continues_an_earlier_answer_goes_where_that_was_made() {
    let (house, _upstreams) = two(Format::OpenaiResponses).await;
    let mut answers = BTreeSet::new();
    while answers.len() < 2 {
        let heard = house.ask(Asking::in_format(Format::OpenaiResponses, "m", false, "hello")).await;
        answers.insert(heard.json()["id"].as_str().expect("an id").to_owned());
    }
    for turn in 0..10 {
        for answer in &answers {
            let body = serde_json::json!({"model": "m", "input": format!("go on {turn}"),
                "previous_response_id": answer});
            let heard = house.ask(Asking::post("/v1/responses", body.to_string())).await;
            assert_eq!(format!("resp_{}", provider(&heard)), *answer, "turn {turn}");
        }
    }
    house.close().await;
}
