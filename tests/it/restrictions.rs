//! Who may not ask for a model, or not with that program, is told so by us, in the words of the API that is spoken.

use actors::restrictions::{
    Restrictions,
    clients::{ClientPattern, ClientRules},
};
use chrono::{TimeDelta, Utc};
use protocol::Format;
use serde_json::json;

use crate::{
    house::{Asking, Heard, Speech, TestHouse},
    scripted::Upstream,
};

async fn house() -> (Upstream, TestHouse) {
    let upstream = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let path = request.head.split(' ').nth(1).unwrap_or_default();
            let format = match path {
                "/v1/messages" => Format::Anthropic,
                "/v1/chat/completions" => Format::OpenaiChat,
                "/v1/responses" => Format::OpenaiResponses,
                _ => Format::Gemini,
            };
            conn.send(Speech::new(format, "hi").on_the_wire(false)).await;
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
    })
    .await;
    (upstream, house)
}

fn models(models: &[&str]) -> Restrictions {
    let allowed_models = models.iter().map(|&model| model.to_owned()).collect();
    Restrictions { allowed_models, ..Restrictions::default() }
}

fn clients(allowed: &[&str], blocked: &[&str]) -> Restrictions {
    let patterns = |list: &[&str]| list.iter().map(|text| ClientPattern::parse(text).unwrap()).collect();
    let clients = ClientRules { allowed: patterns(allowed), blocked: patterns(blocked) };
    Restrictions { clients, ..Restrictions::default() }
}

fn ask(format: Format, model: &str, key: &str) -> Asking {
    Asking::in_format(format, model, false, "hello").with_key(key)
}

/// The status, and type or code, of a final refusal of ours.
fn refused(format: Format, heard: &Heard) -> (u16, String) {
    assert_eq!(heard.header("x-should-retry"), Some("false"), "{}", heard.head);
    assert_eq!(heard.header("x-pointsman-error-source"), Some("gateway"));
    assert_eq!(heard.header("retry-after"), None);
    let error = &heard.json()["error"];
    let word = match format {
        Format::Anthropic => &error["type"],
        Format::Gemini => &error["status"],
        Format::OpenaiChat | Format::OpenaiResponses => &error["code"],
    };
    (heard.status, word.as_str().unwrap().to_owned())
}

#[actix_rt::test]
async fn a_model_that_user_or_key_may_not_ask_for_is_refused_in_every_dialect() {
    let (upstream, house) = house().await;
    let user_and_key = async |name: &str, user: Restrictions, key: Restrictions| {
        house.key_of(name, |new| new.restrictions = user, |new| new.restrictions = key).await
    };
    let of_user = user_and_key("a", models(&["good-*"]), Restrictions::default()).await;
    let of_key = user_and_key("b", Restrictions::default(), models(&["good-1"])).await;
    let of_both = user_and_key("c", models(&["good-1"]), models(&["good-*", "bad"])).await;
    for format in Format::ALL {
        let expected = match format {
            Format::Anthropic => (403, "permission_error"),
            Format::OpenaiChat => (403, "model_not_allowed"),
            Format::OpenaiResponses => (404, "model_not_found"),
            Format::Gemini => (403, "PERMISSION_DENIED"),
        };
        for key in [&of_user, &of_key, &of_both] {
            let heard = house.ask(ask(format, "bad", key)).await;
            let (status, word) = refused(format, &heard);
            assert_eq!((status, word.as_str()), expected, "{format:?}");
            assert!(heard.text().contains("`good-"), "{}", heard.text());
            let row = house.row(&heard).await;
            assert_eq!(row.failure.as_ref().map(|failure| &*failure.kind), Some("model_restricted"));
            assert_eq!((row.ending.name(), row.model.as_deref()), ("refused", Some("bad")));
            assert!(row.reserved.is_none() && row.attempts.is_empty() && row.decisions.is_none(), "{row:?}");
        }
        assert_eq!(house.ask(ask(format, "good-1", &of_both)).await.status, 200, "{format:?}");
    }
    assert_eq!(house.ask(ask(Format::Anthropic, "good-2", &of_user)).await.status, 200);
    assert_eq!(
        refused(Format::Anthropic, &house.ask(ask(Format::Anthropic, "good-2", &of_both)).await).0,
        403
    );
    assert_eq!(upstream.requests().len(), Format::ALL.len() + 1);
    house.close().await;
}

