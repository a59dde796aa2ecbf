//! Time as ledgers see it: moments, and the minutes that costs belong to.

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One moment on both clocks: deadlines and rates go by the first, windows by the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic present.
    pub at: Instant,
    /// The same on the wall clock.
    pub wall: DateTime<Utc>,
}

/// A minute of UTC, counted from the epoch. Whatever is stored is stored per minute, so that a window in
/// any time zone is a sum over minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(pub i64);

impl Moment {
    /// The minute it lies in.
    #[must_use]
    pub fn minute(&self) -> Minute {
        Minute::of(self.wall)
    }
}

impl Minute {
    /// Before all that is counted.
    pub const FIRST: Self = Self(0);
    /// After all that is counted.
    pub const NEVER: Self = Self(i64::MAX);

    /// The minute that holds `wall`.
    #[must_use]
    pub fn of(wall: DateTime<Utc>) -> Self {
        Self(wall.timestamp().div_euclid(60))
    }

    /// When it begins; none for a minute that no calendar has.
    #[must_use]
    pub fn begins(self) -> Option<DateTime<Utc>> {
        self.0.checked_mul(60).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
    }

    /// So many minutes later.
    #[must_use]
    pub fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }

    /// So many minutes earlier.
    #[must_use]
    pub fn minus(self, minutes: i64) -> Self {
        Self(self.0.saturating_sub(minutes))
    }
}
