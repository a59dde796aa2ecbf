//! Fills the request log of an empty database as weeks of work would: rows, attempts, balances and sums, posted the way
//! the server posts them, so that `/api/v1/ledger/drift` is empty afterwards.
//!
//! `cargo run --release --example fill_requests -- --database-url sqlite:/tmp/big.db --rows 1000000`. The same rows come
//! out each time, save for their distance to now. `--users 10000` makes so many users with a key each as well. See
//! `docs/performance.md`.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    ledger::limits::Limits,
    money::Pico,
    provider::outcome::Outcome,
    restrictions::Restrictions,
};
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use pointsman::{
    config::store::{StoreSettings, StoreUrl},
    journal::record::{AttemptRecord, Document, Ending, Failure, Metering, Record},
    secrets::{
        digest::{Digester, NewApiKey},
        digest_key::DigestKey,
        sealing::Sealer,
        sealing_key::SealingKey,
    },
    store::{NewKey, NewUser, Role, Store},
};
use protocol::{Format, Operation, Usage};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

const GROUP: u64 = 500;
const USERS: i64 = 200;
const PROVIDERS: i64 = 8;
/// Some are asked for a hundred times as often as others.
const MODELS: [(&str, Format); 12] = [
    ("claude-sonnet-4-5", Format::Anthropic),
    ("claude-opus-4-1", Format::Anthropic),
    ("gpt-5-codex", Format::OpenaiResponses),
    ("claude-haiku-4-5", Format::Anthropic),
    ("gemini-2.5-pro", Format::Gemini),
    ("gpt-5", Format::OpenaiChat),
    ("claude-3-7-sonnet", Format::Anthropic),
    ("gpt-4.1", Format::OpenaiChat),
    ("gemini-2.5-flash", Format::Gemini),
    ("o4-mini", Format::OpenaiChat),
    ("deepseek-chat", Format::OpenaiChat),
    ("qwen3-coder", Format::OpenaiChat),
];
const CLIENTS: [&str; 6] = [
    "claude-cli/2.0.14 (external, cli)",
    "codex_cli_rs/0.46.0 (Debian 12; x86_64)",
    "opencode/0.15.2",
    "OpenAI/Python 2.3.0",
    "GeminiCLI/0.8.1",
    "curl/8.14.1",
];

/// Fills the request log.
#[derive(Parser)]
struct Arguments {
    /// `sqlite:` and a path, or `postgres://…`; of an empty database.
    #[arg(long)]
    database_url: String,
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Over how many days until now they lie.
    #[arg(long, default_value_t = 60)]
    days: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many users with a key each.
    #[arg(long, default_value_t = 0)]
    users: u64,
}

#[actix::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { database_url, rows, days, seed, users } = Arguments::parse();
    let settings = StoreSettings {
        url: StoreUrl::parse(&database_url).map_err(anyhow::Error::msg)?,
        pool_size: 4,
        pool_wait: Duration::from_secs(5),
        query_deadline: Duration::from_secs(120),
        auto_migrate: true,
    };
    // No credential is read or written here.
    let store = Store::open(&settings, Sealer::new(&SealingKey::parse(&"11".repeat(32))?))?;
    store.migrate().await?;
    let (mut dice, began) = (StdRng::seed_from_u64(seed), Instant::now());
    fill_users(&store, &mut dice, users).await?;
    let end = Utc::now();
    let span_us = i64::from(days) * 86_400_000_000;
    let rows_signed = i64::try_from(rows).context("--rows")?;
    for first in (0..rows).step_by(usize::try_from(GROUP)?) {
        let group: Vec<Record> = (first..rows.min(first + GROUP))
            .map(|number| {
                let behind = i64::try_from(number).unwrap_or(0) * (span_us / rows_signed.max(1));
                record(&mut dice, end - TimeDelta::microseconds(span_us) + TimeDelta::microseconds(behind))
            })
            .collect();
        store.insert_requests(&group).await?;
        if first % 50_000 == 0 {
            writeln!(io::stderr(), "{first} of {rows} rows, {:.0} s", began.elapsed().as_secs_f64())?;
        }
    }
    writeln!(io::stdout(), "{rows} rows in {:.0} s", began.elapsed().as_secs_f64())?;
    Ok(())
}

/// Makes users whose names, ends and groups repeat as those of a house do, with a key each.
async fn fill_users(store: &Store, dice: &mut StdRng, users: u64) -> anyhow::Result<()> {
    let digester = Digester::for_api_keys(&DigestKey::generate());
    for number in 0..users {
        let ends = dice.random_bool(0.3).then(|| Utc::now() + TimeDelta::days(dice.random_range(-100..300)));
        let groups = vec![format!("team {}", dice.random_range(0..40_u32))];
        let user = NewUser {
            name: format!("{} {number}", ["ann", "Bob", "Zoë", "service"][dice.random_range(0..4)]),
            role: Role::User,
            groups: groups.clone(),
            tags: vec![format!("cost centre {}", dice.random_range(0..400_u32))],
            limits: Limits::default(),
            restrictions: Restrictions::default(),
            expires_at: ends,
            enabled: dice.random_bool(0.9),
        };
        let user = store.create_user(user).await?;
        let key = NewKey {
            name: ["laptop", "ci", "default"][dice.random_range(0..3)].to_owned(),
            groups,
            limits: Limits::default(),
            restrictions: Restrictions::default(),
            expires_at: ends,
            enabled: true,
            web_login: false,
        };
        store.create_key(user.id, &NewApiKey::generate(&digester), key).await?;
    }
    Ok(())
}

