//! What a cost costs: the usual price, a factor on it, tiers, and what does not fit a machine word.

use std::hint::black_box;

use actors::{
    money::Money,
    pricing::{
        Consumed, Price, Rates, Service, Terms, Tier,
        bounds::{Bounds, Size},
    },
};
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::Usage;

fn usd(text: &str) -> Money {
    Money::parse(text).expect("a sound amount")
}

/// As a row comes out of the database: every amount with all its twelve digits.
fn rates(input: &str, output: &str) -> Rates {
    let stored = |text: &str| Money::from_decimal(usd(text).as_decimal().with_scale(12));
    Rates {
        input_usd_per_mtok: stored(input),
        output_usd_per_mtok: stored(output),
        cache_write_5m_usd_per_mtok: stored("3.75"),
        cache_write_1h_usd_per_mtok: stored("6"),
        cache_read_usd_per_mtok: stored("0.3"),
    }
}

fn costs(bench: &mut Criterion) {
    let usage = Usage {
        input_tokens: 1_234,
        cache_read_tokens: 98_765,
        cache_write_5m_tokens: 4_321,
        cache_write_1h_tokens: 0,
        output_tokens: 2_345,
        reasoning_tokens: 0,
    };
    let consumed = Consumed::tokens(usage);
    let plain = Price::from(rates("3", "15"));
    let tier = |service, above_input_tokens| Tier { service, above_input_tokens, rates: rates("6", "22.5") };
    let tiers = vec![tier(Service::Standard, 200_000), tier(Service::Priority, 0), tier(Service::Flex, 0)];
    let tiered = Price { rates: rates("3", "15"), terms: Terms { tiers, ..Terms::default() } };
    let fine = Price::from(Rates { input_usd_per_mtok: usd("0.0000000000003"), ..rates("3", "15") });
    let (one, factor) = (Money::one(), usd("0.85"));
    let mut group = bench.benchmark_group("pricing");
    group.bench_function("cost", |bench| bench.iter(|| black_box(&plain).cost(&consumed, &one)));
    group.bench_function("cost with a factor", |bench| {
        bench.iter(|| black_box(&plain).cost(&consumed, &factor));
    });
    group.bench_function("cost with tiers", |bench| bench.iter(|| black_box(&tiered).cost(&consumed, &one)));
    group.bench_function("cost in decimals", |bench| bench.iter(|| black_box(&fine).cost(&consumed, &one)));
    let (bounds, answers) = (Bounds::of(&tiered), 1);
    let size = Size { body_bytes: 104_320, max_output_tokens: Some(4_096), answers };
    group.bench_function("estimate", |bench| bench.iter(|| black_box(&bounds).estimate(&size, &one)));
    group.finish();
}

criterion_group!(benches, costs);
criterion_main!(benches);
