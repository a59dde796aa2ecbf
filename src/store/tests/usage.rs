//! Usage: sums that are those of the rows, however often and in whatever order the rows are posted.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use actors::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, TimeDelta};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use protocol::{Format, Operation, Usage};

use super::{Backend, Rig, on_both};
use crate::{
    journal::record::{AttemptRecord, Ending, Metering, Record},
    store::{AttemptsAsk, Facet, Tally, UsageAsk, UsageOf, usage::client_of},
};

on_both! {
    i40_any_replay_gives_the_same_usage_as_counting_the_rows_anew
    usage_is_told_to_the_minute_by_every_facet_and_across_two
    what_somebody_unknown_says_of_himself_makes_no_subject
    an_absurd_figure_spoils_no_sum
}

/// An hour before midnight of a day in 2030.
const START: i64 = 31_666_500;

type Made = (Option<i64>, i64, Option<i64>, usize, i64, (i64, u64, u64, u16));

fn made() -> impl Strategy<Value = Vec<Made>> {
    let rest =
        (0..5_000_000_i64, 0..70_000_u64, 0..2_000_u64, prop::sample::select(vec![200_u16, 400, 499, 502]));
    let one = (
        prop::option::weighted(0.9, 1..4_i64),
        1..3_i64,
        prop::option::of(1..3_i64),
        0..4_usize,
        0..3_000_i64,
        rest,
    );
    prop::collection::vec(one, 40)
}

fn record((user, key, provider, word, minute, (cost, took, tokens, status)): Made) -> Record {
    let minute = START + minute;
    let mut record =
        Record::plain(DateTime::from_timestamp(minute * 60, 0).unwrap() - TimeDelta::seconds(90));
    record.minute = minute;
    record.user_id = user.map(UserId);
    record.key_id = user.map(|user| KeyId(user * 10 + key));
    record.provider_id = provider.map(ProviderId);
    record.model = ["small", "large/2", "", "small"].get(word).map(|model| (*model).to_owned());
    let agents = ["claude-cli/2.0 (external, cli)", "claude-cli/2.1", "codex cli", "näive/1"];
    record.user_agent = agents.get(word).map(|agent| (*agent).to_owned());
    record.format = (word > 0).then_some(Format::ALL[word % Format::ALL.len()]);
    record.operation = (word > 1).then_some(Operation::ALL[word % 2]);
    record.status = status;
    record.ending = if word == 2 { Ending::Cut } else { Ending::Complete };
    record.duration = Duration::from_millis(took);
    record.ttfb = (took % 3 > 0).then(|| Duration::from_millis(took / 2));
    let usage = Usage {
        input_tokens: tokens,
        cache_read_tokens: tokens / 2,
        cache_write_5m_tokens: 3,
        cache_write_1h_tokens: 4,
        output_tokens: tokens * 2,
        reasoning_tokens: 1,
    };
    record.settle(Metering::Exact(usage), (tokens % 5 > 0).then_some(Pico(cost.into())), false);
    if let Some(provider) = provider {
        let mut attempt = AttemptRecord::new(ProviderId(provider), "p".into(), Duration::ZERO);
        attempt.outcome = if status == 200 { Outcome::Answered } else { Outcome::Cut };
        attempt.first_frame = record.ttfb;
        record.attempts = vec![attempt.clone(), attempt];
    }
    record
}

