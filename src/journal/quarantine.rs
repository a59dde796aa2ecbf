//! Where records go that the database refuses: one JSON line each, so that nothing is lost and an
//! operator can look at them, mend them, and put them in by hand.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::record::{AttemptRecord, Record};

/// What the file in the data directory is called.
pub const FILE_NAME: &str = "quarantine.ndjson";

/// The file of refused records.
#[derive(Debug, Clone)]
pub struct Quarantine {
    path: PathBuf,
}

impl Quarantine {
    /// The quarantine in the data directory. The file is made with the first record.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE_NAME) }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one record with the reason. The line is on disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_aside(&self, record: &Record, reason: &str) -> io::Result<()> {
        let mut line = json!({ "reason": reason, "record": shown(record) }).to_string();
        line.push('\n');
        let mut file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

/// The record under the names of its columns.
fn shown(record: &Record) -> Value {
    let usage = record.metering.usage();
    let document = |text: &super::record::Document| -> Value {
        serde_json::from_str(text.get()).unwrap_or_else(|_| Value::from(text.get()))
    };
    let facts = json!({
        "id": record.id,
        "started_at": record.started_at,
        "duration_us": micros(record.duration),
        "user_id": record.user_id,
        "key_id": record.key_id,
        "format": record.format,
        "operation": record.operation,
        "model": record.model,
        "upstream_model": record.upstream_model,
        "streamed": record.streamed,
        "session": record.session,
        "provider_id": record.provider_id,
        "status": record.status,
        "ending": record.ending.name(),
        "error_kind": record.failure.as_ref().map(|failure| &failure.kind),
        "error_message": record.failure.as_ref().map(|failure| &failure.message),
        "ttfb_us": record.ttfb.map(micros),
        "cost": record.cost,
        "price": record.price.as_ref().map(document),
        "decisions": record.decisions.as_ref().map(document),
        "client_address": record.client_address,
        "user_agent": record.user_agent,
        "bytes_up": record.bytes_up,
        "bytes_down": record.bytes_down,
    });
    let metering = json!({ "usage_class": record.metering.name(), "usage": usage });
    let attempts: Vec<Value> = record.attempts.iter().map(shown_attempt).collect();
    let mut all = facts;
    for (name, value) in [("metering", metering), ("attempts", Value::from(attempts))] {
        all[name] = value;
    }
    all
}

fn shown_attempt(attempt: &AttemptRecord) -> Value {
    json!({
        "provider_id": attempt.provider_id,
        "provider_name": attempt.provider_name,
        "outcome": attempt.outcome.name(),
        "status": attempt.status,
        "started_us": micros(attempt.started),
        "head_us": attempt.head.map(micros),
        "first_frame_us": attempt.first_frame.map(micros),
        "total_us": micros(attempt.total),
        "retried_stale": attempt.retried_stale,
        "sent": attempt.sent,
        "error": attempt.error,
    })
}

fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
