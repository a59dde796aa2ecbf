//! What operators set for the whole system, as one document of the settings table.

use std::time::Duration;

use actors::ledger::{calendar::Calendar, limits::Limits, queue};
use chrono::Weekday;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Store, error::StoreError, limits::as_document};

/// Under which key it is kept.
const KEY: &str = "system";

/// The settings of the whole system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemSettings {
    /// Whose wall clock tells days, weeks and months; none means that of the process.
    pub time_zone: Option<Tz>,
    /// When a week begins: the day, and the hour of it.
    pub week_starts: (Weekday, u8),
    /// The day a month begins on; in a month that does not have it, its last one.
    pub month_day: u8,
    /// What users take where they have none of their own.
    #[serde(with = "as_document")]
    pub default_limits: Limits,
    /// Whether a request may wait for one of its own to end.
    pub waiting: Waiting,
    /// How a request is refused for which there is no money.
    pub money_refusal: MoneyRefusal,
}

/// Waiting for concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Waiting {
    /// Requests of one account that may wait at once; none wait where it is zero.
    pub queue: u32,
    /// How long one waits at most, in milliseconds.
    pub wait_ms: u64,
}

/// How a request is refused for which there is no money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyRefusal {
    /// 429, which every client knows how to treat.
    #[default]
    TooManyRequests,
    /// 402, for clients that tell the two apart.
    PaymentRequired,
}

impl Default for SystemSettings {
    fn default() -> Self {
        let Calendar { week_starts, month_day, .. } = Calendar::default();
        Self {
            time_zone: None,
            week_starts,
            month_day,
            default_limits: Limits::default(),
            waiting: Waiting::default(),
            money_refusal: MoneyRefusal::default(),
        }
    }
}

impl Default for Waiting {
    fn default() -> Self {
        Self { queue: 0, wait_ms: 5_000 }
    }
}

impl Waiting {
    /// The same, as ledgers take it.
    #[must_use]
    pub const fn terms(&self) -> queue::Waiting {
        queue::Waiting { most: self.queue as usize, longest: Duration::from_millis(self.wait_ms) }
    }
}

impl MoneyRefusal {
    /// The status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooManyRequests => 429,
            Self::PaymentRequired => 402,
        }
    }

    /// The one with that status, if there is one.
    #[must_use]
    pub fn from_status(status: u16) -> Option<Self> {
        [Self::TooManyRequests, Self::PaymentRequired].into_iter().find(|one| one.status() == status)
    }
}

impl SystemSettings {
    /// The calendar of limits, where the process is in `home`.
    #[must_use]
    pub fn calendar(&self, home: Tz) -> Calendar {
        Calendar {
            zone: self.time_zone.unwrap_or(home),
            week_starts: self.week_starts,
            month_day: self.month_day,
        }
    }
}

impl Store {
    /// The settings of the whole system; the defaults where nobody set any.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored document has another shape.
    pub async fn system_settings(&self) -> Result<SystemSettings, StoreError> {
        Ok(self.system_settings_with_version().await?.1)
    }

    /// The same, with their version; zero where nobody set any.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored document has another shape.
    pub async fn system_settings_with_version(&self) -> Result<(i64, SystemSettings), StoreError> {
        let (version, settings) = self.setting_with_version::<SystemSettings>(KEY).await?;
        Ok((version, settings.unwrap_or_default()))
    }

    /// Replaces the settings of the whole system, and gives the version they have from now on.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when those before were of another version than expected.
    pub async fn put_system_settings(&self, settings: &SystemSettings) -> Result<i64, StoreError> {
        self.put_setting(KEY, settings).await
    }
}
