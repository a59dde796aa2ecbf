//! The log: lines for people, or one JSON object a line for machines.
//!
//! What is not ours to word (names, paths, user agents) is escaped on the way, so that nobody can forge a
//! line (C-26).

use std::io::{self, Write};

use chrono::{SecondsFormat, Utc};
use log::{
    Record,
    kv::{self, Key, Value, VisitSource},
};
use serde_json::Map;

use crate::config::log::{LogFormat, LogSettings};

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
    builder.format(match settings.format {
        LogFormat::Text => text,
        LogFormat::Json => json,
    });
    // A second start, as tests in one process make it, keeps the first.
    let _ = builder.try_init();
    std::panic::set_hook(Box::new(|panic| log::error!("panicked: {panic}")));
}

fn text(out: &mut env_logger::fmt::Formatter, record: &Record<'_>) -> io::Result<()> {
    let message = escaped(&record.args().to_string());
    writeln!(out, "{} {:<5} {message}", now(), record.level())
}

fn json(out: &mut env_logger::fmt::Formatter, record: &Record<'_>) -> io::Result<()> {
    let mut line = Map::new();
    line.insert("time".to_owned(), now().into());
    line.insert("level".to_owned(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    line.insert("target".to_owned(), record.target().into());
    // The collector below never fails.
    let _ = record.key_values().visit(&mut Fields(&mut line));
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Control characters, line ends among them, and marks that turn the writing direction, as escapes.
fn escaped(message: &str) -> String {
    let harmless =
        |c: char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if message.chars().all(harmless) {
        return message.to_owned();
    }
    message.chars().fold(String::new(), |mut safe, c| {
        if harmless(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
        safe
    })
}

struct Fields<'a>(&'a mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = match (value.to_u64(), value.to_bool()) {
            (Some(number), _) => number.into(),
            (None, Some(truth)) => truth.into(),
            (None, None) => value.to_string().into(),
        };
        self.0.insert(key.as_str().to_owned(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn c26_nobody_can_forge_a_line() {
        assert_eq!(escaped("plain text, ünï: ok"), "plain text, ünï: ok");
        assert_eq!(escaped("a\nERROR b\u{1b}[31m\u{202e}"), "a\\u{a}ERROR b\\u{1b}[31m\\u{202e}");
    }
}
