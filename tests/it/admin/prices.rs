//! Prices: typed, imported, compared.

use actors::ids::ProviderId;
use chrono::Utc;
use pointsman::current::prices::Asked;
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_typed_price_counts_at_once_and_until_it_is_removed
    an_import_tells_what_it_would_do_and_then_does_it
    a_price_at_a_provider_counts_there_alone
    how_requests_are_charged_is_set_at_run_time
}

fn in_force(house: &TestHouse, model: &str) -> Option<String> {
    let prices = house.current.prices();
    prices.find(model, Utc::now()).map(|listed| listed.price.rates.input_usd_per_mtok.to_string())
}

async fn a_typed_price_counts_at_once_and_until_it_is_removed(house: TestHouse) {
    let api = Api::of(&house).await;
    let price =
        json!({"input_usd_per_mtok": "3", "output_usd_per_mtok": 15, "cache_write_5m_usd_per_mtok": "3.75"});
    let put = api.put("/api/v1/prices/anthropic/claude%20x", price).await.ok(200);
    assert_eq!(put["model"], "anthropic/claude x");
    assert_eq!(put["source"], "manual");
    for (kind, amount) in [
        ("input_usd_per_mtok", "3"),
        ("output_usd_per_mtok", "15"),
        ("cache_write_5m_usd_per_mtok", "3.75"),
        ("cache_write_1h_usd_per_mtok", "3.75"),
        ("cache_read_usd_per_mtok", "3"),
    ] {
        assert_eq!(put[kind], amount, "{kind}");
    }
    assert_eq!(in_force(&house, "anthropic/claude x").as_deref(), Some("3"));
    let again = json!({"input_usd_per_mtok": "4", "output_usd_per_mtok": "0"});
    api.put("/api/v1/prices/anthropic%2Fclaude%20x", again).await.ok(200);
    assert_eq!(in_force(&house, "anthropic/claude x").as_deref(), Some("4"));
    let listed = api.get("/api/v1/prices?source=manual").await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "only what is in force");
    assert_eq!(listed["items"][0]["input_usd_per_mtok"], "4");
    api.delete("/api/v1/prices/anthropic/claude%20x").await.ok(204);
    assert_eq!(in_force(&house, "anthropic/claude x"), None);
    assert_eq!(api.delete("/api/v1/prices/anthropic/claude%20x").await.problem(404), ["not_found"]);
}

fn list() -> Value {
    json!({
        "sample_spec": {"input_cost_per_token": 0, "output_cost_per_token": 0},
        "new": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
        "known": {"input_cost_per_token": 3e-6, "output_cost_per_token": 0},
        "typed": {"input_cost_per_token": 5e-6, "output_cost_per_token": 0},
        "image": {"output_cost_per_image": 0.04},
        "odd": {"input_cost_per_token": -1, "output_cost_per_token": 0},
    })
}

async fn an_import_tells_what_it_would_do_and_then_does_it(house: TestHouse) {
    let api = Api::of(&house).await;
    let earlier = json!({
        "known": {"input_cost_per_token": 2e-6, "output_cost_per_token": 0},
        "typed": {"input_cost_per_token": 5e-6, "output_cost_per_token": 0},
    });
    api.post("/api/v1/prices/import", earlier).await.ok(200);
    api.put("/api/v1/prices/typed", json!({"input_usd_per_mtok": "7", "output_usd_per_mtok": "7"}))
        .await
        .ok(200);

    let would = api.post("/api/v1/prices/import?dry_run=true", list()).await.ok(200);
    assert_eq!(would["dry_run"], true);
    assert_eq!(
        would["counts"],
        json!({"added": 1, "changed": 1, "unchanged": 1, "gone": 0, "large": 0, "without_price": 1, "refused": 1})
    );
    assert_eq!(would["added"][0]["model"], "new");
    assert_eq!(would["added"][0]["price"]["input_usd_per_mtok"], "1");
    assert_eq!(would["changed"][0]["before"]["input_usd_per_mtok"], "2");
    assert_eq!(would["changed"][0]["after"]["input_usd_per_mtok"], "3");
    assert_eq!(would["overruled"], json!(["typed"]));
    let refused =
        json!([{"model": "odd", "field": "input_cost_per_token", "message": "must not be negative"}]);
    assert_eq!(would["refused"], refused);
    assert_eq!((in_force(&house, "new"), in_force(&house, "known").as_deref()), (None, Some("2")));

    let mut did = api.post("/api/v1/prices/import", list()).await.ok(200);
    assert_eq!(did["dry_run"], false);
    did["dry_run"] = Value::Bool(true);
    assert_eq!(did, would, "the same but for that");
    assert_eq!(in_force(&house, "new").as_deref(), Some("1"));
    assert_eq!(in_force(&house, "known").as_deref(), Some("3"));
    assert_eq!(in_force(&house, "typed").as_deref(), Some("7"), "what an operator typed goes on counting");
    let again = api.post("/api/v1/prices/import", list()).await.ok(200);
    assert_eq!(again["counts"]["unchanged"], 3);
    api.delete("/api/v1/prices/typed").await.ok(204);
    assert_eq!(in_force(&house, "typed").as_deref(), Some("5"), "the imported one counts again");
}

