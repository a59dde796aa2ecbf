//! `[log]`: what is logged, and how it is written.

use log::LevelFilter;

use super::typed::{ConfigError, Knob, Typed};

pub(super) const LEVEL: &str = "log.level";
pub(super) const FORMAT: &str = "log.format";

pub(super) const KNOBS: &[Knob] =
    &[Knob::new(LEVEL, &["LOG_LEVEL"], Some("info")), Knob::new(FORMAT, &[], Some("text"))];

/// What is logged, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important lines that are written.
    pub level: LevelFilter,
    /// How they are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) fn meant(typed: &Typed) -> Result<LogSettings, ConfigError> {
    let levels = [
        ("off", LevelFilter::Off),
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("info", LevelFilter::Info),
        ("debug", LevelFilter::Debug),
        ("trace", LevelFilter::Trace),
    ];
    Ok(LogSettings {
        level: typed.choice(LEVEL, &levels)?,
        format: typed.choice(FORMAT, &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
    })
}