#[actix_rt::test]
async fn a_program_that_may_not_be_used_is_refused_in_every_dialect() {
    let (upstream, house) = house().await;
    let only_code = house.new_key("a", |key| key.restrictions = clients(&["claude-code"], &[])).await;
    let no_curl = |user: &mut pointsman::store::NewUser| user.restrictions = clients(&[], &["curl"]);
    let no_curl = house.key_of("b", no_curl, |_| {}).await;
    let code = |asking: Asking| {
        asking
            .header("user-agent: claude-cli/2.1.329 (external, cli)")
            .header("x-app: cli")
            .header("anthropic-beta: claude-code-20250219")
    };
    for format in Format::ALL {
        let expected = match format {
            Format::Anthropic => (403, "permission_error"),
            Format::OpenaiChat => (403, "permission_denied"),
            Format::OpenaiResponses => (404, "permission_denied"),
            Format::Gemini => (403, "PERMISSION_DENIED"),
        };
        for (asking, told) in [
            (ask(format, "m", &only_code), "only to `claude-code`"),
            (
                ask(format, "m", &only_code).header("user-agent: claude-cli/2.1.329 (external, cli)"),
                "only to",
            ),
            (ask(format, "m", &no_curl).header("user-agent: curl/8.5.0"), "not open to this client"),
            (ask(format, "m", &no_curl).header("user-agent: Curl/8 \u{fc}"), "not open to this client"),
        ] {
            let heard = house.ask(asking).await;
            let (status, word) = refused(format, &heard);
            assert_eq!((status, word.as_str()), expected, "{format:?}");
            assert!(heard.text().contains(told), "{}", heard.text());
            assert!(!heard.text().contains("curl"), "what is blocked is not told: {}", heard.text());
            let row = house.row(&heard).await;
            assert_eq!(row.failure.as_ref().map(|failure| &*failure.kind), Some("client_restricted"));
            assert!(row.reserved.is_none() && row.attempts.is_empty() && row.key_id.is_some());
        }
        assert_eq!(house.ask(code(ask(format, "m", &only_code))).await.status, 200, "{format:?}");
        assert_eq!(house.ask(ask(format, "m", &no_curl)).await.status, 200, "{format:?}");
    }
    assert_eq!(upstream.requests().len(), 2 * Format::ALL.len());
    house.close().await;
}

#[actix_rt::test]
async fn i52_a_restriction_holds_from_the_next_request_on() {
    let (_upstream, house) = house().await;
    let status = async |model: &str| house.ask(ask(Format::Anthropic, model, &house.key)).await.status;
    let patch = async |path: &str, body: serde_json::Value| {
        let asking = Asking::post(format!("/api/v1/{path}"), body.to_string()).method("PATCH");
        assert_eq!(house.operate(asking).await.rest().await.status, 200);
    };
    assert_eq!((status("a").await, status("b").await), (200, 200));
    patch("users/1", json!({"allowed_models": ["a"]})).await;
    assert_eq!((status("a").await, status("b").await), (200, 403));
    patch("keys/1", json!({"allowed_clients": ["codex-cli"]})).await;
    assert_eq!(status("a").await, 403);
    patch("keys/1", json!({"allowed_clients": null})).await;
    patch("users/1", json!({"allowed_models": null})).await;
    assert_eq!((status("a").await, status("b").await), (200, 200));
    house.close().await;
}