/// The smaller of two, so that low numbers come up more often.
fn skewed(dice: &mut StdRng, below: i64) -> i64 {
    dice.random_range(0..below).min(dice.random_range(0..below)).min(dice.random_range(0..below))
}

fn record(dice: &mut StdRng, at: DateTime<Utc>) -> Record {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    let id = RequestId(uuid::Builder::from_unix_timestamp_millis(millis, &dice.random()).into_uuid());
    let user = skewed(dice, USERS) + 1;
    let (model, format) = MODELS[usize::try_from(skewed(dice, 12)).unwrap_or(0)];
    let provider = skewed(dice, PROVIDERS) + 1;
    let mut record = Record {
        user_id: Some(UserId(user)),
        // Two keys each.
        key_id: Some(KeyId(user * 2 - dice.random_range(0..2))),
        format: Some(format),
        operation: Some(match dice.random_range(0..1_000) {
            0 => Operation::Embed,
            1..40 => Operation::CountTokens,
            _ => Operation::Generate,
        }),
        model: Some(model.to_owned()),
        upstream_model: Some(model.to_owned()),
        streamed: dice.random_bool(0.9),
        // Conversations of about forty requests.
        session: Some(format!(
            "2-{:016x}{user:016x}",
            at.timestamp() / 86_400 * 64 + dice.random_range(0..2)
        )),
        client_address: Some([10, 0, 0, u8::try_from(user % 250).unwrap_or(0)].into()),
        user_agent: Some(CLIENTS[usize::try_from(skewed(dice, 6)).unwrap_or(0)].to_owned()),
        bytes_up: dice.random_range(2_000..400_000),
        price: Document::of(&json!({"id": 1, "input_usd_per_mtok": "3", "output_usd_per_mtok": "15"})).ok(),
        decisions: Document::of(&json!([{"attempt": 1, "candidates": [1, 2, 3], "chosen": provider}])).ok(),
        ..Record::new(id, at)
    };
    let duration = Duration::from_millis(dice.random_range(400..60_000));
    let mut attempt = AttemptRecord {
        head: Some(Duration::from_millis(dice.random_range(100..900))),
        first_frame: Some(Duration::from_millis(dice.random_range(300..2_000))),
        total: duration,
        sent: true,
        ..AttemptRecord::new(ProviderId(provider), format!("provider {provider}"), Duration::from_micros(90))
    };
    record.duration = duration;
    record.reserved = Some(Pico(40_000_000_000));
    match dice.random_range(0..100) {
        0..=91 => answered(dice, &mut record, &mut attempt, provider),
        92..=93 => {
            answered(dice, &mut record, &mut attempt, provider);
            record.ending = Ending::CallerLeft;
        }
        94..=95 => {
            (record.status, record.ending) = (429, Ending::Refused);
            let message = "the limit of this window is reached".to_owned();
            record.failure = Some(Failure { kind: "limit_reached".into(), message });
            return record;
        }
        _ => {
            (record.status, record.ending) = ([500, 502, 503, 529][dice.random_range(0..4)], Ending::Failed);
            record.provider_id = Some(ProviderId(provider));
            record.failure = Some(Failure { kind: "upstream_failed".into(), message: "said no".to_owned() });
            (attempt.outcome, attempt.status) = (Outcome::ProviderFailed, Some(record.status));
        }
    }
    if dice.random_bool(0.05) {
        let before = AttemptRecord {
            outcome: Outcome::Overloaded,
            status: Some(529),
            first_frame: None,
            ..attempt.clone()
        };
        record.attempts.push(before);
    }
    record.attempts.push(attempt);
    record
}

fn answered(dice: &mut StdRng, record: &mut Record, attempt: &mut AttemptRecord, provider: i64) {
    (record.status, record.ending, record.provider_id) = (200, Ending::Complete, Some(ProviderId(provider)));
    (attempt.outcome, attempt.status) = (Outcome::Answered, Some(200));
    record.ttfb = attempt.first_frame;
    record.bytes_down = dice.random_range(500..80_000);
    let usage = Usage {
        input_tokens: dice.random_range(50..8_000),
        cache_read_tokens: dice.random_range(0..120_000),
        cache_write_5m_tokens: dice.random_range(0..6_000),
        output_tokens: dice.random_range(20..4_000),
        ..Usage::default()
    };
    // Three dollars a million in, fifteen out, a tenth for what was cached.
    let parts = [
        (usage.input_tokens, 3_000_000),
        (usage.output_tokens, 15_000_000),
        (usage.cache_read_tokens, 300_000),
    ];
    let cost = parts.iter().map(|(tokens, pico)| i128::from(*tokens) * pico).sum();
    record.settle(Metering::Exact(usage), Some(Pico(cost)), false);
}
