//! The first layer: every key as text, with where it came from.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
};

use super::{data_dir, log, routing, secrets, server, store};

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
}

impl Knob {
    pub(super) const fn new(
        key: &'static str,
        env: &'static [&'static str],
        default: Option<&'static str>,
    ) -> Self {
        Self { key, env, default, secret: false }
    }

    pub(super) const fn secret(key: &'static str, env: &'static [&'static str]) -> Self {
        Self { key, env, default: None, secret: true }
    }
}

const SECTIONS: [&[Knob]; 6] =
    [data_dir::KNOBS, server::KNOBS, store::KNOBS, routing::KNOBS, log::KNOBS, secrets::KNOBS];

/// Variables known from the predecessors or from the plan that nothing reads yet. Silence would
/// make an operator believe that they work.
const WITHOUT_EFFECT: [&str; 5] =
    ["REDIS_URL", "ENABLE_RATE_LIMIT", "ENABLE_SECURE_COOKIES", "STORE_SESSION_MESSAGES", "TZ"];

/// What was given on the command line, as far as it is configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file to read.
    pub config: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--listen-addr`
    pub listen_addr: Option<String>,
    /// `--port`
    pub port: Option<String>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

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
pub(super) struct Typed {
    values: BTreeMap<&'static str, (String, Origin)>,
    warnings: Vec<String>,
}

impl Typed {
    /// Looks each key up in the file, the environment and the flags.
    pub(super) fn collect(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let mut typed = Self { values: BTreeMap::new(), warnings: Vec::new() };
        if let Some(path) = &flags.config {
            typed.read_file(path)?;
        }
        typed.read_environment(environment)?;
        typed.read_flags(flags);
        Ok(typed)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let failed = |cause: String| ConfigError::File { path: path.into(), cause };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // Without the parser's excerpt of the line, which may hold a secret.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            failed(format!("line {line}: {}", error.message()))
        })?;
        let mut found = Vec::new();
        flatten("", &table, &mut found);
        for (key, value) in found {
            let unknown = || ConfigError::UnknownKey { path: path.into(), key: key.clone() };
            let knob = knobs().find(|knob| knob.key == key).ok_or_else(unknown)?;
            let text = as_text(&value).ok_or_else(|| ConfigError::Value {
                key: knob.key,
                reason: "must be text, a number, true or false, or a list of those".into(),
                origin: Origin::File,
            })?;
            self.values.insert(knob.key, (text, Origin::File));
        }
        Ok(())
    }

    fn read_environment(
        &mut self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<(), ConfigError> {
        for knob in knobs() {
            let mut found: Option<(String, Origin)> = None;
            for name in knob.env {
                let origin = Origin::Environment(name);
                let wrong = |reason: &str| ConfigError::Value {
                    key: knob.key,
                    reason: reason.into(),
                    origin: origin.clone(),
                };
                let Some(value) = environment(name) else { continue };
                let value = value.into_string().map_err(|_| wrong("is not valid Unicode"))?;
                // Compose files pass unset variables on as empty ones. An empty secret, however,
                // is a mistake that must not turn into a made-up or a missing one.
                if value.is_empty() && !knob.secret {
                    continue;
                }
                match &found {
                    Some((other, Origin::Environment(first))) if *other != value => {
                        return Err(wrong(&format!("differs from {first}; set only one of them")));
                    }
                    _ => found = Some((value, origin)),
                }
            }
            if let Some(found) = found {
                self.values.insert(knob.key, found);
            }
        }
        for name in WITHOUT_EFFECT {
            if environment(name).is_some_and(|value| !value.is_empty()) {
                self.warnings.push(format!("{name} is set but has no effect in this version"));
            }
        }
        Ok(())
    }

    fn read_flags(&mut self, flags: &Flags) {
        for (key, flag, value) in [
            (data_dir::KEY, "--data-dir", &flags.data_dir),
            (server::LISTEN_ADDR, "--listen-addr", &flags.listen_addr),
            (server::PORT, "--port", &flags.port),
            (store::URL, "--database-url", &flags.database_url),
            (log::LEVEL, "--log-level", &flags.log_level),
            (log::FORMAT, "--log-format", &flags.log_format),
        ] {
            if let Some(value) = value {
                self.values.insert(key, (value.clone(), Origin::Flag(flag)));
            }
        }
    }

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

    /// The error for a value that makes no sense.
    pub(super) fn wrong(&self, key: &'static str, reason: String) -> ConfigError {
        ConfigError::Value { key, reason, origin: self.origin(key) }
    }

    fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn describe(&self) -> Vec<Effective> {
        let shown = |knob: &Knob| {
            let value = self.get(knob.key)?;
            Some(if knob.secret { "…".to_owned() } else { store::masked(knob.key, value) })
        };
        knobs()
            .map(|knob| Effective { key: knob.key, value: shown(knob), origin: self.origin(knob.key) })
            .collect()
    }
}

fn knobs() -> impl Iterator<Item = &'static Knob> {
    SECTIONS.into_iter().flatten()
}

fn knob(key: &str) -> &'static Knob {
    knobs().find(|knob| knob.key == key).expect("sections ask for their own keys")
}

/// Every value of a file under its dotted key.
fn flatten(prefix: &str, table: &toml::Table, found: &mut Vec<(String, toml::Value)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, found),
            other => found.push((key, other.clone())),
        }
    }
}

/// A value as it would be typed into an environment variable.
fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(as_text).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}
