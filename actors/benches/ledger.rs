//! What admission costs: a reservation and its settlement on a user and a key, without limits, with all of
//! them, and in the crowd.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use actors::{
    ids::{KeyId, RequestId, UserId},
    ledger::{
        book::{Book, Terms},
        calendar::Calendar,
        claim::{Claim, Estimate, Payers, Settlement},
        limits::{Day, Limits, Span},
        minutes::Moment,
        quantile::ModelMark,
    },
    money::Pico,
    ports::{Balance, BalancesAnswer},
};
use chrono::{DateTime, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use uuid::Uuid;

const PAYERS: Payers = Payers::Caller(UserId(1), KeyId(1));

/// A book whose user and key are bound so, and know all they have used: nothing.
fn book(limits: Limits, now: Moment) -> Book {
    let terms = Terms { longest_request: Duration::from_secs(4_200), session_ttl: Duration::from_secs(300) };
    let mut book = Book::new(terms, Calendar::default(), now);
    for id in PAYERS.accounts() {
        book.configure(id, &Arc::new(limits), now);
    }
    let inquiries = book.inquiries(now);
    let nothing = |ask: &actors::ports::BalancesAsk| Balance {
        sums: vec![Pico::ZERO; ask.ranges.len()],
        ..Balance::default()
    };
    let balances = inquiries.iter().map(|inquiry| nothing(&inquiry.ask)).collect();
    book.learn(&inquiries, &BalancesAnswer { balances, includes: 0 }, now);
    book
}

fn all() -> Limits {
    let mut limits = Limits {
        rpm: Some(u32::MAX),
        tpm: Some(u64::MAX),
        concurrency: Some(100_000),
        day: Some(Day::Rolling),
        ..Limits::default()
    };
    for span in Span::ALL {
        limits.usd[span] = Some(Pico::MAX);
    }
    limits
}

fn claim(number: u64) -> Claim {
    Claim {
        request: RequestId(Uuid::from_u128(number.into())),
        payers: PAYERS,
        session: None,
        model: ModelMark::of("some-model"),
        estimate: Estimate {
            input: Pico(3_000_000),
            input_tokens: 1_000,
            per_output_token: Pico(15_000_000),
            max_output: Some(8_192),
            worst_input: Pico(4_000_000),
            worst_output: 8_192,
        },
    }
}

/// One request, a millisecond after the last.
fn request(book: &mut Book, number: u64, now: &mut Moment) {
    now.at += Duration::from_millis(1);
    now.wall += Duration::from_millis(1);
    let claim = claim(number);
    let Ok(held) = book.reserve(black_box(&claim), *now) else { return };
    let (ticket, minute) = (held.ticket, held.minute);
    drop(held);
    let settled = Settlement {
        ticket,
        payers: PAYERS,
        minute,
        cost: Pico(9),
        tokens: Some((1_000, 300)),
        sequence: number,
    };
    book.settle(&settled, *now);
}

fn admission(criterion: &mut Criterion) {
    let start =
        Moment { at: Instant::now(), wall: DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(1_767_225_600) };
    let mut group = criterion.benchmark_group("reserve and settle");
    for (name, limits) in [("without limits", Limits::default()), ("with every limit", all())] {
        let (mut book, mut now, mut number) = (book(limits, start), start, 0);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                number += 1;
                request(&mut book, number, &mut now);
            });
        });
    }
    let (mut book, mut now, mut number) = (book(all(), start), start, 0);
    let crowd: Vec<_> =
        (0..1_000).filter_map(|nth| book.reserve(&claim(u64::MAX - nth), start).ok()).collect();
    group.bench_function("beside a thousand others", |bencher| {
        bencher.iter(|| {
            number += 1;
            request(&mut book, number, &mut now);
        });
    });
    drop(crowd);
    group.finish();
}

fn refusal(criterion: &mut Criterion) {
    let now =
        Moment { at: Instant::now(), wall: DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(1_767_225_600) };
    let mut limits = Limits::default();
    limits.usd[Span::Day] = Some(Pico(1));
    let mut book = book(limits, now);
    criterion.bench_function("refusal", |bencher| {
        bencher.iter(|| book.reserve(black_box(&claim(1)), now).is_err())
    });
}

criterion_group!(benches, admission, refusal);
criterion_main!(benches);