/// Every row of the three tables.
async fn everything(rig: &Rig) -> Vec<String> {
    let mut all = Vec::new();
    for (table, key) in [
        ("usage_hours", "facet || ' ' || subject || ' ' || CAST(hour AS text)"),
        ("usage_days", "facet || ' ' || subject || ' ' || CAST(day AS text)"),
        ("usage_attempts", "CAST(provider_id AS text) || ' ' || CAST(hour AS text) || ' ' || outcome"),
    ] {
        let columns = match rig.backend {
            Backend::Sqlite => format!("SELECT name AS text FROM pragma_table_info('{table}') ORDER BY cid"),
            Backend::Postgres => format!(
                "SELECT column_name::text AS text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        let columns = rig.texts(&columns).await;
        assert!(columns.len() > 10, "{table}: {columns:?}");
        let told = columns.iter().map(|column| format!("CAST({column} AS text)"));
        let told = told.collect::<Vec<_>>().join(" || ' ' || ");
        all.extend(
            rig.texts(&format!("SELECT '{table} ' || {told} AS text FROM {table} ORDER BY {key}")).await,
        );
    }
    all.sort();
    all
}

/// The tables as the migrations fill them from the rows.
async fn counted_anew(rig: &Rig) -> Vec<String> {
    let steps = match rig.backend {
        Backend::Sqlite => [
            include_str!("../../../migrations/sqlite/0012_usage/down.sql"),
            include_str!("../../../migrations/sqlite/0012_usage/up.sql"),
            include_str!("../../../migrations/sqlite/0027_usage_of_calls/up.sql"),
        ],
        Backend::Postgres => [
            include_str!("../../../migrations/postgres/0012_usage/down.sql"),
            include_str!("../../../migrations/postgres/0012_usage/up.sql"),
            include_str!("../../../migrations/postgres/0027_usage_of_calls/up.sql"),
        ],
    };
    for step in steps {
        rig.sql(step).await.unwrap();
    }
    everything(rig).await
}

fn runner() -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Forty records and the order in which pieces of the journal are posted, some of them again and again.
async fn i40_any_replay_gives_the_same_usage_as_counting_the_rows_anew(rig: Rig) {
    let mut runner = runner();
    let pieces = prop::collection::vec((0..40_usize, 1..15_usize, prop::bool::ANY), 1..8);
    for case in 0..6 {
        rig.sql(
            "DELETE FROM requests; DELETE FROM attempts; DELETE FROM ledger_balances; \
             DELETE FROM usage_hours; DELETE FROM usage_days; DELETE FROM usage_attempts",
        )
        .await
        .unwrap();
        let journal = made().new_tree(&mut runner).unwrap().current();
        let journal: Vec<Record> = journal.into_iter().map(record).collect();
        for (from, length, doubled) in pieces.new_tree(&mut runner).unwrap().current() {
            let mut piece = journal[from..(from + length).min(journal.len())].to_vec();
            if doubled {
                piece.extend(piece.clone());
            }
            rig.store.insert_requests(&piece).await.unwrap();
        }
        rig.store.insert_requests(&journal).await.unwrap();
        let added = everything(&rig).await;
        assert!(added.len() > 50, "case {case}");
        assert_eq!(added, counted_anew(&rig).await, "case {case}");
    }
}

fn subject(facet: Facet, record: &Record) -> String {
    let id = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    let word = |text: &Option<String>| text.clone().filter(|_| record.user_id.is_some()).unwrap_or_default();
    match facet {
        Facet::User => id(record.user_id.map(|id| id.0)),
        Facet::Key => id(record.key_id.map(|id| id.0)),
        Facet::Provider => id(record.provider_id.map(|id| id.0)),
        Facet::Model => word(&record.model),
        Facet::Client => client_of(&word(&record.user_agent)).to_owned(),
        Facet::WireFormat => record.format.map(Format::name).unwrap_or_default().to_owned(),
        Facet::Operation => record.operation.map(Operation::name).unwrap_or_default().to_owned(),
    }
}

/// Requests, output tokens, cost and time of records, by period and subject.
type Sums = BTreeMap<(usize, String), (i64, i64, Pico, i64)>;

async fn told(
    rig: &Rig,
    by: Facet,
    of: UsageOf,
    periods: &[Range<i64>],
    subjects: Option<Vec<String>>,
) -> Sums {
    let ask = UsageAsk { by, of, periods: periods.to_vec(), subjects };
    let lines = rig.store.usage(ask).await.unwrap();
    let sum = |t: &Tally| (t.requests, t.output_tokens, t.cost, t.duration_us);
    lines.iter().map(|line| ((line.period, line.subject.clone()), sum(&line.tally))).collect()
}

fn counted(journal: &[Record], by: Facet, periods: &[Range<i64>], only: impl Fn(&Record) -> bool) -> Sums {
    let mut sums = Sums::new();
    for (place, period) in periods.iter().enumerate() {
        for record in journal.iter().filter(|record| period.contains(&record.minute) && only(record)) {
            let sum = sums.entry((place, subject(by, record))).or_default();
            sum.0 += 1;
            sum.1 += i64::try_from(record.metering.usage().output_tokens).unwrap();
            sum.2 += record.cost.unwrap_or(Pico::ZERO);
            sum.3 += i64::try_from(record.duration.as_micros()).unwrap();
        }
    }
    sums
}

async fn usage_is_told_to_the_minute_by_every_facet_and_across_two(rig: Rig) {
    let journal = made().new_tree(&mut runner()).unwrap().current();
    let journal: Vec<Record> = journal.into_iter().map(record).collect();
    rig.store.insert_requests(&journal).await.unwrap();
    let ragged =
        [START + 7..START + 7, START + 7..START + 50, START + 61..START + 2_951, START..START + 3_000];
    let quarters: Vec<_> = (0..100).map(|n| START + n * 30..START + (n + 1) * 30).collect();
    for by in Facet::ALL.iter().copied() {
        let all = UsageOf::default();
        assert_eq!(
            told(&rig, by, all.clone(), &ragged, None).await,
            counted(&journal, by, &ragged, |_| true),
            "{by:?}"
        );
        let one = subject(by, &journal[0]);
        let own = counted(&journal, by, &quarters, |record| subject(by, record) == one);
        assert_eq!(told(&rig, by, all, &quarters, Some(vec![one])).await, own, "{by:?}");
        let of = UsageOf { user: Some(2), client: Some("claude-cli".into()), ..UsageOf::default() };
        let of_these = |record: &Record| {
            record.user_id == Some(UserId(2)) && subject(Facet::Client, record) == "claude-cli"
        };
        for periods in [&ragged[..], &quarters[..]] {
            let expected = counted(&journal, by, periods, of_these);
            assert!(!expected.is_empty(), "{by:?}");
            assert_eq!(told(&rig, by, of.clone(), periods, None).await, expected, "{by:?}");
        }
        let of = UsageOf { model: Some("large/2".into()), provider: Some(1), ..UsageOf::default() };
        let expected = counted(&journal, by, &ragged, |record| {
            record.provider_id == Some(ProviderId(1)) && record.model.as_deref() == Some("large/2")
        });
        assert_eq!(told(&rig, by, of, &ragged, None).await, expected, "{by:?}");
        let (format, operation) = (Format::ALL[3], Operation::ALL[1]);
        let of = UsageOf { format: Some(format), operation: Some(operation), ..UsageOf::default() };
        let of_these = |record: &Record| record.format == Some(format) && record.operation == Some(operation);
        let expected = counted(&journal, by, &ragged, of_these);
        assert!(!expected.is_empty(), "{by:?}");
        assert_eq!(told(&rig, by, of, &ragged, None).await, expected, "{by:?}");
    }
}

async fn what_somebody_unknown_says_of_himself_makes_no_subject(rig: Rig) {
    let unknown = |n: usize| {
        let mut one = record((None, 1, None, 0, 0, (0, 0, 0, 400)));
        (one.model, one.user_agent) = (Some(format!("m{n}")), Some(format!("agent{n}")));
        one
    };
    rig.store.insert_requests(&(0..20).map(unknown).collect::<Vec<_>>()).await.unwrap();
    let hours = rig.texts("SELECT facet || subject AS text FROM usage_hours ORDER BY facet").await;
    assert_eq!(hours, ["client", "key", "model", "operation", "provider", "user", "wire_format"]);
}

async fn an_absurd_figure_spoils_no_sum(rig: Rig) {
    let absurd = || {
        let mut one = record((Some(1), 1, Some(1), 0, 0, (0, 0, 0, 200)));
        let most = u64::try_from(i64::MAX).unwrap();
        let usage = Usage { output_tokens: most, input_tokens: most, ..Usage::default() };
        one.settle(Metering::Exact(usage), Some(Pico(5)), false);
        one.duration = Duration::from_secs(u64::MAX / 2);
        one
    };
    for _ in 0..3 {
        assert_eq!(rig.store.insert_requests(&[absurd(), absurd()]).await, Ok(2));
    }
    let added = everything(&rig).await;
    assert_eq!(added, counted_anew(&rig).await);
    let ask = AttemptsAsk { provider: Some(ProviderId(1)), hours: 0..i64::MAX };
    let attempts = rig.store.attempts(ask).await.unwrap();
    assert_eq!(attempts.iter().map(|line| line.attempts).sum::<i64>(), 12);
}
