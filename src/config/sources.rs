//! Where values are looked up: the file, the environment, the command line, the later one winning.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{
    data_dir, log, server, store,
    typed::{ConfigError, Origin, Typed, knobs},
};

/// Variables known from the predecessors or from the plan that nothing reads yet. Silence would
/// make an operator believe that they work.
const WITHOUT_EFFECT: [&str; 8] = [
    "REDIS_URL",
    "ENABLE_RATE_LIMIT",
    "STORE_SESSION_MESSAGES",
    "LDAP_CONNECT_TIMEOUT",
    "LDAP_TLS_CERT_FILE",
    "LDAP_TLS_KEY_FILE",
    "LDAP_TLS_REJECT_UNAUTHORIZED",
    "LDAP_TLS_SERVERNAME",
];

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

impl Typed {
    /// Looks each key up in the file, the environment and the flags.
    pub(super) fn collect(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let mut typed = Self::default();
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
                    Some(_) if knob.ranked => {}
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
