//! Providers: what is taken, what is refused, and that a change counts at once.

use actors::{
    ids::ProviderId,
    ledger::limits::{Day, Limits, Span},
    money::Pico,
    provider::card::{Card, Kind},
};
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_provider_is_made_changed_and_removed
    null_goes_back_to_the_default_and_what_is_absent_stays
    a_name_that_is_taken_is_a_conflict
    c05_a_credential_goes_in_and_never_comes_out
    a_list_comes_in_pages
}

const SECRET: &str = "sk-canary-0123456789-tail";

fn minimal(name: &str) -> Value {
    json!({"name": name, "kind": "claude", "base_url": "https://api.example.com", "credential": SECRET})
}

fn with(mut base: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

fn card(house: &TestHouse, id: &Value) -> Option<Card> {
    let id = ProviderId(id.as_i64().unwrap());
    house.current.cards().iter().find(|card| card.id == id).map(|card| (**card).clone())
}

async fn a_provider_is_made_changed_and_removed(house: TestHouse) {
    let api = Api::of(&house).await;
    let whole = with(
        minimal("one"),
        &json!({
            "base_url": "https://api.example.com/anthropic/",
            "formats": ["anthropic", "openai_chat"], "weight": 3, "priority": -1, "cost_multiplier": "0.85",
            "groups": ["vip"], "allowed_models": ["claude-*"], "model_redirects": {"a": "b"},
            "limits": {"concurrency": 7, "usd_5h": "2.5", "usd_total": null, "daily_reset": {"mode": "rolling"}},
            "breaker": {"failure_threshold": 2}, "timeouts": {"idle_ms": 1000},
            "proxy": {"url": null, "fallback_direct": false}, "enabled": true, "notes": "n",
        }),
    );
    let made = api.post("/api/v1/providers", &whole).await.ok(201);
    for (member, expected) in [
        ("base_url", json!("https://api.example.com/anthropic")),
        ("formats", json!(["anthropic", "openai_chat"])),
        ("cost_multiplier", json!("0.85")),
        ("priority", json!(-1)),
        ("breaker", json!({"failure_threshold": 2, "open_ms": 1_800_000, "half_open_successes": 2})),
        ("proxy", Value::Null),
        ("credential_hint", json!("…tail")),
    ] {
        assert_eq!(made[member], expected, "{member}");
    }
    assert_eq!(
        made["limits"],
        json!({
            "concurrency": 7, "usd_5h": "2.5", "usd_daily": null, "usd_weekly": null, "usd_monthly": null,
            "usd_total": null, "five_hours_reset": null, "daily_reset": {"mode": "rolling", "at": null},
        })
    );
    let path = format!("/api/v1/providers/{}", made["id"]);
    assert_eq!(api.get(&path).await.ok(200), made);

    let in_force = card(&house, &made["id"]).expect("the next request sees it");
    assert_eq!((in_force.weight, in_force.credential.reveal()), (3, SECRET));
    let mut limits = Limits { concurrency: Some(7), day: Some(Day::Rolling), ..Limits::default() };
    limits.usd[Span::FiveHours] = Some(Pico(2_500_000_000_000));
    assert_eq!(in_force.limits, limits);
    assert_eq!(in_force.timeouts.idle_ms, 1_000);

    let changed = api.patch(&path, json!({"weight": 0, "kind": "openai"})).await.ok(200);
    assert_eq!((changed["weight"].clone(), changed["version"].clone()), (json!(0), json!(2)));
    let in_force = card(&house, &made["id"]).unwrap();
    assert_eq!((in_force.weight, in_force.kind, in_force.version), (0, Kind::Openai, 2));
    assert_eq!(in_force.credential.reveal(), SECRET, "what was not given stays");

    assert_eq!(api.delete(&path).await.ok(204), Value::Null);
    assert!(card(&house, &made["id"]).is_none());
    assert_eq!(api.get(&path).await.problem(404), ["not_found"]);
    assert_eq!(api.delete(&path).await.problem(404), ["not_found"]);
    assert_eq!(api.patch(&path, json!({})).await.problem(404), ["not_found"]);
    assert_eq!(api.get("/api/v1/providers/x").await.problem(404), ["not_found"]);
}

async fn null_goes_back_to_the_default_and_what_is_absent_stays(house: TestHouse) {
    let api = Api::of(&house).await;
    let given = json!({
        "weight": 5, "groups": ["g"], "limits": {"concurrency": 2, "usd_daily": "3"}, "notes": "n", "formats": ["gemini"],
        "breaker": {"failure_threshold": 9, "open_ms": 10}, "timeouts": {"connect_ms": 1, "idle_ms": 2},
    });
    let made = api.post("/api/v1/providers", with(minimal("one"), &given)).await.ok(201);
    let path = format!("/api/v1/providers/{}", made["id"]);

    let nested =
        json!({"breaker": {"open_ms": null}, "timeouts": {"idle_ms": 3}, "limits": {"usd_total": "0"}});
    let changed = api.patch(&path, nested).await.ok(200);
    assert_eq!(
        changed["breaker"],
        json!({"failure_threshold": 9, "open_ms": 1_800_000, "half_open_successes": 2})
    );
    assert_eq!(changed["timeouts"]["connect_ms"], 1);
    assert_eq!(changed["timeouts"]["idle_ms"], 3);
    assert_eq!(changed["limits"]["concurrency"], 2);
    assert_eq!(json!([changed["limits"]["usd_daily"], changed["limits"]["usd_total"]]), json!(["3", "0"]));
    let changed = api.patch(&path, json!({"limits": {"usd_daily": null}})).await.ok(200);
    assert_eq!(json!([changed["limits"]["usd_daily"], changed["limits"]["usd_total"]]), json!([null, "0"]));
    assert_eq!(changed["notes"], "n");

    let all = json!({"weight": null, "groups": null, "limits": null, "breaker": null, "formats": null, "notes": null});
    let changed = api.patch(&path, all).await.ok(200);
    assert_eq!(changed["weight"], 1);
    assert_eq!(changed["groups"], json!([]));
    assert_eq!(changed["limits"]["concurrency"], Value::Null);
    assert_eq!(changed["breaker"]["failure_threshold"], 5);
    assert_eq!(changed["formats"], json!(["anthropic"]), "the kind's own");
    assert_eq!(changed["timeouts"]["connect_ms"], 1, "was not mentioned");

    let refused = api.patch(&path, json!({"name": null, "credential": null})).await;
    let expected = ["invalid", "name: required: must be given", "credential: required: must be given"];
    assert_eq!(refused.problem(422), expected);
}

async fn a_name_that_is_taken_is_a_conflict(house: TestHouse) {
    let api = Api::of(&house).await;
    api.post("/api/v1/providers", minimal("one")).await.ok(201);
    let two = api.post("/api/v1/providers", minimal("two")).await.ok(201);
    let taken = ["conflict", "name: taken: is already taken"];
    assert_eq!(api.post("/api/v1/providers", minimal("one")).await.problem(409), taken);
    let path = format!("/api/v1/providers/{}", two["id"]);
    assert_eq!(api.patch(&path, json!({"name": "one"})).await.problem(409), taken);
}

async fn c05_a_credential_goes_in_and_never_comes_out(house: TestHouse) {
    let api = Api::of(&house).await;
    api.never_show(SECRET);
    api.never_show("canary");
    let made = api.post("/api/v1/providers", minimal("one")).await.ok(201);
    let path = format!("/api/v1/providers/{}", made["id"]);
    api.get(&path).await.ok(200);
    api.get("/api/v1/providers").await.ok(200);
    api.get("/api/v1/actors").await.ok(200);
    api.post("/api/v1/providers", minimal("one")).await.problem(409);
    api.post("/api/v1/providers", with(minimal("two"), &json!({"oops": "sk-canary", "weight": "sk-canary"})))
        .await;
    api.post("/api/v1/providers", format!(r#"{{"credential": "{SECRET}" oops"#)).await.problem(400);
    api.post("/api/v1/providers", with(minimal("two"), &json!({"credential": [SECRET]}))).await.problem(422);
    let with_user = json!({"base_url": "https://canary:canary@api.example.com"});
    api.post("/api/v1/providers", with(minimal("two"), &with_user)).await.problem(422);
    let short = api.patch(&path, json!({"credential": "short-1234"})).await.ok(200);
    assert_eq!(short["credential_hint"], Value::Null, "four characters of so few would tell too much");
    assert_eq!(card(&house, &made["id"]).unwrap().credential.reveal(), "short-1234");
}

async fn a_list_comes_in_pages(house: TestHouse) {
    let api = Api::of(&house).await;
    for name in ["a", "b", "c"] {
        api.post("/api/v1/providers", minimal(name)).await.ok(201);
    }
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = api.get("/api/v1/providers?limit=2").await.ok(200);
    assert_eq!(names(&first), ["a", "b"]);
    let next = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/api/v1/providers?limit=2&cursor={next}")).await.ok(200);
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second["next_cursor"], Value::Null);
    let wrong = api.get("/api/v1/providers?limit=0&cursor=x&order=name").await.problem(422);
    assert_eq!(
        wrong,
        [
            "invalid",
            "cursor: malformed: must be the `next_cursor` of an earlier page",
            "limit: out_of_range: must be a whole number from 1 to 500",
            "order: unknown: is no parameter here, or given more than once",
        ]
    );
}

#[actix::test]
async fn whatever_is_wrong_is_told_with_its_field() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (more, told) in [
        (json!({"name": ""}), "name: out_of_range: must have 1 to 64 characters"),
        (json!({"name": "é".repeat(65)}), "name: out_of_range: must have 1 to 64 characters"),
        (
            json!({"name": " a"}),
            "name: out_of_range: must not begin or end with a space or hold control characters",
        ),
        (json!({"name": null}), "name: required: must be given"),
        (
            json!({"kind": "vertex"}),
            "kind: not_one_of: must be one of claude, claude-auth, codex, openai, openai-compatible, gemini, gemini-cli",
        ),
        (
            json!({"formats": ["anthropic", "grpc"]}),
            "formats[1]: not_one_of: must be one of anthropic, openai_chat, openai_responses, gemini",
        ),
        (json!({"credential": ""}), "credential: out_of_range: must have 1 to 8192 characters"),
        (
            json!({"credential": "a\nb"}),
            "credential: out_of_range: must be printable ASCII without spaces around it",
        ),
        (json!({"base_url": "api.example.com"}), "base_url: malformed: not a url"),
        (
            json!({"base_url": "http://127.0.0.1:1"}),
            "base_url: malformed: scheme must be https; if it is meant, set allow_private_network to true",
        ),
        (
            json!({"base_url": "https://0x7f.1/"}),
            "base_url: malformed: address not allowed: loopback; if it is meant, set allow_private_network to true",
        ),
        (
            json!({"base_url": "https://169.254.169.254"}),
            "base_url: malformed: address not allowed: cloud metadata",
        ),
        (json!({"weight": 1001}), "weight: out_of_range: must be a whole number from 0 to 1000"),
        (json!({"weight": 1.5}), "weight: wrong_type: must be a whole number from 0 to 1000"),
        (json!({"weight": "1"}), "weight: wrong_type: must be a whole number from 0 to 1000"),
        (
            json!({"cost_multiplier": "1e50000000"}),
            "cost_multiplier: malformed: too many digits or too large an exponent",
        ),
        (json!({"cost_multiplier": "-1"}), "cost_multiplier: malformed: must not be negative"),
        (json!({"cost_multiplier": "1001"}), "cost_multiplier: malformed: must be at most 1000"),
        (json!({"cost_multiplier": true}), "cost_multiplier: malformed: must be a decimal number"),
        (json!({"allowed_models": ["a*b"]}), "allowed_models[0]: out_of_range: may hold `*` only at its end"),
        (
            json!({"model_redirects": {"a": ""}}),
            "model_redirects: out_of_range: each model name must have 1 to 256 bytes",
        ),
        (
            json!({"limits": {"concurrency": 0}}),
            "limits.concurrency: out_of_range: must be a whole number from 1 to 100000",
        ),
        (json!({"limits": {"usd_daily": "-1"}}), "limits.usd_daily: malformed: must not be negative"),
        (json!({"limits": {"usd_total": "1e7"}}), "limits.usd_total: malformed: must be at most 9000000"),
        (
            json!({"limits": {"usd_monthly": 0.1234567890123}}),
            "limits.usd_monthly: malformed: has more than 12 digits after the point",
        ),
        (json!({"limits": {"usd_5h": "x"}}), "limits.usd_5h: malformed: must be a decimal number"),
        (json!({"limits": {"usd_weekly": [1]}}), "limits.usd_weekly: malformed: must be a decimal number"),
        (
            json!({"limits": {"daily_reset": {"at": "25:00"}}}),
            "limits.daily_reset.at: malformed: must be a time of day from 00:00 to 23:59",
        ),
        (
            json!({"limits": {"five_hours_reset": "never"}}),
            "limits.five_hours_reset: not_one_of: must be one of rolling, fixed",
        ),
        (json!({"limits": {"rpm": 1}}), "limits.rpm: unknown: is no member here"),
        (json!({"limits": []}), "limits: wrong_type: must be an object"),
        (
            json!({"breaker": {"failure_threshold": 0}}),
            "breaker.failure_threshold: out_of_range: must be a whole number from 1 to 1000",
        ),
        (
            json!({"timeouts": {"total_ms": 0}}),
            "timeouts.total_ms: out_of_range: must be a whole number from 1 to 86400000",
        ),
        (json!({"enabled": 1}), "enabled: wrong_type: must be true or false"),
        (json!({"limit": {}}), "limit: unknown: is no member here"),
        (json!({"breaker": {"open": 1}}), "breaker.open: unknown: is no member here"),
    ] {
        let reply = api.post("/api/v1/providers", with(minimal("one"), &more)).await;
        assert_eq!(reply.problem(422), ["invalid", told], "{more}");
    }
    assert!(house.current.cards().is_empty(), "nothing was stored");
}

#[actix::test]
async fn what_has_no_effect_yet_is_refused_and_never_stored_in_silence() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (more, field) in [
        (json!({"proxy": {"url": "socks5://127.0.0.1:1080"}}), "proxy.url"),
        (json!({"proxy": {"fallback_direct": true}}), "proxy.fallback_direct"),
    ] {
        let told = api.post("/api/v1/providers", with(minimal("one"), &more)).await.problem(422);
        let message = "is not supported yet; leave it out or set it to null";
        assert_eq!(told, ["not_supported_yet", &format!("{field}: not_supported_yet: {message}")]);
    }
    for more in [json!({"proxy": {}}), json!({"proxy": null}), json!({"proxy": {"fallback_direct": false}})] {
        let name = more["proxy"].to_string();
        api.post("/api/v1/providers", with(minimal(&name), &more)).await.ok(201);
    }
}

