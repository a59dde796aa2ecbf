//! What happens to users, keys and providers beyond being changed: turned on and off, given more time, copied,
//! given a new secret, brought back.
//!
//! Each has a path of its own below that of the row, so that a script says what it means, and the audit log
//! what was meant.

pub(super) mod keys;
pub(super) mod providers;
pub(super) mod users;

use chrono::{DateTime, Utc};

use super::{
    body::{Flaws, body},
    error::{FlawCode, Problem},
    values::{Count, Moment, Name},
};

/// A month: the longest that two secrets of one key are accepted.
const LONGEST_OVERLAP_MS: u64 = 30 * 86_400_000;

body! {
    /// How long a user or key goes on.
    struct RenewBody {
        /// From then on it is refused.
        expires_at: Moment = required,
        /// Whether it is turned on as well.
        enable: bool,
    }
}

body! {
    /// What is different about the copy.
    struct CloneBody {
        /// Its name.
        name: Name = required,
        /// Whether it is turned on; as the original, unless told.
        enabled: bool,
    }
}

body! {
    /// How a key gets a new secret.
    struct RotateBody {
        /// How long the old one is accepted too; not at all, unless told.
        overlap_ms: Count<LONGEST_OVERLAP_MS>,
    }
}

impl RenewBody {
    /// The new end, which lies ahead, and whether to turn it on.
    fn read(self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, Option<bool>), Problem> {
        let mut flaws = Flaws::default();
        let end = self.expires_at.required("expires_at", &mut flaws);
        if end.is_some_and(|end| end.0 <= now) {
            flaws.add("expires_at", FlawCode::OutOfRange, "must be in the future");
        }
        flaws.check()?;
        let end = end.ok_or_else(|| Problem::internal("a required member is missing and was not told"))?;
        Ok((end.0, self.enable.or(false).then_some(true)))
    }
}

impl CloneBody {
    fn read(self) -> Result<(String, Option<bool>), Problem> {
        let mut flaws = Flaws::default();
        let name = self.name.required("name", &mut flaws);
        flaws.check()?;
        let name = name.ok_or_else(|| Problem::internal("a required member is missing and was not told"))?;
        Ok((name.0, self.enabled.map(Some).or(None)))
    }
}
