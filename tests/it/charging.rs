//! What a request is charged: by the tier it was served in, at the price of the provider that answered,
//! and never nothing where nobody said so (I-07).

use actors::{
    ids::ProviderId,
    ledger::limits::{AccountId, Span},
    money::{Money, Pico},
    pricing::{Price, Rates, Service, Terms, Tier},
};
use chrono::Utc;
use pointsman::{
    journal::{balances::BalancesAsk, record::Settlement},
    store::PriceSource,
};
use protocol::Format;
use serde_json::Value;

use crate::{
    house::{Asking, HEAD_OF_STREAM, Speech, TestHouse, chunk, plain},
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

/// What the accounts of that kind and number used so far, as the ledger that admits requests knows it.
async fn settled(house: &TestHouse, account: &str) -> String {
    let asking = Asking::post(format!("/api/v1/quotas/{account}"), "").method("GET");
    let told: Value = serde_json::from_str(house.operate(asking).await.rest().await.text()).unwrap();
    let windows = told["windows"].as_array().unwrap_or_else(|| panic!("{told}"));
    let ever = windows.iter().find(|window| window["window"] == "total").unwrap();
    ever["settled"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[actix::test]
async fn i23_what_a_lost_attempt_may_have_cost_is_for_its_provider_and_nobody_else() {
    let speech = Speech::new(Format::Anthropic, "hi");
    let torn: String = speech.events[..speech.preamble].concat();
    let torn = [HEAD_OF_STREAM.as_bytes(), &chunk(torn)].concat();
    let cuts = Upstream::start(move |mut conn| {
        let torn = torn.clone();
        async move {
            conn.request().await;
            conn.send(&torn).await;
        }
    })
    .await;
    let silent = Upstream::start(|mut conn| async move {
        conn.request().await;
        conn.closed().await;
    })
    .await;
    let refuses = Upstream::start(|mut conn| async move {
        conn.request().await;
        conn.send(plain(500, "", r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#)).await;
    })
    .await;
    let sound = Upstream::start(move |mut conn| {
        let whole = speech.on_the_wire(true);
        async move {
            while conn.request().await.is_some() {
                conn.send(&whole).await;
            }
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        let all = [("cuts", &cuts), ("is silent", &silent), ("refuses", &refuses), ("is sound", &sound)];
        for (priority, (name, upstream)) in (0..).zip(all) {
            let provider = setup.provider(name, upstream.address);
            provider.priority = priority;
            provider.timeouts.first_byte_ms = 1_000;
            // With a limit its ledger counts by itself; without one it would only look up what is on record.
            provider.limits.usd[Span::Total] = Some(Pico::parse("1000").unwrap());
        }
    })
    .await;
    let prices = vec![("m".to_owned(), Price::from(rates("1")))];
    house.store.put_prices(PriceSource::Manual, Utc::now(), prices).await.unwrap();
    house.current.refresh_prices().await.unwrap();

    let asking = Asking::in_format(Format::Anthropic, "m", true, &"what about the tides? ".repeat(40));
    let heard = house.ask(asking).await;
    assert_eq!(heard.status, 200, "{}", heard.text());
    let row = house.row(&heard).await;
    let asked = row.bytes_up / 4;
    let tokens = |count: u64| Some(Pico(i128::from(count) * 1_000_000));
    let lost: Vec<_> = row.attempts.iter().map(|tried| (tried.settlement, tried.cost)).collect();
    let estimated = Some(Settlement::Estimated);
    let expected = [(estimated, tokens(26)), (estimated, tokens(asked)), (None, None), (None, None)];
    assert_eq!(lost, expected, "as it told; as long as the question was; refused; answered");
    assert_eq!((row.settlement, row.cost), (Settlement::Exact, tokens(40)));

    let ids: Vec<_> = row.attempts.iter().map(|tried| tried.provider_id.0).collect();
    let at = async |account: String| Pico::parse(&settled(&house, &account).await).ok();
    assert_eq!(at(format!("users/{}", row.user_id.unwrap().0)).await, row.cost, "nothing but the answer");
    for (id, cost) in ids.iter().zip([tokens(26), tokens(asked), tokens(0), tokens(40)]) {
        assert_eq!(at(format!("providers/{id}")).await, cost, "provider {id}");
        let ask = BalancesAsk {
            account: AccountId::Provider(ProviderId(*id)),
            ranges: std::iter::once(0..i64::MAX).collect(),
            by_minute: None,
        };
        let stored = house.store.balances(vec![ask]).await.unwrap().remove(0);
        assert_eq!(stored.sums.first().copied(), cost, "provider {id} on record");
    }
    assert_eq!(house.store.drift().await.unwrap(), []);
    house.close().await;
}
