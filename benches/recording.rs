//! What it costs to keep a record: taking it down on the way of a request, and posting groups of 500 to SQLite.
//!
//! `cargo bench --bench recording`; the figure per row is that of a group divided by 500. Posting is measured in
//! CPU time, all threads together: it runs beside the traffic, and what it takes from it is what matters.

use std::{hint::black_box, time::Duration};

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::Utc;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pointsman::{
    config::store::{StoreSettings, StoreUrl},
    journal::{
        intent::Intent,
        quarantine::Quarantine,
        record::{AttemptRecord, Document, Ending, Metering, Record, minute_of},
        recorder::{JournalSettings, recorder},
    },
    secrets::{sealing::Sealer, sealing_key::SealingKey},
    store::Store,
};
use protocol::{Format, Operation, Usage};
use serde_json::json;

const GROUP: usize = 500;

/// The record of an ordinary request: one attempt, priced, with its decision chain.
fn record(number: usize) -> Record {
    let number = i64::try_from(number % 50).expect("small");
    let attempt = AttemptRecord {
        outcome: Outcome::Answered,
        status: Some(200),
        head: Some(Duration::from_micros(800)),
        first_frame: Some(Duration::from_micros(900)),
        total: Duration::from_millis(12),
        sent: true,
        ..AttemptRecord::new(ProviderId(number % 4), "provider".into(), Duration::from_micros(90))
    };
    let mut record = Record {
        duration: Duration::from_micros(12_345),
        user_id: Some(UserId(number)),
        key_id: Some(KeyId(number)),
        format: Some(Format::Anthropic),
        operation: Some(Operation::Generate),
        model: Some("claude-sonnet-4-5".into()),
        upstream_model: Some("claude-sonnet-4-5".into()),
        streamed: true,
        session: Some("2-0123456789abcdef0123456789abcdef".into()),
        provider_id: Some(ProviderId(number % 4)),
        status: 200,
        ending: Ending::Complete,
        ttfb: Some(Duration::from_micros(950)),
        reserved: Some(Pico(40_000_000_000)),
        price: Document::of(&json!({"id": 1, "input_usd_per_mtok": "3", "output_usd_per_mtok": "15"})).ok(),
        decisions: Document::of(&json!([{"attempt": 1, "candidates": [1, 2, 3], "chosen": 1}])).ok(),
        client_address: Some([127, 0, 0, 1].into()),
        user_agent: Some("claude-cli/2.0 (external, cli)".into()),
        bytes_up: 4_000,
        bytes_down: 9_000,
        attempts: vec![attempt],
        ..Record::new(RequestId::new(), Utc::now())
    };
    let usage = Usage { input_tokens: 1_000, output_tokens: 500, ..Usage::default() };
    record.settle(Metering::Exact(usage), Some(Pico(10_500_000_000)), false);
    record
}

fn intent(record: &Record) -> Intent {
    Intent {
        request: record.id,
        attempt: 1,
        at: record.started_at,
        started_at: record.started_at,
        minute: minute_of(record.started_at),
        user: UserId(1),
        key: KeyId(1),
        provider: ProviderId(1),
        provider_name: "provider".into(),
        format: Format::Anthropic,
        operation: Operation::Generate,
        model: "claude-sonnet-4-5".into(),
        upstream_model: "claude-sonnet-4-5".into(),
        session: record.session.clone(),
        reserved: record.reserved,
        input_tokens: 1_000,
        price: Some(1),
        streamed: true,
    }
}

fn store(directory: &tempfile::TempDir) -> Store {
    let settings = StoreSettings {
        url: StoreUrl::Sqlite(directory.path().join("bench.db")),
        pool_size: 4,
        pool_wait: Duration::from_secs(5),
        query_deadline: Duration::from_secs(30),
        auto_migrate: true,
    };
    let key = SealingKey::parse(&"11".repeat(32)).expect("a key");
    Store::open(&settings, Sealer::new(&key)).expect("a store")
}

fn posting(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let system = actix::System::new();
    let store = store(&directory);
    system.block_on(store.migrate()).expect("a schema");
    let mut group = criterion.benchmark_group("recording");
    group.throughput(Throughput::Elements(GROUP as u64));
    group.bench_function("post_a_group_of_500_to_sqlite", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                let records: Vec<Record> = (0..GROUP).map(record).collect();
                let before = cpu_time();
                system.block_on(store.insert_requests(&records)).expect("posted");
                spent += cpu_time() - before;
            }
            spent
        });
    });
    group.finish();
}

/// CPU time of all threads of this process, as the scheduler counts it.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let spent = tasks.flatten().filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

fn taking_down(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let system = actix::System::new();
    let store = store(&directory);
    let settings = JournalSettings { max_bytes: 1 << 40, ..JournalSettings::new(directory.path()) };
    // The writer is not run: this is what the way of a request pays.
    let (recorder, _writer) =
        recorder(store, Quarantine::new(directory.path()), settings).expect("a journal");
    let mut group = criterion.benchmark_group("recording");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    group.bench_function("intent_and_final", |bencher| {
        bencher.iter_batched(
            || {
                let record = record(1);
                (intent(&record), record)
            },
            |(intent, record)| {
                system.block_on(recorder.intent(&intent)).expect("room");
                black_box(recorder.record(record))
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, posting, taking_down);
criterion_main!(benches);