/// The names of those that were passed over in the last choice for a request, with the reasons.
async fn passed_over(house: &TestHouse, heard: &Heard) -> Vec<String> {
    let row = house.row(heard).await;
    let decisions: serde_json::Value = serde_json::from_str(row.decisions.unwrap().get()).unwrap();
    let last = decisions.as_array().unwrap().last().unwrap()["candidates"].as_array().unwrap().clone();
    let skipped = last.iter().filter(|candidate| candidate["fate"] == "skipped");
    skipped
        .map(|one| format!("{}: {}", one["provider"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect()
}

/// An hour that is so many from now, as schedules tell it.
fn hour(from_now: i64) -> String {
    (Utc::now() + TimeDelta::hours(from_now)).format("%H:00").to_string()
}

async fn change_provider(house: &TestHouse, id: usize, body: serde_json::Value) {
    let asking = Asking::post(format!("/api/v1/providers/{id}"), body.to_string()).method("PATCH");
    let heard = house.operate(asking).await.rest().await;
    assert_eq!(heard.status, 200, "{}", heard.text());
}

async fn two_providers() -> ([Upstream; 2], TestHouse) {
    let sound = || {
        Upstream::start(|mut conn| async move {
            while conn.request().await.is_some() {
                conn.send(Speech::new(Format::Anthropic, "hi").on_the_wire(false)).await;
            }
        })
    };
    let upstreams = [sound().await, sound().await];
    let house = TestHouse::open(|setup| {
        setup.provider("first", upstreams[0].address);
        setup.provider("second", upstreams[1].address).priority = 1;
    })
    .await;
    let asking = Asking::post("/api/v1/settings", r#"{"time_zone": "UTC"}"#).method("PATCH");
    assert_eq!(house.operate(asking).await.rest().await.status, 200);
    (upstreams, house)
}

#[actix_rt::test]
async fn i52_a_provider_that_is_closed_is_passed_over_also_by_its_own_conversations() {
    let (_upstreams, house) = two_providers().await;
    let turn = async || {
        let asking = Asking::in_format(Format::Anthropic, "m", false, "hello");
        let heard = house.ask(asking.header("x-claude-code-session-id: chat-1")).await;
        assert_eq!(heard.status, 200, "{}", heard.text());
        (heard.header("x-pointsman-provider").unwrap().to_owned(), passed_over(&house, &heard).await)
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(turn().await, ("first".to_owned(), none.clone()));
    change_provider(&house, 1, json!({"schedule": {"from": hour(2), "to": hour(4)}})).await;
    assert_eq!(turn().await, ("second".to_owned(), vec!["first: outside_schedule".to_owned()]));
    change_provider(&house, 1, json!({"schedule": {"from": hour(-2), "to": hour(4)}})).await;
    assert_eq!(turn().await, ("second".to_owned(), none.clone()), "where the conversation is at home by now");
    change_provider(&house, 2, json!({"schedule": {"from": hour(2), "to": hour(-2)}})).await;
    assert_eq!(turn().await, ("first".to_owned(), vec!["second: outside_schedule".to_owned()]));
    house.close().await;
}

#[actix_rt::test]
async fn where_every_provider_is_closed_none_is_available_just_now() {
    let (_upstreams, house) = two_providers().await;
    for id in [1, 2] {
        change_provider(&house, id, json!({"schedule": {"from": hour(2), "to": hour(4)}})).await;
    }
    let heard = house.ask(Asking::in_format(Format::Anthropic, "m", false, "hello")).await;
    assert_eq!((heard.status, heard.header("retry-after")), (529, None), "{}", heard.text());
    let row = house.row(&heard).await;
    assert_eq!(row.failure.as_ref().map(|failure| &*failure.kind), Some("providers_unavailable"));
    assert_eq!(passed_over(&house, &heard).await, ["first: outside_schedule", "second: outside_schedule"]);
    house.close().await;
}

#[actix_rt::test]
async fn a_provider_serves_the_programs_that_it_is_open_to() {
    let (upstreams, house) = two_providers().await;
    change_provider(&house, 1, json!({"allowed_clients": ["codex-cli"]})).await;
    change_provider(&house, 2, json!({"blocked_clients": ["curl"]})).await;
    let ask = async |format: Format, agent: &str| {
        house.ask(Asking::in_format(format, "m", false, "hello").header(format!("user-agent: {agent}"))).await
    };
    let heard = ask(Format::Anthropic, "codex_exec/1").await;
    assert_eq!((heard.status, heard.header("x-pointsman-provider")), (200, Some("first")));
    let heard = ask(Format::Anthropic, "other/1").await;
    assert_eq!((heard.status, heard.header("x-pointsman-provider")), (200, Some("second")));
    assert_eq!(passed_over(&house, &heard).await, ["first: client_not_allowed"]);
    for format in Format::ALL {
        let heard = ask(format, "curl/8").await;
        let status = if format == Format::OpenaiResponses { 404 } else { 403 };
        assert_eq!(refused(format, &heard).0, status, "{format:?}");
        let row = house.row(&heard).await;
        assert_eq!(row.failure.as_ref().map(|failure| &*failure.kind), Some("client_not_allowed"));
        assert_eq!(
            passed_over(&house, &heard).await,
            ["first: client_not_allowed", "second: client_not_allowed"]
        );
    }
    assert_eq!(upstreams.map(|upstream| upstream.requests().len()), [1, 1]);
    house.close().await;
}

#[actix_rt::test]
async fn the_list_of_models_is_what_the_caller_may_ask_for() {
    let house = TestHouse::open(|setup| {
        let address = ([127, 0, 0, 1], 1).into();
        setup.provider("named", address).allowed_models = vec!["claude-a".into(), "claude-b".into()];
        setup.provider("beginnings", address).allowed_models = vec!["gpt-*".into()];
    })
    .await;
    let restricted = |user: Restrictions, key: Restrictions| {
        let house = &house;
        async move {
            house
                .key_of(&format!("{user:?}"), |new| new.restrictions = user, |new| new.restrictions = key)
                .await
        }
    };
    let listed = async |key: &str, path: &str| {
        // No row is left of it.
        house.operate(Asking::post(path, "").method("GET").with_key(key)).await.rest().await
    };
    let ids = async |key: &str| {
        let body = listed(key, "/v1/models").await.json();
        let ids =
            body["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&house.key).await, ["claude-a", "claude-b"]);
    let some = restricted(models(&["claude-b", "gpt-5", "o3"]), Restrictions::default()).await;
    assert_eq!(ids(&some).await, ["claude-b", "gpt-5"], "also what only the rules name, where it is served");
    assert_eq!(listed(&some, "/v1/models/claude-b").await.status, 200);
    assert_eq!(listed(&some, "/v1/models/claude-a").await.status, 404);
    let both = restricted(models(&["claude-*"]), models(&["claude-a", "gpt-5"])).await;
    assert_eq!(ids(&both).await, ["claude-a"]);
    change_provider(&house, 1, json!({"allowed_clients": ["codex-cli"]})).await;
    assert_eq!(ids(&house.key).await, [""; 0], "what is not served to this program is not offered to it");
    let other = restricted(clients(&["codex-cli"], &[]), Restrictions::default()).await;
    assert_eq!(refused(Format::OpenaiChat, &listed(&other, "/v1/models").await).0, 403);
    house.close().await;
}
