//! Giving back needs nobody (I-11): whoever leaves, at whatever await point, leaves nothing behind.

mod house;

use std::{sync::Arc, time::Duration};

use actors::{
    dispatcher::grant::Closing,
    provider::{
        card::{BreakerSettings, Card},
        outcome::Outcome,
    },
    session::id::SessionId,
    supervisor::Leash,
    testkit::{cards, leaving::Leaving, time},
};

use self::house::House;

#[test]
fn i10_i11_a_caller_who_leaves_at_any_await_point_leaves_no_gauge_up() {
    let points = every_await_point(|house| async move {
        let mut ask = cards::ask("m");
        ask.session = Some(SessionId::new(ask.key, ask.format, "m", "conversation"));
        let mut journey = house.gateway.journey(ask);
        let first = journey.next().await.expect("both are well");
        let provider = first.provider();
        time::quiet().await;
        first.close(Outcome::RateLimited, Closing::default());
        assert!(journey.ended(provider, Outcome::RateLimited, None));
        let mut second = journey.next().await.expect("the other is well");
        time::quiet().await;
        second.began();
        time::quiet().await;
        second.close(Outcome::Answered, Closing::default());
    });
    println!("left at each of {points} await points");
    assert!(points >= 5, "two choices and three waits have at least five await points, found {points}");
}

#[test]
fn i11_i15_a_prober_who_leaves_at_any_await_point_leaves_the_probes_place_free() {
    let points = every_await_point(|house| async move {
        house.fail(1).await;
        tokio::time::sleep(OPEN).await;
        let mut probe = house.gateway.journey(cards::ask("only 1")).next().await.expect("it may be probed");
        time::quiet().await;
        probe.began();
        time::quiet().await;
        probe.close(Outcome::Answered, Closing::default());
    });
    println!("left at each of {points} await points");
    assert!(points >= 5, "two choices and three waits have at least five await points, found {points}");
}

const OPEN: Duration = Duration::from_secs(60);

/// Lives through `story` once per await point, leaving it there; then both providers must be as free as
/// ever. Answers how many points there were.
fn every_await_point<F: Future<Output = ()>>(story: impl Fn(Arc<House>) -> F) -> u32 {
    for point in 0.. {
        let left = time::simulated(async {
            let house = Arc::new(House::build(Leash::default(), vec![card(1), card(2)]).await);
            let left = Leaving::after(point, story(Arc::clone(&house))).await.is_none();
            // An open breaker's time is over now; any probe that is still out has not reached its deadline.
            tokio::time::sleep(OPEN).await;
            for provider in [1, 2] {
                assert_eq!(house.in_flight(&format!("p{provider}")).await, 0, "left at {point}");
                let ask = cards::ask(&format!("only {provider}"));
                let grant = house.gateway.journey(ask).next().await;
                assert!(grant.is_ok(), "left at {point}: {grant:?}");
            }
            left
        });
        if !left {
            return point;
        }
    }
    unreachable!("every story ends")
}

/// One failure opens it; the place of a probe is taken for longer than we wait.
fn card(id: i64) -> Arc<Card> {
    cards::with(id, |card| {
        card.breaker = BreakerSettings { failure_threshold: 1, open_ms: 60_000, ..card.breaker };
        card.allowed_models = vec!["m".to_owned(), format!("only {id}")];
        card.priority = id as i32;
    })
}
