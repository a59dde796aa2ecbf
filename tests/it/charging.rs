//! What a request is charged: by the tier it was served in, at the price of the provider that answered,
//! and never nothing where nobody said so (I-07).

use actors::{
    money::Money,
    pricing::{Price, Rates, Service, Terms, Tier},
};
use chrono::Utc;
use pointsman::store::PriceSource;
use protocol::Format;
use serde_json::Value;

use crate::{
    house::{Asking, TestHouse},
    scripted::Upstream,
};

/// A Responses answer that was served as `priority`, searched once and used a million tokens each way.
const ANSWER: &str = r#"{"id":"resp_1","object":"response","status":"completed","model":"m-2026","service_tier":"priority",
"output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"message","content":[{"type":"output_text","text":"yes"}]}],
"usage":{"input_tokens":1000000,"input_tokens_details":{"cached_tokens":0},"output_tokens":1000000,"total_tokens":2000000}}"#;

fn rates(amount: &str) -> Rates {
    let amount = Money::parse(amount).unwrap();
    Rates::completed(amount.clone(), amount, None, None, None)
}

fn price(usual: &str, priority: &str) -> Price {
    let tier = Tier { service: Service::Priority, above_input_tokens: 0, rates: rates(priority) };
    let per_web_search_usd = Money::parse("0.25").unwrap();
    let terms = Terms { tiers: vec![tier], per_web_search_usd, ..Terms::default() };
    Price { rates: rates(usual), terms }
}

/// Asks for `m` and tells the cost in the row, and where its price came from.
async fn charged(house: &TestHouse) -> (Option<String>, Option<String>) {
    let heard = house.ask(Asking::in_format(Format::OpenaiResponses, "m", false, "tides?")).await;
    assert_eq!(heard.status, 200, "{}", heard.text());
    let row = house.row(&heard).await;
    let formula = row.price.map(|formula| serde_json::from_str::<Value>(formula.get()).unwrap());
    let source = formula.map(|formula| formula["source"].as_str().unwrap().to_owned());
    (row.cost.map(|cost| cost.to_string()), source)
}

#[actix::test]
async fn i07_a_request_is_charged_by_tier_and_provider_and_never_nothing_in_silence() {
    let upstream = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.answer(ANSWER).await;
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        let provider = setup.provider("only", upstream.address);
        provider.cost_multiplier = Money::parse("0.5").unwrap();
        provider.model_redirects.insert("m".to_owned(), "sent".to_owned());
    })
    .await;
    let put = async |model: &str, price| {
        let prices = vec![(model.to_owned(), price)];
        house.store.put_prices(PriceSource::Manual, Utc::now(), prices).await.unwrap();
        house.current.refresh_prices().await.unwrap();
    };
    let told = |cost: &str, source: &str| (Some(cost.to_owned()), Some(source.to_owned()));

    assert_eq!(charged(&house).await, (None, None), "unknown is not nothing");
    assert_eq!(house.current.unpriced().counts(), [("sent".to_owned(), 1)]);

    put("m", price("1", "2")).await;
    assert_eq!(charged(&house).await, told("2.125", "manual"), "(2 + 2 + 0.25) / 2");
    put("sent", price("1", "4")).await;
    assert_eq!(charged(&house).await, told("4.125", "manual"), "by the model that was sent");

    let provider = house.current.cards()[0].id;
    house.store.put_provider_price(provider, "sent", Utc::now(), price("1", "8")).await.unwrap();
    house.current.refresh_prices().await.unwrap();
    assert_eq!(charged(&house).await, told("8.125", "provider"));

    house.store.delete_provider_prices(provider, "sent").await.unwrap();
    put("sent", Price::from(rates("0"))).await;
    assert_eq!(charged(&house).await, told("0", "manual"), "free, since somebody said so");
    assert_eq!(house.current.unpriced().counts(), [("sent".to_owned(), 1)]);
    house.close().await;
}
