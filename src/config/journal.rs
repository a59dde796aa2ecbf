//! `[journal]`: how what happens is written down before the database has it.

use std::time::Duration;

use super::typed::{ConfigError, Knob, Typed};
use crate::journal::recorder::{JournalSettings, Sync};

const MAX_BYTES: &str = "journal.max_bytes";
const SYNC: &str = "journal.sync";
const DRAIN_ROWS_PER_S: &str = "journal.drain_rows_per_s";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(MAX_BYTES, &[], Some("1073741824")),
    Knob::new(SYNC, &[], Some("interval")),
    Knob::new(DRAIN_ROWS_PER_S, &[], Some("5000")),
];

/// How long what was written may wait to be synced.
const INTERVAL: Duration = Duration::from_millis(50);

pub(super) fn meant(typed: &Typed, data_dir: &std::path::Path) -> Result<JournalSettings, ConfigError> {
    let syncs = [("off", Sync::Off), ("interval", Sync::Every(INTERVAL)), ("always", Sync::Always)];
    Ok(JournalSettings {
        data_dir: data_dir.to_owned(),
        max_bytes: typed.number(MAX_BYTES, 64 << 20, 1 << 40)?,
        sync: typed.choice(SYNC, &syncs)?,
        drain_rows_per_s: typed.number(DRAIN_ROWS_PER_S, 100, 1_000_000)?,
    })
}
