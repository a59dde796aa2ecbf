//! `[store]`: the database.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Secret,
    typed::{ConfigError, Knob, Typed},
};

pub(super) const URL: &str = "store.url";
const POOL_SIZE: &str = "store.pool_size";
const POOL_WAIT_MS: &str = "store.pool_wait_ms";
const QUERY_DEADLINE_MS: &str = "store.query_deadline_ms";
const AUTO_MIGRATE: &str = "store.auto_migrate";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(URL, &["DATABASE_URL", "DSN"], None),
    Knob::new(POOL_SIZE, &[], Some("8")),
    Knob::new(POOL_WAIT_MS, &[], Some("2000")),
    Knob::new(QUERY_DEADLINE_MS, &[], Some("10000")),
    Knob::new(AUTO_MIGRATE, &["AUTO_MIGRATE"], Some("true")),
];

/// What the SQLite file in the data directory is called.
const SQLITE_FILE: &str = "pointsman.db";

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Which one.
    pub url: StoreUrl,
    /// The most connections to PostgreSQL. SQLite has one writer and four readers.
    pub pool_size: u32,
    /// How long a query waits for a connection.
    pub pool_wait: Duration,
    /// How long a query may take, waiting included.
    pub query_deadline: Duration,
    /// Whether missing migrations are applied at start.
    pub auto_migrate: bool,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(Secret),
}

impl StoreUrl {
    /// Which database it is, in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Reads `postgres://…`, `postgresql://…`, `sqlite://<path>` or `sqlite:<path>`.
    ///
    /// # Errors
    /// Says what is expected; the text itself, which may hold a password, is not repeated.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "must begin with postgres:// or sqlite:";
        match text.split_once(':') {
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Self::Postgres(Secret::new(text)))
            }
            Some(("sqlite", rest)) => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err("names no file"),
                ":memory:" => Err("must name a file; a database in memory would be lost at once"),
                path => Ok(Self::Sqlite(path.into())),
            },
            _ => Err(EXPECTED),
        }
    }
}

pub(super) fn meant(typed: &Typed, data_dir: &Path) -> Result<StoreSettings, ConfigError> {
    let url = match typed.get(URL) {
        None => StoreUrl::Sqlite(data_dir.join(SQLITE_FILE)),
        Some(text) => StoreUrl::parse(text.trim()).map_err(|reason| typed.wrong(URL, reason.to_owned()))?,
    };
    let pool_wait = Duration::from_millis(typed.number(POOL_WAIT_MS, 1, 600_000)?);
    let query_deadline = Duration::from_millis(typed.number(QUERY_DEADLINE_MS, 1, 600_000)?);
    if pool_wait > query_deadline {
        return Err(typed.wrong(POOL_WAIT_MS, format!("must not be longer than {QUERY_DEADLINE_MS}")));
    }
    Ok(StoreSettings {
        url,
        pool_size: typed.number(POOL_SIZE, 1, 1_000)?,
        pool_wait,
        query_deadline,
        auto_migrate: typed.truth(AUTO_MIGRATE)?,
    })
}

/// A value fit to be shown: of a database URL, everything but the password.
pub(super) fn masked(key: &str, value: &str) -> String {
    if key != URL {
        return value.to_owned();
    }
    match url::Url::parse(value) {
        Ok(mut url) if url.has_host() || url.cannot_be_a_base() || url.scheme() == "sqlite" => {
            if url.password().is_some() && url.set_password(Some("…")).is_err() {
                return "…".to_owned();
            }
            // Parameters may hold a password too.
            if url.query().is_some() {
                url.set_query(Some("…"));
            }
            percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy().into_owned()
        }
        _ => "…".to_owned(),
    }
}
