//! Limits under siege, over the wire: what fits goes through, the rest is told why, and the books agree.

use actors::{
    ledger::limits::{Limits, Span},
    money::{Money, Pico},
    pricing::{Price, Terms},
};
use chrono::Utc;
use futures_util::future::join_all;
use pointsman::{
    config::store::StoreUrl,
    journal::record::{Ending, Settlement},
    store::PriceSource,
};
use protocol::Format;

use crate::{
    admin::house::Schema,
    house::{Asking, HEAD_OF_STREAM, Speech, TestHouse, chunk},
    scripted::Upstream,
};

/// What every request costs, no more and no less.
const FEE: &str = "0.01";

fn usd(text: &str) -> Pico {
    Pico::parse(text).unwrap()
}

fn daily(amount: &str) -> Limits {
    let mut limits = Limits { strict: Some(true), ..Limits::default() };
    limits.usd[Span::Day] = Some(usd(amount));
    limits
}

async fn answering(format: Format) -> Upstream {
    Upstream::start(move |mut conn| async move {
        while conn.request().await.is_some() {
            conn.send(Speech::new(format, "hi").on_the_wire(false)).await;
        }
    })
    .await
}

async fn priced(house: &TestHouse, price: Price) {
    let prices = vec![("m".to_owned(), price)];
    house.store.put_prices(PriceSource::Manual, Utc::now(), prices).await.unwrap();
    house.current.refresh_prices().await.unwrap();
}

fn fee() -> Price {
    let terms = Terms { per_request_usd: Money::parse(FEE).unwrap(), ..Terms::default() };
    Price { rates: actors::pricing::Rates::default(), terms }
}

/// Opens a house where `upstream` answers, on that database or on a file.
async fn open(upstream: &Upstream, database: Option<StoreUrl>) -> TestHouse {
    let house = TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
        setup.database = database;
    })
    .await;
    priced(&house, fee()).await;
    house
}

/// Ten users, two hundred clients each at once, against budgets that fit exactly `k` requests.
async fn siege(database: Option<StoreUrl>) {
    let upstream = answering(Format::Anthropic).await;
    let house = open(&upstream, database).await;
    for round in 0..10 {
        let k = 7 + 13 * round;
        let limits = daily(&format!("0.{k:02}"));
        let limits = if k < 100 { limits } else { daily(&format!("1.{:02}", k - 100)) };
        let key = house.key_of(&format!("user {round}"), |user| user.limits = limits, |_| {}).await;
        let asking = Asking::in_format(Format::Anthropic, "m", false, "in").without_key().with_key(&key);
        let heard = join_all((0..200).map(|_| house.ask(asking.clone()))).await;
        let admitted = heard.iter().filter(|heard| heard.status == 200).count();
        assert_eq!(admitted, k, "I-01: admitted minus K must be 0");
        let refused = heard.iter().find(|heard| heard.status == 429).expect("somebody is refused");
        let text = refused.text();
        assert!(text.contains("daily spending") && text.contains("resets at"), "{text}");
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert!(refused.header("retry-after").is_some());
    }
    house.recorder.flush().await;
    assert_eq!(house.store.drift().await.unwrap(), [], "I-04");
    assert_eq!(house.gateway.reservations().await.unwrap(), [], "I-05: nothing is open when all is quiet");
    house.close().await;
}

#[actix::test]
async fn i01_two_hundred_clients_get_exactly_what_fits_on_sqlite() {
    siege(None).await;
}

#[actix::test]
async fn i01_two_hundred_clients_get_exactly_what_fits_on_postgres() {
    let Some(schema) = Schema::make().await else { return };
    siege(Some(schema.url())).await;
    schema.remove().await;
}

#[actix::test]
async fn a_key_is_bound_by_its_own_limits_and_by_its_users() {
    let upstream = answering(Format::Anthropic).await;
    let house = open(&upstream, None).await;
    let change = |key: &mut pointsman::store::NewKey| key.limits = daily("0.02");
    let key = house.key_of("ann", |user| user.limits = daily("0.05"), change).await;
    let ask =
        || house.ask(Asking::in_format(Format::Anthropic, "m", false, "in").without_key().with_key(&key));
    assert_eq!(ask().await.status, 200);
    let admitted = ask().await;
    let row = house.row(&admitted).await;
    assert_eq!((row.cost, row.reserved, row.settlement), (Some(usd(FEE)), Some(usd(FEE)), Settlement::Exact));
    let refused = ask().await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("this api key's limit"), "{}", refused.text());
    let row = house.row(&refused).await;
    assert_eq!((row.ending, row.settlement), (Ending::Refused, Settlement::Free));
    assert_eq!(row.failure.unwrap().kind, "over_usd_daily");
    house.close().await;
}

