//! What metrics cost a request: the stages on its way, and the counts at its end.
//!
//! `cargo bench --bench counting`; alone, and with a second thread that counts the same.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use actors::{
    ids::{ProviderId, RequestId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::DateTime;
use criterion::{Criterion, criterion_group, criterion_main};
use pointsman::{
    journal::record::{AttemptRecord, Ending, Metering, Record, Settlement},
    metrics::meters::{Meters, Stage},
};
use protocol::{Format, Operation, Usage};

const MODEL: &str = "claude-sonnet-4-5-20250929";

/// An ordinary request: streamed, one attempt, priced.
fn record() -> Record {
    let attempt = AttemptRecord {
        outcome: Outcome::Answered,
        first_frame: Some(Duration::from_millis(900)),
        ..AttemptRecord::new(ProviderId(1), "provider".into(), Duration::from_micros(90))
    };
    let usage =
        Usage { input_tokens: 900, cache_read_tokens: 20_000, output_tokens: 700, ..Usage::default() };
    Record {
        duration: Duration::from_millis(12_345),
        format: Some(Format::Anthropic),
        operation: Some(Operation::Generate),
        model: Some(MODEL.into()),
        streamed: true,
        status: 200,
        ending: Ending::Complete,
        metering: Metering::Exact(usage),
        settlement: Settlement::Exact,
        cost: Some(Pico(40_000_000_000)),
        attempts: vec![attempt],
        ..Record::new(RequestId::new(), DateTime::UNIX_EPOCH)
    }
}

fn count(meters: &Meters, record: &Record) {
    let took = black_box(Duration::from_micros(120));
    meters.stage(Stage::ArriveToPick, took);
    meters.stage(Stage::PickToSent, took);
    meters.stage(Stage::SentToHead, took);
    meters.stage(Stage::HeadToFirstFrame, took);
    meters.overhead(took);
    meters.ended(black_box(record), Some(MODEL));
}

fn benches(criterion: &mut Criterion) {
    let (meters, record) = (Arc::new(Meters::new()), record());
    criterion.bench_function("metrics of a request", |bencher| bencher.iter(|| count(&meters, &record)));
    let running = Arc::new(AtomicBool::new(true));
    let rival = std::thread::spawn({
        let (running, meters, record) = (Arc::clone(&running), Arc::clone(&meters), record.clone());
        move || {
            while running.load(Relaxed) {
                count(&meters, &record);
            }
        }
    });
    criterion.bench_function("metrics of a request, contended", |bencher| {
        bencher.iter(|| count(&meters, &record));
    });
    running.store(false, Relaxed);
    rival.join().expect("it only counts");
}

criterion_group!(counting, benches);
criterion_main!(counting);
