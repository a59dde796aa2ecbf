//! Two providers that both fail: how many attempts a storm of requests becomes.

use std::time::{Duration, Instant};

use actors::provider::card::BreakerSettings;
use futures_util::future::join_all;
use pointsman::{
    demo::upstream::{self, Mode},
    store::NewProvider,
};
use tokio::time::{interval_at, sleep_until};

use crate::{
    caller::{Ask, Caller},
    rig::{self, Rig},
    turn,
};

const PER_SECOND: u32 = 200;
const STORM: Duration = Duration::from_secs(10);
const CALLERS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i21_two_failing_providers_are_not_buried_under_failovers() {
    let _turn = turn().await;
    // Breakers would put an end to the attempts; what holds them back here is the retry budget alone.
    let never = BreakerSettings { failure_threshold: u32::MAX, ..BreakerSettings::default() };
    let (requests, attempts, span) = storm(never, STORM).await;
    assert!(attempts >= requests, "each request was tried: {attempts} for {requests}");
    assert!(attempts * 10 <= requests * 12 + 30, "{attempts} attempts for {requests} requests");
    println!(
        "amplification without breakers: {attempts} attempts at the upstreams for {requests} requests in \
         {:.1} s: {:.3}",
        span.as_secs_f64(),
        attempts as f64 / requests as f64
    );

    let (requests, attempts, _) = storm(BreakerSettings::default(), STORM / 5).await;
    // Five failures in a row each, and those that were on their way just then.
    assert!(attempts <= 2 * (5 + u64::from(CALLERS)), "{attempts} attempts for {requests} requests");
    println!("amplification with breakers: {attempts} attempts for {requests} requests");
}

/// Sends requests at an even pace to two providers that answer 500. Says how many requests there were, how
/// many attempts the upstreams saw, and how long it took.
async fn storm(breaker: BreakerSettings, length: Duration) -> (u64, u64, Duration) {
    let upstreams = [upstream::start(0).unwrap(), upstream::start(0).unwrap()];
    let providers = upstreams.iter().zip(["one", "other"]).map(|(upstream, name)| {
        upstream.set_mode(Mode::Fail { status: 500, retry_after: None });
        NewProvider { breaker, ..rig::provider(name, upstream.base_url()) }
    });
    let rig = Rig::serve(providers.collect(), |_| ()).await;
    // Both have failed once before it counts: a failover to a provider that is thought sound is free.
    let mut first = Caller::connect(rig.address()).await.unwrap();
    first.ask(&Ask::plain(&rig.key, "m", "the first")).await.unwrap();
    rig.quiet().await;
    let attempts = || {
        let seen = upstreams.iter().map(|upstream| upstream.log(0).last().map_or(0, |entry| entry.number));
        seen.sum::<u64>()
    };
    let before = attempts();
    assert_eq!(before, 2, "the first request met both");

    let start = Instant::now();
    let until = (start + length).into();
    let pace = Duration::from_secs(1) / PER_SECOND;
    let sent = join_all((0..CALLERS).map(|number| {
        let (first, rig) = (start + pace * number, &rig);
        async move {
            let mut caller = Caller::connect(rig.address()).await.unwrap();
            let mut ticks = interval_at(first.into(), pace * CALLERS);
            let mut sent = 0;
            loop {
                tokio::select! {
                    _ = ticks.tick() => (),
                    () = sleep_until(until) => return sent,
                }
                let prompt = format!("caller {number}, request {sent}");
                let answer = caller.ask(&Ask::plain(&rig.key, "m", &prompt)).await.unwrap();
                assert!(matches!(answer.status, 500 | 503 | 529), "{answer:?}");
                sent += 1;
            }
        }
    }))
    .await;
    let span = start.elapsed();
    rig.quiet().await;
    (sent.into_iter().sum(), attempts() - before, span)
}
