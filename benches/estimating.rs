//! What an estimate costs a request, by how many providers there are and how they differ.
//!
//! `cargo bench --bench estimating`. Providers with redirects of their own must each be asked, so they show
//! what it would cost to ask all.

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use actors::{money::Money, pricing::bounds::Size, provider::card::Card, testkit::cards};
use chrono::Utc;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pointsman::current::{billing::Billing, offers::Offers, prices::PriceList};
use protocol::Format;

const MODEL: &str = "claude-sonnet-4-5-20250929";

/// Provider number `id`: with a factor, and perhaps a redirect that nobody else has.
fn provider(id: i64, redirects: bool) -> Arc<Card> {
    cards::with(id, |card| {
        card.cost_multiplier = Money::parse(&format!("0.{id:03}")).expect("a number");
        if redirects {
            card.model_redirects = BTreeMap::from([(format!("model-{id}"), MODEL.to_owned())]);
        }
    })
}

fn estimating(criterion: &mut Criterion) {
    let now = Utc::now();
    let prices = Arc::new(PriceList::new([], [], Billing::default(), now));
    let size = Size { body_bytes: 80_000, max_output_tokens: Some(32_000), answers: 1 };
    let mut group = criterion.benchmark_group("an_estimate");
    for (name, redirects) in [("of_providers_alike", false), ("of_providers_to_be_asked_each", true)] {
        for count in [1, 10, 200] {
            let cards: Vec<_> = (1..=count).map(|id| provider(id, redirects)).collect();
            let offers = Offers::new(&cards, Arc::clone(&prices));
            group.bench_function(BenchmarkId::new(name, count), |bench| {
                bench.iter(|| offers.estimate(Format::Anthropic, black_box(MODEL), &size, now));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, estimating);
criterion_main!(benches);
