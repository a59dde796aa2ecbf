//! Requests that were served without a price are charged once there is one (I-07).

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::AccountId,
    money::Pico,
};
use chrono::Utc;
use pointsman::journal::{
    balances::BalancesAsk,
    record::{Metering, Record},
};
use protocol::Usage;
use serde_json::{Value, json};

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    i07_what_had_no_price_is_charged_once_there_is_one_and_only_once
}

fn request(user: i64, model: &str) -> Record {
    let mut record = Record::plain(Utc::now());
    record.user_id = Some(UserId(user));
    record.key_id = Some(KeyId(1));
    record.model = Some(model.to_owned());
    let usage = Usage { input_tokens: 1_000_000, output_tokens: 500_000, ..Usage::default() };
    record.settle(Metering::Exact(usage), None, false);
    record
}

async fn i07_what_had_no_price_is_charged_once_there_is_one_and_only_once(house: TestHouse) {
    let api = Api::of(&house).await;
    let user = api.post("/api/v1/users", json!({"name": "ann", "limits": {"usd_daily": "10"}})).await.ok(201);
    let user_id = user["id"].as_i64().unwrap();
    let (first, second, foreign) =
        (request(user_id, "new"), request(user_id, "new"), request(user_id, "other"));
    let mut priced = request(user_id, "new");
    priced.settle(Metering::Exact(Usage { input_tokens: 1, ..Usage::default() }), Some(Pico(5)), false);
    let id = first.id;
    for record in [first, second, foreign, priced] {
        house.recorder.record(record);
    }
    house.recorder.flush().await;
    let settled = async || -> Pico {
        let account = AccountId::User(UserId(user_id));
        let ranges = std::iter::once(0..i64::MAX).collect();
        let ever = BalancesAsk { account, ranges, by_minute: None };
        house.store.balances(vec![ever]).await.unwrap()[0].sums[0]
    };
    assert_eq!(settled().await, Pico(5));

    let ask = |body: Value| api.post("/api/v1/requests/reprice", body);
    let none = ask(json!({})).await.ok(200);
    assert_eq!((&none["still_unpriced"], &none["corrected"]), (&json!(3), &json!([])));
    let price = json!({"input_usd_per_mtok": "1", "output_usd_per_mtok": "4"});
    api.put("/api/v1/prices/new", price).await;
    let trial = ask(json!({"dry_run": true})).await.ok(200);
    assert_eq!((&trial["amount_usd"], &trial["still_unpriced"]), (&json!("6"), &json!(1)));
    assert_eq!(api.get(&format!("/api/v1/requests/{id}")).await.ok(200)["corrections"], json!([]));

    let done = ask(json!({"note": "the list came late"})).await.ok(200);
    assert_eq!((&done["amount_usd"], done["corrected"].as_array().unwrap().len()), (&json!("6"), 2));
    let again = ask(json!({})).await.ok(200);
    assert_eq!((&again["amount_usd"], &again["corrected"]), (&json!("0"), &json!([])));
    let shown = api.get(&format!("/api/v1/requests/{id}")).await.ok(200);
    assert_eq!((&shown["cost_usd"], &shown["settlement"]), (&Value::Null, &json!("unpriced")), "a row stays");
    assert_eq!(shown["corrections"][0]["amount_usd"], "3");
    assert_eq!(shown["corrections"][0]["note"], "the list came late");
    assert_eq!(settled().await, Pico(6_000_000_000_005));
    assert_eq!(api.get("/api/v1/ledger/drift").await.ok(200)["items"], json!([]), "I-04");
    assert_eq!(api.get("/api/v1/audit?limit=1").await.ok(200)["items"][0]["action"], "requests.reprice");
    assert_eq!(
        ask(json!({"cursor": "x"})).await.problem(422),
        ["invalid", "cursor: malformed: is not one of ours"]
    );
}
