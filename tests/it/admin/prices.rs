//! Prices: typed, imported, compared.

use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    a_typed_price_counts_at_once_and_until_it_is_removed
    an_import_tells_what_it_would_do_and_then_does_it
}

fn in_force(house: &TestHouse, model: &str) -> Option<String> {
    house.current.prices().find(model).map(|listed| listed.row.price.input_usd_per_mtok.to_string())
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
    let listed = api.get("/api/v1/prices").await.ok(200);
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
        json!({"added": 1, "changed": 1, "unchanged": 1, "without_price": 1, "refused": 1})
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
    let first = api.get("/api/v1/prices?limit=2").await.ok(200);
    assert_eq!(first["items"][1]["model"], "b");
    let next = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/api/v1/prices?limit=2&cursor={next}")).await.ok(200);
    assert_eq!(
        (second["items"][0]["model"].clone(), second["next_cursor"].clone()),
        (json!("c"), Value::Null)
    );
}