#[actix::test]
async fn refusals_speak_the_callers_dialect() {
    for format in Format::ALL {
        let upstream = answering(format).await;
        let house = open(&upstream, None).await;
        let spent = house.key_of("spent", |user| user.limits = daily("0"), |_| {}).await;
        let hasty = Limits { rpm: Some(1), ..Limits::default() };
        let hasty = house.key_of("hasty", |user| user.limits = hasty, |_| {}).await;
        let ask =
            |key: &str| house.ask(Asking::in_format(format, "m", false, "in").without_key().with_key(key));
        let refused = ask(&spent).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        let error = refused.json()["error"].clone();
        match format {
            Format::Anthropic => assert_eq!(error["type"], "rate_limit_error"),
            Format::OpenaiChat => assert_eq!(error["code"], "insufficient_quota"),
            Format::OpenaiResponses => {
                assert_eq!(error["type"], "usage_limit_reached");
                assert!(error["resets_at"].as_i64().unwrap() > Utc::now().timestamp());
            }
            Format::Gemini => assert_eq!(error["status"], "RESOURCE_EXHAUSTED"),
        }
        assert_eq!(ask(&hasty).await.status, 200);
        let refused = ask(&hasty).await;
        assert_eq!(refused.status, 429);
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 61);
        assert_eq!(refused.header("x-should-retry"), None, "it passes");
        house.close().await;
    }
}

#[actix::test]
async fn i02_a_hard_stop_ends_a_stream_that_has_used_all_that_was_left() {
    let upstream = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            let speech = Speech::new(Format::Anthropic, &"word ".repeat(400));
            conn.send(HEAD_OF_STREAM).await;
            for event in &speech.events[..speech.preamble] {
                conn.send(chunk(event)).await;
            }
            let word =
                speech.events.iter().find(|event| event.contains("word word")).expect("something is said");
            while conn.try_send(chunk(word)).await {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    })
    .await;
    let house = open(&upstream, None).await;
    let rates =
        actors::pricing::Rates::completed(Money::zero(), Money::parse("10").unwrap(), None, None, None);
    priced(&house, Price::from(rates)).await;
    let mut limits = Limits { hard_stop: Some(true), ..Limits::default() };
    limits.usd[Span::Total] = Some(usd("0.1"));
    let key = house.key_of("bound", |user| user.limits = limits, |_| {}).await;
    let asking = Asking::in_format(Format::Anthropic, "m", true, "on and on");
    let heard = house.ask(asking.without_key().with_key(&key)).await;
    assert_eq!(heard.status, 200);
    assert!(heard.text().contains("used up what was left of a limit"), "the caller is told");
    let row = house.row(&heard).await;
    assert_eq!((row.ending, row.settlement), (Ending::Cut, Settlement::Estimated));
    assert_eq!(row.failure.unwrap().kind, "limit_used_up");
    let cost = row.cost.unwrap();
    // What was said between two reports of progress: 2,000 tokens, and what came until the word got round.
    assert!(usd("0.1") <= cost && cost < usd("0.15"), "{cost}");
    house.close().await;
}

#[actix::test]
async fn i02_what_is_spent_beyond_a_limit_is_no_more_than_what_estimates_fell_short_by() {
    let upstream = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            // Ten times what anybody could expect of a first answer.
            conn.answer(
                r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],
                "stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":40960}}"#,
            )
            .await;
        }
    })
    .await;
    let house = open(&upstream, None).await;
    let price = Money::parse("10").unwrap();
    priced(&house, Price::from(actors::pricing::Rates::completed(price.clone(), price, None, None, None)))
        .await;
    let limit = usd("0.5");
    let mut limits = Limits::default();
    limits.usd[Span::Month] = Some(limit);
    let key = house.key_of("ann", |user| user.limits = limits, |_| {}).await;
    let asking = Asking::in_format(Format::Anthropic, "m", false, "in").field("max_tokens", 1_000_000);
    let asking = asking.without_key().with_key(&key);
    join_all((0..100).map(|_| house.ask(asking.clone()))).await;
    let rows = house.rows().await;
    let spent: Pico = rows.iter().filter_map(|row| row.cost).sum();
    let short: Pico = rows.iter().filter_map(|row| Some((row.cost? - row.reserved?).or_nothing())).sum();
    assert!(spent > limit, "the estimates were kept: {spent}");
    assert!(spent - limit <= short, "{spent} is more than {limit} and {short}");
    let admitted = rows.iter().filter(|row| row.status == 200).count();
    assert!((1..100).contains(&admitted), "{admitted}");
    println!("limit {limit}: {admitted} of 100 admitted, {spent} spent, bound {limit} + {short}");
    house.close().await;
}
