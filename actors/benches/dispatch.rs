//! What a choice costs: from `next` to the closing of the grant, here and on another thread, and the pure
//! selection among few and many providers.

use std::{hint::black_box, sync::Arc, time::Instant};

use actix::{Arbiter, System};
use actors::{
    Gateway, Settings,
    clock::Clock,
    dispatcher::{
        grant::Closing,
        messages::CallerLimits,
        selection::{Background, Entrant, select},
    },
    provider::outcome::Outcome,
    session::id::SessionId,
    testkit::cards,
};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{SeedableRng, rngs::SmallRng};

/// One whole request of a conversation, with three providers to choose from.
async fn journey(gateway: &Gateway, limits: &CallerLimits) {
    let mut ask = cards::ask("m");
    ask.limits = limits.clone();
    ask.session = Some(SessionId::new(ask.key, ask.format, "m", "conversation"));
    let mut journey = gateway.journey(ask);
    if let Ok(mut grant) = journey.next().await {
        grant.began();
        grant.close(Outcome::Answered, Closing::default());
    }
}

async fn gateway(thread: &actix::ArbiterHandle) -> Gateway {
    let gateway = Gateway::start(thread, Clock::system(), Settings::default());
    gateway.configure((1..=3).map(cards::plain).collect()).await.expect("the dispatcher takes it");
    gateway
}

fn journeys(criterion: &mut Criterion) {
    let system = System::new();
    let here = system.block_on(async { gateway(&Arbiter::current()).await });
    let elsewhere = system.block_on(async { Arbiter::new() });
    let there = system.block_on(gateway(&elsewhere.handle()));
    let mut group = criterion.benchmark_group("journey");
    for (name, gateway) in [("actors on this thread", &here), ("actors on another thread", &there)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                system.block_on(async {
                    // As in the house: what has not changed is the same value.
                    let limits = CallerLimits::default();
                    let started = Instant::now();
                    for _ in 0..times {
                        journey(gateway, &limits).await;
                    }
                    started.elapsed()
                })
            });
        });
    }
    group.finish();
    elsewhere.stop();
}

fn selection(criterion: &mut Criterion) {
    let (ask, now) = (cards::ask("m"), Instant::now());
    let mut group = criterion.benchmark_group("selection");
    for providers in [3, 200] {
        let cards: Vec<_> = (1..=providers).map(cards::plain).collect();
        let entrants: Vec<_> = cards
            .iter()
            .map(|card: &Arc<_>| Entrant { card, opens: None, shut: None, ailing: false })
            .collect();
        let mut random = SmallRng::seed_from_u64(1);
        group.bench_function(format!("among {providers}"), |bencher| {
            bencher.iter(|| select(black_box(&entrants), &ask, Background::default(), now, &mut random));
        });
    }
    group.finish();
}

criterion_group!(benches, journeys, selection);
criterion_main!(benches);
