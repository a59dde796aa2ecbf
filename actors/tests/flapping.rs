//! No flapping (I-18): what a provider that fails some of the time costs, over six simulated hours.

mod house;

use std::time::Duration;

use actors::{
    dispatcher::grant::Closing,
    ids::ProviderId,
    provider::outcome::Outcome,
    supervisor::Leash,
    testkit::{cards, time},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::house::House;

const HOURS: u32 = 6;
const PAUSE: Duration = Duration::from_secs(2);
const REQUESTS: u32 = HOURS * 3_600 / 2;
const BAD: ProviderId = ProviderId(1);

/// What became of six hours.
#[derive(Debug)]
struct Toll {
    changes_per_hour: f64,
    /// Of all requests, those that went to the bad provider at first or later.
    share_of_bad: f64,
    /// Of all requests, those that nobody answered.
    unanswered: u32,
}

#[test]
fn i18_a_provider_that_fails_now_and_then_keeps_its_share_and_one_that_fails_often_loses_it() {
    let tolls: Vec<_> = [0.1, 0.3, 0.5, 0.7].into_iter().map(|rate| (rate, six_hours(rate))).collect();
    for (rate, toll) in &tolls {
        println!("failing {:.0} %: {toll:.3?}", rate * 100.0);
        assert_eq!(toll.unanswered, 0, "there is always another");
        // Open for half an hour at least, so at most two rounds of open, half-open and closed in one.
        assert!(toll.changes_per_hour <= 6.0, "at {rate}: {toll:?}");
    }
    let share = |nth: usize| tolls[nth].1.share_of_bad;
    assert!(share(0) > 0.45, "a tenth is no reason to lose half the capacity");
    assert!(share(0) > share(1) && share(1) > share(2), "the worse, the less");
    assert!(share(2) < 0.10 && share(3) < 0.02, "what mostly fails gets next to nothing");
}

/// One request every other second, for two equal providers of whom one fails at that rate.
fn six_hours(rate: f64) -> Toll {
    time::simulated(async {
        let house = House::build(Leash::default(), vec![cards::plain(1), cards::plain(2)]).await;
        let mut random = SmallRng::seed_from_u64(18);
        let (mut changes, mut to_bad, mut unanswered) = (0, 0, 0);
        let mut breaker = "closed".to_owned();
        for _ in 0..REQUESTS {
            let mut journey = house.gateway.journey(cards::ask("m"));
            let mut answered = false;
            while !answered && let Ok(mut grant) = journey.next().await {
                let provider = grant.provider();
                let fails = provider == BAD && random.random_bool(rate);
                let outcome = if fails { Outcome::ProviderFailed } else { Outcome::Answered };
                if !fails {
                    grant.began();
                }
                grant.close(outcome, Closing::default());
                answered = !journey.ended(provider, outcome, None);
                if provider == BAD {
                    to_bad += 1;
                    let now = house.breaker("p1").await;
                    changes += u32::from(now != breaker);
                    breaker = now;
                }
            }
            unanswered += u32::from(!answered);
            tokio::time::sleep(PAUSE).await;
        }
        Toll {
            changes_per_hour: f64::from(changes) / f64::from(HOURS),
            share_of_bad: f64::from(to_bad) / f64::from(REQUESTS),
            unanswered,
        }
    })
}
