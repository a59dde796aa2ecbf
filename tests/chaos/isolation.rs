//! One provider hangs with hundreds of requests: what the callers of another notice, and what those hear
//! for whom nobody is left.

use std::time::{Duration, Instant};

use actors::{
    ledger::limits::Limits,
    provider::{card::BreakerSettings, messages::SetBreaker},
};
use futures_util::future::join_all;
use pointsman::{
    demo::upstream::{self, Mode},
    store::NewProvider,
};
use tokio::time::sleep;

use crate::{
    caller::{Ask, Caller},
    figures::Times,
    rig::{self, Rig},
    turn,
};

const HANGING: usize = 300;
const MEASURED: usize = 400;
const AT_ONCE: usize = 4;
/// Loose, since the machine may be busy with other things; the figures say how it really was.
const SOON: Duration = Duration::from_millis(250);

fn provider_of(model: &str, name: &str, upstream: &upstream::Running) -> NewProvider {
    NewProvider { allowed_models: vec![model.to_owned()], ..rig::provider(name, upstream.base_url()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i19_a_provider_that_hangs_does_not_slow_the_callers_of_another() {
    let _turn = turn().await;
    let (hanging, sound) = (upstream::start(0).unwrap(), upstream::start(0).unwrap());
    let providers = vec![provider_of("stuck", "hangs", &hanging), provider_of("quick", "sound", &sound)];
    let rig = Rig::serve(providers, |_| ()).await;
    let without = measured(&rig).await;
    let stuck = join_all((0..HANGING).map(|number| hang(&rig, number))).await;
    let start = Instant::now();
    while hanging.open() < HANGING {
        assert!(start.elapsed() < Duration::from_secs(10), "{} hang", hanging.open());
        sleep(Duration::from_millis(5)).await;
    }
    let with = measured(&rig).await;
    assert_eq!(hanging.open(), HANGING, "they hung all the while");
    assert!(with.percentile(99) < without.percentile(99) * 3 + SOON, "with {with}, without {without}");
    drop(stuck);
    rig.quiet().await;
    println!("isolation: the other provider's callers, without: {without}; with {HANGING} hanging: {with}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i19_when_nobody_is_left_the_caller_hears_so_at_once_and_when_to_come_back() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let shut = NewProvider {
        breaker: BreakerSettings { open_ms: 20_000, ..BreakerSettings::default() },
        ..provider_of("shut", "open-breaker", &upstream)
    };
    let full = NewProvider {
        limits: Limits { concurrency: Some(1), ..Limits::default() },
        ..provider_of("full", "full", &upstream)
    };
    let rig = Rig::serve(vec![shut, full, provider_of("cooling", "cooling", &upstream)], |_| ()).await;
    let id = rig.provider("open-breaker").await.detail.unwrap()["provider_id"].clone();
    let id = serde_json::from_value(id).unwrap();
    assert!(rig.house.gateway.set_breaker(id, SetBreaker::Open).await.unwrap());
    let mut occupant = Caller::connect(rig.address()).await.unwrap();
    occupant.send(&Ask::plain(&rig.key, "full", "[[hang]]")).await.unwrap();
    while upstream.open() < 1 {
        sleep(Duration::from_millis(2)).await;
    }
    let mut caller = Caller::connect(rig.address()).await.unwrap();
    upstream.set_mode(Mode::Fail { status: 429, retry_after: Some(20) });
    caller.ask(&Ask::plain(&rig.key, "cooling", "hello")).await.unwrap();
    rig.house.recorder.flush().await;

    for (model, status) in [("shut", 503), ("full", 429), ("cooling", 429)] {
        let mut waits = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            let answer = caller.ask(&Ask::plain(&rig.key, model, "hello")).await.unwrap();
            waits.push(start.elapsed());
            assert_eq!(answer.status, status, "{model}: {answer:?}");
            let retry_after = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
            assert!(
                retry_after.is_some_and(|seconds: u64| (1..=30).contains(&seconds)),
                "{model}: {answer:?}"
            );
        }
        let waits = Times::of(waits);
        assert!(waits.percentile(99) < SOON, "{model}: {waits}");
        println!("total outage ({model}): {status} with retry-after after {waits}");
    }
    assert_eq!(upstream.open(), 1, "nobody was asked but by the one who was in time");
}

/// Times of requests to the sound provider.
async fn measured(rig: &Rig) -> Times {
    let callers = (0..AT_ONCE).map(|_| async {
        let mut caller = Caller::connect(rig.address()).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..MEASURED / AT_ONCE {
            let start = Instant::now();
            let answer = caller.ask(&Ask::plain(&rig.key, "quick", "hello")).await.unwrap();
            assert_eq!(answer.status, 200);
            times.push(start.elapsed());
        }
        times
    });
    Times::of(join_all(callers).await.into_iter().flatten())
}

async fn hang(rig: &Rig, number: usize) -> Caller {
    let mut caller = Caller::connect(rig.address()).await.unwrap();
    caller.send(&Ask::stream(&rig.key, "stuck", &format!("{number} [[hang]]"))).await.unwrap();
    caller
}