#[actix::test]
async fn c06_url_and_leave_for_private_networks_are_judged_together() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let private = json!({"base_url": "http://127.0.0.1:9", "allow_private_network": true});
    let made = api.post("/api/v1/providers", with(minimal("one"), &private)).await.ok(201);
    let path = format!("/api/v1/providers/{}", made["id"]);
    let refused = api.patch(&path, json!({"allow_private_network": false})).await.problem(422);
    assert!(refused[1].starts_with("base_url: malformed: scheme must be https"), "{refused:?}");
    api.patch(&path, json!({"weight": 2})).await.ok(200);
    api.patch(&path, json!({"allow_private_network": null, "base_url": "https://x.example"})).await.ok(200);
    let refused = api.patch(&path, json!({"base_url": "https://10.0.0.1"})).await.problem(422);
    assert!(
        refused[1].starts_with("base_url: malformed: address not allowed: private network"),
        "{refused:?}"
    );
}

#[actix::test]
async fn i06_an_amount_is_taken_as_text_or_number_digit_by_digit() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let made = api.post("/api/v1/providers", minimal("one")).await.ok(201);
    let path = format!("/api/v1/providers/{}", made["id"]);
    for (typed, kept) in
        [("0.1", "0.1"), ("\"1.50\"", "1.5"), ("1e-3", "0.001"), ("0.300000000001", "0.300000000001")]
    {
        let changed = api.patch(&path, format!(r#"{{"cost_multiplier": {typed}}}"#)).await.ok(200);
        assert_eq!(changed["cost_multiplier"], kept);
    }
    let too_fine = api.patch(&path, r#"{"cost_multiplier": 0.3000000000000004}"#).await.problem(422);
    assert_eq!(too_fine[1], "cost_multiplier: malformed: has more than 12 digits after the point");
}