#[actix::test]
async fn i06_absurd_prices_are_refused_by_name() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for (amount, told) in [
        ("\"-1\"", "must not be negative"),
        ("1e50000000", "too many digits or too large an exponent"),
        ("\"NaN\"", "must be a decimal number"),
        ("1000001", "must be at most 1000000"),
        ("0.0000000000001", "has more than 12 digits after the point"),
        ("[]", "must be a decimal number"),
    ] {
        let body = format!(r#"{{"input_usd_per_mtok": {amount}, "output_usd_per_mtok": 0}}"#);
        let problem = api.put("/api/v1/prices/m", body).await.problem(422);
        assert_eq!(problem, ["invalid", &format!("input_usd_per_mtok: malformed: {told}")], "{amount}");
    }
    let nothing = api.put("/api/v1/prices/m", "{}").await.problem(422);
    assert_eq!(nothing.len(), 3, "{nothing:?}");
}

#[actix::test]
async fn the_price_list_comes_in_pages() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    for model in ["c", "a", "b"] {
        let price = json!({"input_usd_per_mtok": "1", "output_usd_per_mtok": "1"});
        api.put(&format!("/api/v1/prices/{model}"), price).await.ok(200);
    }
    let first = api.get("/api/v1/prices?source=manual&limit=2").await.ok(200);
    assert_eq!(first["items"][1]["model"], "b");
    let next = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/api/v1/prices?source=manual&limit=2&cursor={next}")).await.ok(200);
    assert_eq!(
        (second["items"][0]["model"].clone(), second["next_cursor"].clone()),
        (json!("c"), Value::Null)
    );
}

#[actix::test]
async fn a_price_may_have_tiers_and_fees() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let price = json!({
        "input_usd_per_mtok": "3", "output_usd_per_mtok": "15",
        "tiers": [
            {"above_input_tokens": 200_000, "input_usd_per_mtok": "6", "output_usd_per_mtok": "22.5"},
            {"service": "flex", "input_usd_per_mtok": "1.5", "output_usd_per_mtok": "7.5", "cache_read_usd_per_mtok": "0"},
        ],
        "per_request_usd": "0.1", "per_web_search_usd": 0.01, "max_output_tokens": 64_000,
    });
    let put = api.put("/api/v1/prices/m", price).await.ok(200);
    assert_eq!(put["tiers"][0]["service"], "standard");
    assert_eq!(put["tiers"][0]["cache_read_usd_per_mtok"], "6", "as tokens without a cache");
    assert_eq!(put["tiers"][1]["above_input_tokens"], 0);
    let told = (&put["per_request_usd"], &put["per_web_search_usd"], &put["per_image_usd"]);
    assert_eq!(told, (&json!("0.1"), &json!("0.01"), &Value::Null));
    assert_eq!(put["max_output_tokens"], 64_000);
    let listed = api.get("/api/v1/prices?source=manual").await.ok(200);
    assert_eq!(listed["items"][0], put);

    let odd = json!({
        "input_usd_per_mtok": "3", "output_usd_per_mtok": "15", "per_image_usd": "10001",
        "tiers": [
            {"input_usd_per_mtok": "6", "output_usd_per_mtok": "6"},
            {"service": "flex", "output_usd_per_mtok": "6"},
            {"service": "flex", "input_usd_per_mtok": "6", "output_usd_per_mtok": "6"},
            {"service": "fast", "input_usd_per_mtok": "-1", "output_usd_per_mtok": "6"},
        ],
    });
    let problem = api.put("/api/v1/prices/m", odd).await.problem(422);
    assert!(problem.iter().any(|told| told.starts_with("per_image_usd: malformed")), "{problem:?}");
    assert!(problem.iter().any(|told| told.contains("tiers[3].service")), "{problem:?}");
    let odd = json!({
        "input_usd_per_mtok": "3", "output_usd_per_mtok": "15",
        "tiers": [
            {"input_usd_per_mtok": "6", "output_usd_per_mtok": "6"},
            {"service": "flex", "output_usd_per_mtok": "6"},
            {"service": "flex", "input_usd_per_mtok": "6", "output_usd_per_mtok": "6"},
            {"service": "flex", "input_usd_per_mtok": "6", "output_usd_per_mtok": "6"},
        ],
    });
    let problem = api.put("/api/v1/prices/m", odd).await.problem(422);
    assert_eq!(
        problem[1..],
        [
            "tiers[0]: required: must name a service or a threshold",
            "tiers[1].input_usd_per_mtok: required: must be given",
            "tiers[3]: repeated: stands in the list more than once",
        ]
    );
}

