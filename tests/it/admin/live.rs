//! What goes on: actors, breakers, sessions, and the decision that would be made.

use actors::{
    dispatcher::messages::{Ask, CallerLimits},
    ids::{KeyId, RequestId, UserId},
    ledger::claim::Estimate,
    session::id::SessionId,
};
use protocol::{Format, Operation};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::TestHouse;

pub(super) async fn provider(api: &Api, name: &str, more: &str) -> Value {
    let body = format!(
        r#"{{"name": "{name}", "kind": "claude", "base_url": "https://{name}.example", "credential": "secret-{name}" {more}}}"#
    );
    api.post("/api/v1/providers", body).await.ok(201)
}

async fn key_with_groups(api: &Api, groups: Value) -> Value {
    let user = api.post("/api/v1/users", json!({"name": "ann", "groups": groups})).await.ok(201);
    api.post(&format!("/api/v1/users/{}/keys", user["id"]), json!({"name": "k"})).await.ok(201)
}

fn fates(decision: &Value) -> Vec<String> {
    let told = |part: &Value| part.as_str().unwrap_or("").to_owned();
    let fate = |c: &Value| format!("{}: {} {}", told(&c["provider"]), told(&c["fate"]), told(&c["reason"]));
    decision["candidates"].as_array().unwrap().iter().map(fate).collect()
}

#[actix::test]
async fn an_opened_breaker_shows_in_the_actor_and_in_the_decision_that_would_be() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let one = provider(&api, "one", "").await;
    provider(&api, "two", r#", "priority": 1"#).await;
    let key = key_with_groups(&api, json!([])).await;
    let ask = json!({"format": "anthropic", "model": "claude", "key_id": key["id"]});
    let before = api.post("/api/v1/route/simulate", &ask).await.ok(200);
    assert_eq!(fates(&before), ["one: chosen drawn", "two: in_reserve "]);
    assert_eq!(before["chosen"], one["id"]);

    let breaker = format!("/api/v1/providers/{}/breaker", one["id"]);
    let actor = api.post(&breaker, json!({"state": "open"})).await.ok(200);
    assert_eq!(actor["detail"]["breaker"]["state"], "open");
    assert_eq!(actor["in_flight"], 0);
    let listed = api.get("/api/v1/actors").await.ok(200);
    let kinds: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|a| format!("{}/{}", a["kind"], a["name"])).collect();
    assert_eq!(
        kinds,
        [
            r#""dispatcher"/"main""#,
            r#""door"/"main""#,
            r#""exports"/"main""#,
            r#""provider"/"one""#,
            r#""provider"/"two""#,
            r#""session_tracker"/"main""#
        ]
    );
    let shown = api.get("/api/v1/actors/provider/one").await.ok(200);
    assert_eq!((shown["state"].clone(), shown["restarts"].clone()), (json!("running"), json!(0)));
    assert_eq!(shown["detail"]["breaker"], actor["detail"]["breaker"]);
    let during = api.post("/api/v1/route/simulate", &ask).await.ok(200);
    assert_eq!(fates(&during), ["two: chosen drawn", "one: skipped breaker_open"]);

    api.post(&breaker, json!({"state": "closed"})).await.ok(200);
    let after = api.post("/api/v1/route/simulate", &ask).await.ok(200);
    assert_eq!(fates(&after), fates(&before));

    let told = api.post(&breaker, json!({"state": "ajar"})).await.problem(422);
    assert_eq!(told, ["invalid", "state: not_one_of: must be one of closed, open"]);
    assert_eq!(api.post(&breaker, "{}").await.problem(422), ["invalid", "state: required: must be given"]);
    assert_eq!(
        api.post("/api/v1/providers/99/breaker", json!({"state": "open"})).await.problem(404),
        ["not_found"]
    );
    assert_eq!(api.get("/api/v1/actors/provider/three").await.problem(404), ["not_found"]);
}

