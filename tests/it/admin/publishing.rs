//! A write and its taking effect belong together, whatever happens in between (I-41).

use actix_web::http::Method;
use futures_util::{FutureExt as _, future::join_all};
use serde_json::json;

use super::Api;
use crate::admin::house::{TestHouse, on_both};

on_both! {
    i41_a_caller_who_hangs_up_does_not_leave_a_change_half_done
    i41_a_change_that_cannot_take_effect_is_no_success_and_is_caught_up_with
}

fn provider(name: &str) -> serde_json::Value {
    json!({"name": name, "kind": "claude", "base_url": "https://x.example", "credential": "secret"})
}

fn names(house: &TestHouse) -> Vec<String> {
    house.current.cards().iter().map(|card| card.name.clone()).collect()
}

async fn i41_a_caller_who_hangs_up_does_not_leave_a_change_half_done(house: TestHouse) {
    let api = Api::of(&house).await;
    let call = api.begin(Api::with_body(Method::POST, "/api/v1/providers", provider("one")));
    assert!(call.now_or_never().is_none(), "hung up while it was being written");
    // Writes go one at a time: once this one has been answered, the one before is over.
    api.post("/api/v1/users", json!({"name": "ann"})).await.ok(201);
    assert_eq!(names(&house), ["one"]);
}

async fn i41_a_change_that_cannot_take_effect_is_no_success_and_is_caught_up_with(house: TestHouse) {
    let api = Api::of(&house).await;
    // A provider sealed with another key can't be read here, and then none can.
    let stranger = pointsman::store::NewProvider {
        name: "stranger".to_owned(),
        kind: actors::provider::card::Kind::Claude,
        base_url: "https://x.example".to_owned(),
        credential: actors::provider::card::Credential::new("secret".to_owned()),
        formats: Vec::new(),
        weight: 1,
        priority: 0,
        cost_multiplier: actors::money::Money::one(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: Default::default(),
        model_redirects: std::collections::BTreeMap::new(),
        limits: Default::default(),
        breaker: Default::default(),
        timeouts: Default::default(),
        allow_private_network: false,
        enabled: true,
        notes: String::new(),
    };
    let stranger = house.store_of_a_stranger().create_provider(stranger).await.unwrap();

    let told = api.post("/api/v1/providers", provider("one")).await;
    assert_eq!(told.problem(503), ["not_effective_yet"]);
    assert_eq!(names(&house), [""; 0]);
    let damaged = api.get("/api/v1/providers").await;
    assert_eq!(damaged.problem(500), ["stored_data_damaged"]);
    assert!(damaged.text.contains("provider `stranger`"), "told by name: {}", damaged.text);

    house.store.delete_provider(stranger.card.id).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_millis(1_001)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await; // the one who catches up takes its turn
    }
    tokio::time::resume();
    api.post("/api/v1/users", json!({"name": "ann"})).await.ok(201);
    assert_eq!(names(&house), ["one"]);
}

#[actix::test]
async fn i41_writes_side_by_side_are_each_in_force_when_answered() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let writes = (1..=40).map(|count| {
        let (api, house, name) = (&api, &house, format!("p{count}"));
        async move {
            api.post("/api/v1/providers", provider(&name)).await.ok(201);
            assert!(names(house).contains(&name), "{name} was answered and is not in force");
        }
    });
    join_all(writes).await;
    assert_eq!(names(&house).len(), 40);
}
