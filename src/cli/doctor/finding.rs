//! What the doctor finds: how bad it is, what causes it, and what mends it.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Could not be looked at.
    Skipped,
    /// It works, and somebody should look.
    Warning,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) check: String,
    pub(super) level: Level,
    /// What is, and where it is not well, why.
    pub(super) cause: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &str, what: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level: Level::Ok, cause: what.into(), mend: None }
    }

    pub(super) fn skipped(check: &str, why: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level: Level::Skipped, cause: why.into(), mend: None }
    }

    pub(super) fn warning(check: &str, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level: Level::Warning, cause: cause.into(), mend: Some(mend.into()) }
    }

    pub(super) fn bad(check: &str, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Bad, ..Self::warning(check, cause, mend) }
    }
}

impl Level {
    /// The word for people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "-",
            Self::Warning => "warning",
            Self::Bad => "BAD",
        }
    }
}