#[actix::test]
async fn a_simulation_goes_by_the_groups_of_the_key_or_its_user() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    provider(&api, "vip", r#", "groups": ["vip"]"#).await;
    let key = key_with_groups(&api, json!(["vip"])).await;
    let mut ask = json!({"format": "anthropic", "model": "claude", "key_id": key["id"]});
    let of_user = api.post("/api/v1/route/simulate", &ask).await.ok(200);
    assert_eq!(fates(&of_user), ["vip: chosen drawn"]);
    api.patch(&format!("/api/v1/keys/{}", key["id"]), json!({"groups": ["other"]})).await.ok(200);
    let of_key = api.post("/api/v1/route/simulate", &ask).await.ok(200);
    assert_eq!(fates(&of_key), ["vip: skipped group_not_allowed"]);
    assert_eq!(of_key["chosen"], Value::Null);
    ask["format"] = json!("gemini");
    assert_eq!(
        fates(&api.post("/api/v1/route/simulate", &ask).await.ok(200)),
        ["vip: skipped format_not_served"]
    );
    ask["key_id"] = json!(99);
    let told = api.post("/api/v1/route/simulate", &ask).await.problem(422);
    assert_eq!(told, ["invalid", "key_id: not_found: there is no such api key"]);
    let told = api.post("/api/v1/route/simulate", "{}").await.problem(422);
    assert_eq!(told.len(), 4, "format, model and key_id: {told:?}");
}

/// A conversation, bound to whoever answered it.
pub(super) async fn converse(house: &TestHouse, user: UserId, key: KeyId, name: &str) -> SessionId {
    let session = SessionId::new(key, Format::Anthropic, "claude-sonnet-4-5", name);
    let mut journey = house.gateway.journey(Ask {
        request: RequestId::new(),
        key,
        user,
        limits: CallerLimits::default(),
        estimate: Estimate::default(),
        groups: [].into(),
        closed_to_client: Vec::new(),
        format: Format::Anthropic,
        operation: Operation::Generate,
        model: "claude-sonnet-4-5-20250929".to_owned(),
        session: Some(session),
        session_goes_on: true,
        session_is_marked: true,
        continues: None,
    });
    drop(journey.next().await.unwrap());
    session
}

#[actix::test]
async fn a_session_is_listed_simulated_and_forgotten() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    provider(&api, "one", "").await;
    let two = provider(&api, "two", r#", "priority": -1"#).await;
    let key = key_with_groups(&api, json!([])).await;
    let (user, key_id) = (UserId(key["user_id"].as_i64().unwrap()), KeyId(key["id"].as_i64().unwrap()));
    let session = converse(&house, user, key_id, "chat-7").await;
    api.patch(&format!("/api/v1/providers/{}", two["id"]), json!({"priority": 1})).await.ok(200);

    let listed = api.get("/api/v1/sessions").await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let binding = &listed["items"][0];
    assert_eq!(binding["id"], session.to_string());
    assert_eq!((&binding["provider"], &binding["provider_id"]), (&json!("two"), &two["id"]));
    assert_eq!(binding["key_id"], key["id"]);

    let ask = |session: &str, operation: &str| json!({"format": "anthropic", "model": "claude-sonnet-4-5", "key_id": key["id"], "session": session, "operation": operation});
    for (named, operation, expected) in [
        (session.to_string(), "generate", "two: chosen bound"),
        ("chat-7".to_owned(), "generate", "two: chosen bound"),
        ("chat-8".to_owned(), "generate", "one: chosen drawn"),
        ("chat-7".to_owned(), "count_tokens", "one: chosen drawn"),
    ] {
        let decision = api.post("/api/v1/route/simulate", ask(&named, operation)).await.ok(200);
        assert_eq!(fates(&decision)[0], expected, "{named} {operation}");
    }
    let foreign = SessionId::new(KeyId(key_id.0 + 1), Format::Anthropic, "m", "c").to_string();
    let told = api.post("/api/v1/route/simulate", ask(&foreign, "generate")).await.problem(422);
    assert_eq!(told, ["invalid", "session: not_found: belongs to another api key"]);

    let path = format!("/api/v1/sessions/{session}");
    api.delete(&path).await.ok(204);
    assert_eq!(api.delete(&path).await.problem(404), ["not_found"]);
    assert_eq!(api.delete("/api/v1/sessions/x").await.problem(404), ["not_found"]);
    assert_eq!(api.get("/api/v1/sessions").await.ok(200)["items"], json!([]));
}
