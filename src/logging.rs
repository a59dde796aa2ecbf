//! The log: lines for people, or one JSON object a line for machines.
//!
//! A line is a message that reads alone, and fields to search by. What is not ours to word (names, paths, user
//! agents, what an upstream said) is escaped on the way, so that nobody can forge a line (C-26).

mod fields;
pub mod request;
mod safe;

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use chrono::{SecondsFormat, Utc};
use log::Record;
use serde_json::Map;

use self::safe::{escaped, json_escaped};
use crate::config::log::{LogFormat, LogSettings};

/// Panics since the start, wherever they were.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Starts logging to standard error.
pub fn start(settings: &LogSettings) {
    let mut builder = env_logger::Builder::new();
    // Libraries have their say from warnings on; what they tell below that is about themselves.
    builder.filter_level(settings.level.min(log::LevelFilter::Warn));
    for ours in ["pointsman", "actors", "protocol"] {
        builder.filter_module(ours, settings.level);
    }
    // It reports every answer we break off on purpose; the row and our own line tell of those.
    builder.filter_module("actix_http::h1::dispatcher", log::LevelFilter::Off);
    let written = match settings.format {
        LogFormat::Text => text,
        LogFormat::Json => json,
    };
    builder.format(move |out, record| writeln!(out, "{}", written(record)?));
    // A second start, as tests in one process make it, keeps the first.
    let _ = builder.try_init();
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Relaxed);
        log::error!("panicked: {panic}");
    }));
}

/// Panics since the start, wherever they were.
#[must_use]
pub fn panics() -> u64 {
    PANICS.load(Relaxed)
}

/// A line for people: the message, and those fields that it does not say itself.
fn text(record: &Record<'_>) -> io::Result<String> {
    let message = record.args().to_string();
    let mut line = format!("{} {:<5} {}", now(), record.level(), escaped(&message));
    for (name, value) in fields::of(record) {
        let value = match value {
            serde_json::Value::String(text) if message.contains(&text) => continue,
            serde_json::Value::String(text) if !text.is_empty() && text.chars().all(fields::is_plain) => text,
            // In quotes, so that no value can look like the next field.
            other => other.to_string(),
        };
        line += &format!(" {name}={}", escaped(&value));
    }
    Ok(line)
}

fn json(record: &Record<'_>) -> io::Result<String> {
    let mut line = Map::new();
    line.insert("time".to_owned(), now().into());
    line.insert("level".to_owned(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    line.insert("target".to_owned(), record.target().into());
    line.extend(fields::of(record));
    Ok(json_escaped(&serde_json::to_string(&line)?))
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
#[path = "logging/tests.rs"]
mod tests;