#[actix::test]
async fn a_price_of_the_future_is_told_and_does_not_count_yet() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let price =
        |from: &str| json!({"input_usd_per_mtok": "1", "output_usd_per_mtok": "1", "effective_from": from});
    let put = api.put("/api/v1/prices/m", price("2999-01-01T00:00:00Z")).await.ok(200);
    assert_eq!(put["effective_from"], "2999-01-01T00:00:00Z");
    assert_eq!(in_force(&house, "m"), None);
    let then = "2999-01-01T00:00:00Z".parse().unwrap();
    assert!(house.current.prices().find("m", then).is_some(), "no restart and no reading is needed");
    let history = api.get("/api/v1/prices/m").await.ok(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    let problem = api.put("/api/v1/prices/m", price("2001-01-01T00:00:00Z")).await.problem(422);
    assert_eq!(problem, ["invalid", "effective_from: out_of_range: must not be in the past"]);
}

#[actix::test]
async fn the_first_request_is_priced_by_what_came_with_the_program() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let listed = api.get("/api/v1/prices?source=builtin&limit=500").await.ok(200);
    let items = listed["items"].as_array().unwrap();
    let sonnet = items.iter().find(|item| item["model"] == "claude-sonnet-4-5").unwrap();
    assert_eq!((&sonnet["id"], &sonnet["input_usd_per_mtok"]), (&Value::Null, &json!("3")));
    let problem = api.get("/api/v1/prices?source=else").await.problem(422);
    assert_eq!(problem[1], "source: not_one_of: must be one of manual, imported, builtin");
}

async fn a_price_at_a_provider_counts_there_alone(house: TestHouse) {
    let api = Api::of(&house).await;
    let provider =
        json!({"name": "p", "kind": "claude", "base_url": "https://api.example.com", "credential": "sk-x"});
    let id = api.post("/api/v1/providers", provider).await.ok(201)["id"].as_i64().unwrap();
    let price = json!({"input_usd_per_mtok": "2", "output_usd_per_mtok": "2"});
    let path = format!("/api/v1/providers/{id}/prices/a/b");
    let put = api.put(&path, price.clone()).await.ok(200);
    assert_eq!((&put["provider_id"], &put["model"]), (&json!(id), &json!("a/b")));
    let quote = |provider: i64| {
        let prices = house.current.prices();
        let of = Asked { provider: Some(ProviderId(provider)), asked: Some("a/b"), sent: None };
        prices.quote(&of, Utc::now()).map(|listed| listed.price.rates.input_usd_per_mtok.to_string())
    };
    assert_eq!((quote(id).as_deref(), quote(id + 1), in_force(&house, "a/b")), (Some("2"), None, None));
    let listed = api.get(&format!("/api/v1/providers/{id}/prices")).await.ok(200);
    assert_eq!(listed["items"], json!([put]));
    api.delete(&path).await.ok(204);
    assert_eq!(quote(id), None);
    assert_eq!(api.delete(&path).await.problem(404), ["not_found"]);
    assert_eq!(api.put("/api/v1/providers/99/prices/m", price).await.problem(404), ["not_found"]);
    assert_eq!(api.get("/api/v1/providers/99/prices").await.problem(404), ["not_found"]);
}

async fn how_requests_are_charged_is_set_at_run_time(house: TestHouse) {
    let api = Api::of(&house).await;
    let usual = json!({"model": "sent", "unpriced": "serve", "unpriced_reservation_usd": "1"});
    assert_eq!(api.get("/api/v1/settings/billing").await.ok(200), usual);
    let path = "/api/v1/settings/billing";
    let set = api.patch(path, json!({"model": "asked", "unpriced": "refuse"})).await.ok(200);
    assert_eq!(set, json!({"model": "asked", "unpriced": "refuse", "unpriced_reservation_usd": "1"}));
    let of = Asked { asked: Some("unheard of"), ..Asked::default() };
    assert!(house.current.prices().admit(&of, Utc::now()).is_err(), "it is in force");
    let set = api
        .patch(path, json!({"model": null, "unpriced": null, "unpriced_reservation_usd": 2.5}))
        .await
        .ok(200);
    assert_eq!(set, json!({"model": "sent", "unpriced": "serve", "unpriced_reservation_usd": "2.5"}));
    assert_eq!(api.get(path).await.ok(200), set);
    let problem =
        api.patch(path, json!({"model": "other", "unpriced_reservation_usd": "-1"})).await.problem(422);
    assert_eq!(problem.len(), 3, "{problem:?}");
}
