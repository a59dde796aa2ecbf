//! Limits as the API describes them. Those of users and keys, and the dollar limits of providers, come
//! with the ledger: until then setting one is refused, since a limit that is kept but not held is worse
//! than none.

use serde::Serialize;

use super::{
    body::body,
    values::{Fixed, Later, Midnight, NotYet, Whole},
};

body! {
    /// Limits of a user or a key.
    struct LimitsBody {
        /// Requests per minute.
        rpm: Later,
        /// Tokens per minute.
        tpm: Later,
        /// Requests in flight.
        concurrency: Later,
        /// Live conversations.
        sessions: Later,
        /// Dollars in any five hours.
        usd_5h: Later,
        /// Dollars a day.
        usd_daily: Later,
        /// Dollars a week.
        usd_weekly: Later,
        /// Dollars a month.
        usd_monthly: Later,
        /// Dollars in all.
        usd_total: Later,
        /// When a day begins.
        daily_reset: DailyResetBody,
        /// Whether the worst case is reserved.
        strict: NotYet,
    }
}

body! {
    /// When a day begins.
    struct DailyResetBody {
        /// At a fixed time, or 24 hours ago at any time.
        mode: Fixed,
        /// At which time.
        at: Midnight,
    }
}

body! {
    /// Limits of a provider.
    struct ProviderLimitsBody {
        /// Requests in flight.
        concurrency: Whole<1, 100_000>,
        /// Dollars in any five hours.
        usd_5h: Later,
        /// Dollars a day.
        usd_daily: Later,
        /// Dollars a week.
        usd_weekly: Later,
        /// Dollars a month.
        usd_monthly: Later,
        /// Dollars in all.
        usd_total: Later,
    }
}

/// Limits of a user or a key, none of which can be set yet.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LimitsView {
    rpm: Option<u32>,
    tpm: Option<u32>,
    concurrency: Option<u32>,
    sessions: Option<u32>,
    #[serde(flatten)]
    usd: DollarLimitsView,
    daily_reset: DailyResetView,
    strict: bool,
}

/// Limits of a provider.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ProviderLimitsView {
    /// Requests in flight.
    pub(super) concurrency: Option<u32>,
    /// None of these can be set yet.
    #[serde(flatten)]
    pub(super) usd: DollarLimitsView,
}

/// Dollar limits, none of which can be set yet.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct DollarLimitsView {
    usd_5h: Option<String>,
    usd_daily: Option<String>,
    usd_weekly: Option<String>,
    usd_monthly: Option<String>,
    usd_total: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct DailyResetView {
    mode: &'static str,
    at: &'static str,
}

impl LimitsView {
    /// What holds as long as none can be set.
    pub(super) fn none() -> Self {
        Self {
            rpm: None,
            tpm: None,
            concurrency: None,
            sessions: None,
            usd: DollarLimitsView::default(),
            daily_reset: DailyResetView { mode: "fixed", at: "00:00" },
            strict: false,
        }
    }
}
