//! The first layer: every key as text, with where it came from, and the ways to read one.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use super::{
    Secret, console, data_dir, journal, ldap, log, oidc, prices, routing, secrets, server, store, time_zone,
    traces,
};

/// One thing that can be configured.
pub(super) struct Knob {
    /// Its name in the file, in errors and in the reference, such as `server.port`.
    pub(super) key: &'static str,
    /// The environment variables that set it.
    pub(super) env: &'static [&'static str],
    /// Its value when nobody sets it; none where absence means something.
    pub(super) default: Option<&'static str>,
    /// Whether it must not be shown.
    pub(super) secret: bool,
    /// Whether the first variable that is set counts, where elsewhere two that differ are a mistake.
    pub(super) ranked: bool,
}

impl Knob {
    pub(super) const fn new(
        key: &'static str,
        env: &'static [&'static str],
        default: Option<&'static str>,
    ) -> Self {
        Self { key, env, default, secret: false, ranked: false }
    }

    pub(super) const fn secret(key: &'static str, env: &'static [&'static str]) -> Self {
        Self { key, env, default: None, secret: true, ranked: false }
    }

    /// The same where the first variable that is set counts.
    pub(super) const fn ranked(self) -> Self {
        Self { ranked: true, ..self }
    }
}

const SECTIONS: [&[Knob]; 13] = [
    data_dir::KNOBS,
    time_zone::KNOBS,
    server::KNOBS,
    console::KNOBS,
    oidc::KNOBS,
    ldap::KNOBS,
    store::KNOBS,
    journal::KNOBS,
    routing::KNOBS,
    prices::KNOBS,
    log::KNOBS,
    traces::KNOBS,
    secrets::KNOBS,
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment(&'static str),
    /// The command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One key as it will be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key.
    pub key: &'static str,
    /// Its value as text, `…` if it is secret, none if it is unset.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether the value is masked, because it is a secret.
    pub secret: bool,
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system or the parser said.
        cause: String,
    },
    /// The file holds a key that means nothing.
    #[error("{}: unknown key `{key}`", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A value makes no sense.
    #[error("{key}: {reason} (from {origin})")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with the value, to be read after the key.
        reason: String,
        /// Where the value came from.
        origin: Origin,
    },
}

/// Every key that somebody set.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) values: BTreeMap<&'static str, (String, Origin)>,
    pub(super) warnings: Vec<String>,
}

impl Typed {
    /// The text of a key, or its default.
    pub(super) fn get(&self, key: &'static str) -> Option<&str> {
        match self.values.get(key) {
            Some((text, _)) => Some(text),
            None => knob(key).default,
        }
    }

    /// A key that always has a value, read by `parse`.
    pub(super) fn read<T, E: fmt::Display>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        let text = self.get(key).expect("keys that are read this way have a default");
        parse(text.trim()).map_err(|reason| self.wrong(key, reason.to_string()))
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&self, key: &'static str, least: T, most: T) -> Result<T, ConfigError>
    where
        T: std::str::FromStr + PartialOrd + fmt::Display,
    {
        self.read(key, |text| match text.parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => Err(format!("must be a whole number from {least} to {most}, not `{text}`")),
        })
    }

    /// True or false.
    pub(super) fn truth(&self, key: &'static str) -> Result<bool, ConfigError> {
        self.read(key, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("must be true or false, not `{text}`")),
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        self.read(key, |text| {
            let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            chosen.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                format!("must be one of {}, not `{text}`", words.join(", "))
            })
        })
    }

    /// A secret, given by itself or in a file.
    pub(super) fn secret(
        &self,
        key: &'static str,
        file_key: &'static str,
    ) -> Result<Option<Secret>, ConfigError> {
        let file = self.get(file_key).filter(|path| !path.is_empty());
        let (key, secret) = match (self.get(key), file) {
            (Some(_), Some(_)) => {
                return Err(self.wrong(key, format!("set only one of this and {file_key}")));
            }
            (Some(secret), None) => (key, secret.to_owned()),
            (None, Some(path)) => {
                let read = fs::read_to_string(path);
                (file_key, read.map_err(|cause| self.wrong(file_key, cause.to_string()))?)
            }
            (None, None) => return Ok(None),
        };
        match secret.trim() {
            "" => Err(self.wrong(key, "must not be empty".to_owned())),
            secret => Ok(Some(Secret::new(secret))),
        }
    }

    /// The error for a value that makes no sense.
    pub(super) fn wrong(&self, key: &'static str, reason: String) -> ConfigError {
        ConfigError::Value { key, reason, origin: self.origin(key) }
    }

    fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    pub(super) fn describe(&self) -> Vec<Effective> {
        let shown = |knob: &Knob| {
            let value = self.get(knob.key)?;
            Some(if knob.secret { "…".to_owned() } else { without_query(store::masked(knob.key, value)) })
        };
        knobs()
            .map(|knob| {
                let (key, secret) = (knob.key, knob.secret);
                Effective { key, value: shown(knob), origin: self.origin(key), secret }
            })
            .collect()
    }
}

/// An address without what stands behind its question mark, where people put keys.
fn without_query(text: String) -> String {
    match text.split_once('?') {
        Some((address, _)) if address.contains("://") => format!("{address}?…"),
        _ => text,
    }
}

/// Everything that can be configured.
pub(super) fn knobs() -> impl Iterator<Item = &'static Knob> {
    SECTIONS.into_iter().flatten()
}

fn knob(key: &str) -> &'static Knob {
    knobs().find(|knob| knob.key == key).expect("sections ask for their own keys")
}
