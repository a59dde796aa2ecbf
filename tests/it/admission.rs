//! Every path that reaches an upstream passes admission, whatever a request says of itself (C-29).

use actors::{
    ledger::limits::{Limits, Span},
    money::{Money, Pico},
    pricing::{Price, Rates, Terms},
};
use chrono::Utc;
use pointsman::{proxy, store::PriceSource};
use protocol::{Format, Operation};
use serde_json::json;

use crate::{
    house::{Asking, TestHouse},
    scripted::Upstream,
};

/// A user of a house in which every answer has its fee, and the upstream that must not be reached.
struct Siege {
    house: TestHouse,
    upstream: Upstream,
    key: String,
}

impl Siege {
    async fn of(limits: Limits) -> Self {
        let upstream = Upstream::start(|mut conn| async move {
            while conn.request().await.is_some() {
                conn.answer(r#"{"input_tokens":1,"totalTokens":1}"#).await;
            }
        })
        .await;
        let house = TestHouse::open(|setup| {
            setup.provider("only", upstream.address);
        })
        .await;
        let terms = Terms { per_request_usd: Money::parse("0.01").unwrap(), ..Terms::default() };
        let fee = vec![("m".to_owned(), Price { rates: Rates::default(), terms })];
        house.store.put_prices(PriceSource::Manual, Utc::now(), fee).await.unwrap();
        house.current.refresh_prices().await.unwrap();
        let key = house.key_of("poor", |user| user.limits = limits, |_| {}).await;
        Self { house, upstream, key }
    }

    /// The status of the answer.
    async fn ask(&self, asking: Asking) -> u16 {
        self.house.ask(asking.without_key().with_key(&self.key)).await.status
    }

    async fn reached(&self) -> usize {
        self.upstream.requests().len()
    }
}

fn less_than_a_fee() -> Limits {
    let mut limits = Limits::default();
    limits.usd[Span::Total] = Some(Pico::parse("0.009").unwrap());
    limits
}

/// A sound question at that path.
fn question(path: &str, format: Format, operation: Operation) -> Asking {
    let text = json!({"parts": [{"text": "tides?"}]});
    let body = match (format, operation) {
        (Format::Gemini, Operation::Embed) if path.contains(":batch") => {
            json!({"requests": [{"model": "models/m", "content": text}]})
        }
        (Format::Gemini, Operation::Embed) => json!({"content": text}),
        (Format::Gemini, _) => json!({"contents": [text]}),
        (Format::OpenaiResponses, _) | (_, Operation::Embed) => json!({"model": "m", "input": "tides?"}),
        _ => json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "tides?"}]}),
    };
    Asking::post(path, body.to_string())
}

#[actix::test]
async fn c29_no_path_leads_past_a_limit() {
    let paths: Vec<_> = proxy::listing("m").collect();
    assert!(paths.len() > 20, "the paths of four formats and their aliases: {paths:?}");
    for (limits, counting) in [(less_than_a_fee(), 200), (Limits { rpm: Some(0), ..Limits::default() }, 429)]
    {
        let siege = Siege::of(limits).await;
        let mut let_through = 0;
        for (path, format, operation) in &paths {
            // Counting costs nothing, so no budget is too small for it.
            let expected = if *operation == Operation::CountTokens { counting } else { 429 };
            assert_eq!(siege.ask(question(path, *format, *operation)).await, expected, "{path}");
            let_through += usize::from(expected == 200);
            assert_eq!(siege.reached().await, let_through, "{path}");
        }
        siege.house.close().await;
    }
}

#[actix::test]
async fn c29_nothing_a_request_says_makes_it_cheaper_than_it_is() {
    let siege = Siege::of(less_than_a_fee()).await;
    for format in Format::ALL {
        for streamed in [false, true] {
            let plain = || Asking::in_format(format, "m", streamed, "tides?");
            let mut dodges = vec![plain(), plain().header("x-http-method-override: GET")];
            for field in ["max_tokens", "max_output_tokens", "max_completion_tokens", "n", "candidateCount"] {
                dodges.extend(
                    [json!(0), json!(1), json!(u64::MAX), json!(null)]
                        .map(|value| plain().field(field, value)),
                );
            }
            for (field, value) in [
                ("tools", json!([])),
                ("service_tier", json!("flex")),
                ("user", json!("another")),
                ("metadata", json!({"user_id": "another"})),
                ("background", json!(true)),
                ("store", json!(false)),
                ("previous_response_id", json!("resp_1")),
                ("cachedContent", json!("cachedContents/1")),
            ] {
                dodges.push(plain().field(field, value));
            }
            for asking in dodges {
                let status = siege.ask(asking).await;
                assert!(matches!(status, 400 | 429), "{format:?}: {status}");
                assert_eq!(siege.reached().await, 0, "{format:?}");
            }
        }
    }
    siege.house.close().await;
}
