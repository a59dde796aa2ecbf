//! One request, one version of the configuration, however much an operator changes meanwhile (I-52).

use std::{cell::Cell, rc::Rc};

use actors::{
    money::Money,
    pricing::{Price, Rates},
    provider::card::{BreakerSettings, Credential},
};
use chrono::DateTime;
use pointsman::store::{KeyChange, PriceSource, ProviderChange};
use protocol::Format;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    house::{Asking, Speech, TestHouse, plain},
    scripted::{Request, Upstream},
};

/// How often the configuration is changed in all.
const EDITS: u64 = 1_000;
/// How many requests are under way at once.
const CALLERS: usize = 8;
/// A request waits at its first provider until so many changes more were made.
const IN_BETWEEN: u64 = 5;

/// What one version of a resource is told by: in model names, credentials, factors and prices alike.
type Generation = u64;

/// The generations of the four that are changed in turn, after so many changes.
fn generations(edits: u64) -> [Generation; 4] {
    [0, 1, 2, 3].map(|place| (edits + 3 - place) / 4)
}

fn number_in(text: &str, behind: &str) -> Generation {
    let at = text.find(behind).unwrap_or_else(|| panic!("no {behind} in {text}")) + behind.len();
    let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// What an upstream saw of its provider's card; all of it is of one generation.
fn seen(request: &Request) -> (String, Generation) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let generation = number_in(body["model"].as_str().unwrap(), "sent-");
    assert_eq!(number_in(request.header("authorization").unwrap(), "credential-"), generation, "{request:?}");
    (body["messages"][0]["content"].as_str().unwrap().to_owned(), generation)
}

fn card(generation: Generation) -> ProviderChange {
    ProviderChange {
        credential: Some(Credential::new(format!("credential-{generation}"))),
        model_redirects: Some([("m".to_owned(), format!("sent-{generation}"))].into()),
        cost_multiplier: Some(Money::parse(&(generation + 1).to_string()).unwrap()),
        ..ProviderChange::default()
    }
}

/// Makes the changes, one after the other, each in force before the next.
async fn edit(house: &TestHouse, edits: &watch::Sender<u64>) {
    let [bad, good] = ["bad", "good"]
        .map(|name| house.current.cards().iter().find(|card| card.name == name).map(|card| card.id).unwrap());
    for number in 1..=EDITS {
        let [key_of, bad_of, good_of, price_of] = generations(number);
        match number % 4 {
            1 => put_key(house, key_of).await,
            2 => {
                house.store.update_provider(bad, card(bad_of)).await.unwrap();
                house.current.refresh_providers().await.unwrap();
            }
            3 => {
                house.store.update_provider(good, card(good_of)).await.unwrap();
                house.current.refresh_providers().await.unwrap();
            }
            _ => put_price(house, price_of).await,
        }
        edits.send_replace(number);
    }
    // Whoever still waits for changes goes on.
    edits.send_replace(u64::MAX);
}

async fn put_key(house: &TestHouse, generation: Generation) {
    let key = house.current.keys().find(&house.key).unwrap().key;
    let groups = vec!["all".to_owned(), format!("group-{generation}")];
    house.store.update_key(key, KeyChange { groups: Some(groups), ..KeyChange::default() }).await.unwrap();
    house.current.refresh_keys().await.unwrap();
}

async fn put_price(house: &TestHouse, generation: Generation) {
    let amount = Money::parse(&(generation + 1).to_string()).unwrap();
    let price = Price::from(Rates::completed(amount.clone(), amount, None, None, None));
    let since = DateTime::UNIX_EPOCH;
    house.store.put_prices(PriceSource::Manual, since, vec![("m".to_owned(), price)]).await.unwrap();
    house.current.refresh_prices().await.unwrap();
}

async fn house_of(bad: &Upstream, good: &Upstream) -> TestHouse {
    let house = TestHouse::open(|setup| {
        for (priority, (name, upstream)) in [("bad", bad), ("good", good)].into_iter().enumerate() {
            let provider = setup.provider(name, upstream.address);
            let first = card(0);
            provider.credential = first.credential.unwrap();
            provider.model_redirects = first.model_redirects.unwrap();
            provider.groups = vec!["all".to_owned()];
            provider.priority = i32::try_from(priority).unwrap();
            provider.breaker = BreakerSettings { failure_threshold: 1_000, ..BreakerSettings::default() };
        }
    })
    .await;
    put_key(&house, 0).await;
    put_price(&house, 0).await;
    house
}

#[actix::test]
async fn i52_of_a_thousand_changes_under_load_no_request_sees_two_versions() {
    let (edits, edited) = watch::channel(0);
    // Says no, and only once the configuration has moved on: the second provider is chosen in another world.
    let bad = Upstream::start(move |mut conn| {
        let mut edited = edited.clone();
        async move {
            while conn.request().await.is_some() {
                let now: u64 = *edited.borrow();
                let until = now.saturating_add(IN_BETWEEN);
                edited.wait_for(|edits| *edits >= until).await.unwrap();
                let unknown = r#"{"type":"error","error":{"type":"not_found_error","message":"model: m"}}"#;
                conn.send(plain(404, "", unknown)).await;
            }
        }
    })
    .await;
    let good = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(Format::Anthropic, "yes").on_the_wire(false)).await;
        }
    })
    .await;
    let house = house_of(&bad, &good).await;

    let numbers = Rc::new(Cell::new(0));
    let heard = futures_util::future::join(
        edit(&house, &edits),
        futures_util::future::join_all((0..CALLERS).map(|_| async {
            let mut heard = Vec::new();
            while *edits.borrow() < EDITS {
                let text = format!("question {}", numbers.replace(numbers.get() + 1));
                heard.push((
                    text.clone(),
                    house.ask(Asking::in_format(Format::Anthropic, "m", false, &text)).await,
                ));
            }
            heard
        })),
    );
    let heard: Vec<_> = heard.await.1.into_iter().flatten().collect();
    let of_bad: std::collections::HashMap<_, _> = bad.requests().iter().map(seen).collect();
    let of_good: std::collections::HashMap<_, _> = good.requests().iter().map(seen).collect();

    let mut mixed = Vec::new();
    for (text, heard) in &heard {
        assert_eq!(heard.status, 200, "{}", heard.text());
        let row = house.row(heard).await;
        let formula: Value = serde_json::from_str(row.price.as_ref().expect("a price").get()).unwrap();
        let multiplier = formula["multiplier"].as_str().unwrap().parse::<u64>().unwrap() - 1;
        let price = formula["price"]["input_usd_per_mtok"].as_str().unwrap().parse::<u64>().unwrap() - 1;
        let (first, second) = (of_bad[text], of_good[text]);
        assert_eq!(multiplier, second, "of one card");
        let is_one = (0..=EDITS).any(|edits| generations(edits)[1..] == [first, second, price]);
        if !is_one {
            mixed.push((text, first, second, price));
        }
    }
    println!("i52: {EDITS} changes, {} requests, {} mixed", heard.len(), mixed.len());
    assert!(mixed.is_empty(), "{} of {} requests saw mixed versions: {mixed:?}", mixed.len(), heard.len());
    assert!(heard.len() as u64 > EDITS / IN_BETWEEN / 2, "only {} requests were made", heard.len());
    house.close().await;
}
