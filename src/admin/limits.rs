//! Limits as the API takes and shows them. What is `null` is unset: a key then takes it from its user, a
//! user from the system's defaults. Zero is a limit like any other, and lets nothing through.

use actors::{
    ledger::limits::{Day, FiveHours, Limits, Span},
    money::Pico,
};
use chrono::NaiveTime;
use serde::Serialize;

use super::{
    body::{Given, body},
    schema::view,
    times::{DayMode, TimeOfDay},
    values::{Amount, Count, Whole},
};

/// The most dollars of a limit: ledgers sum up to 9,223,372.036854775807 (I-06).
const MAX_DOLLARS: u64 = 9_000_000;

/// An amount of a limit.
pub(super) type Dollars = Amount<MAX_DOLLARS>;

body! {
    /// Limits of a user or a key, or those a user takes who has none.
    struct LimitsBody {
        /// Requests per minute.
        rpm: Count<1_000_000>,
        /// Tokens per minute.
        tpm: Count<1_000_000_000_000>,
        /// Requests in flight.
        concurrency: Count<1_000_000>,
        /// Live conversations.
        sessions: Count<1_000_000>,
        /// Dollars in five hours.
        usd_5h: Dollars,
        /// Dollars a day.
        usd_daily: Dollars,
        /// Dollars a week.
        usd_weekly: Dollars,
        /// Dollars a month.
        usd_monthly: Dollars,
        /// Dollars in all.
        usd_total: Dollars,
        /// How the five hours are counted.
        five_hours_reset: FiveHours,
        /// How a day is counted.
        daily_reset: DailyResetBody,
        /// Whether the worst case is reserved.
        strict: bool,
        /// Whether a stream ends when it has used all that was left.
        hard_stop: bool,
    }
}

body! {
    /// How a day is counted.
    struct DailyResetBody {
        /// From a time of day, or the last 24 hours.
        mode: DayMode,
        /// From which time; counts where the mode is `fixed`.
        at: TimeOfDay,
    }
}

body! {
    /// Limits of a provider.
    struct ProviderLimitsBody {
        /// Requests in flight.
        concurrency: Whole<1, 100_000>,
        /// Dollars in five hours.
        usd_5h: Dollars,
        /// Dollars a day.
        usd_daily: Dollars,
        /// Dollars a week.
        usd_weekly: Dollars,
        /// Dollars a month.
        usd_monthly: Dollars,
        /// Dollars in all.
        usd_total: Dollars,
        /// How the five hours are counted.
        five_hours_reset: FiveHours,
        /// How a day is counted.
        daily_reset: DailyResetBody,
    }
}

impl LimitsBody {
    /// The limits from now on, where those of `has` held before.
    pub(super) fn onto(self, has: Limits) -> Limits {
        let mut limits = Limits {
            rpm: unset_by_null(self.rpm.map(Count::small), has.rpm),
            tpm: unset_by_null(self.tpm.map(Count::get), has.tpm),
            concurrency: unset_by_null(self.concurrency.map(Count::small), has.concurrency),
            sessions: unset_by_null(self.sessions.map(Count::small), has.sessions),
            usd: has.usd,
            five_hours: unset_by_null(self.five_hours_reset, has.five_hours),
            day: day(self.daily_reset, has.day),
            strict: unset_by_null(self.strict, has.strict),
            hard_stop: unset_by_null(self.hard_stop, has.hard_stop),
        };
        let dollars = [self.usd_5h, self.usd_daily, self.usd_weekly, self.usd_monthly, self.usd_total];
        set_dollars(&mut limits, dollars);
        limits
    }
}

impl ProviderLimitsBody {
    /// The limits from now on, where those of `has` held before.
    pub(super) fn onto(self, has: Limits) -> Limits {
        let mut limits = Limits {
            concurrency: unset_by_null(self.concurrency.map(Whole::unsigned), has.concurrency),
            five_hours: unset_by_null(self.five_hours_reset, has.five_hours),
            day: day(self.daily_reset, has.day),
            ..has
        };
        let dollars = [self.usd_5h, self.usd_daily, self.usd_weekly, self.usd_monthly, self.usd_total];
        set_dollars(&mut limits, dollars);
        limits
    }
}

fn unset_by_null<T>(given: Given<T>, has: Option<T>) -> Option<T> {
    given.map(Some).onto(has, None)
}

/// In the order of [`Span::ALL`].
fn set_dollars(limits: &mut Limits, given: [Given<Dollars>; Span::ALL.len()]) {
    for (span, given) in Span::ALL.into_iter().zip(given) {
        limits.usd[span] = unset_by_null(given.map(|amount| amount.0.to_pico()), limits.usd[span]);
    }
}

fn day(given: Given<DailyResetBody>, has: Option<Day>) -> Option<Day> {
    let body = match given {
        Given::Absent => return has,
        Given::Null => return None,
        Given::Value(body) => body,
    };
    let (mode, at) = match has {
        None => (None, None),
        Some(Day::Rolling) => (Some(DayMode::Rolling), None),
        Some(Day::Fixed(at)) => (Some(DayMode::Fixed), Some(at)),
    };
    let at = unset_by_null(body.at.map(|at| at.0), at);
    match unset_by_null(body.mode, mode) {
        Some(DayMode::Rolling) => Some(Day::Rolling),
        Some(DayMode::Fixed) => Some(Day::Fixed(at.unwrap_or(NaiveTime::MIN))),
        None => at.map(Day::Fixed),
    }
}

view! {
    /// Limits of a user or a key as shown.
    #[derive(Debug, Clone, Serialize)]
    pub(super) struct LimitsView {
        rpm: Option<u32>,
        tpm: Option<u64>,
        concurrency: Option<u32>,
        sessions: Option<u32>,
        #[serde(flatten)]
        money: MoneyLimitsView,
        strict: Option<bool>,
        hard_stop: Option<bool>,
    }
}

view! {
    /// Limits of a provider as shown.
    #[derive(Debug, Clone, Serialize)]
    pub(super) struct ProviderLimitsView {
        concurrency: Option<u32>,
        #[serde(flatten)]
        money: MoneyLimitsView,
    }
}

view! {
    /// Limits in dollars, and how they are counted.
    #[derive(Debug, Clone, Serialize)]
    pub(super) struct MoneyLimitsView {
        usd_5h: Option<Pico>,
        usd_daily: Option<Pico>,
        usd_weekly: Option<Pico>,
        usd_monthly: Option<Pico>,
        usd_total: Option<Pico>,
        five_hours_reset: Option<FiveHours>,
        daily_reset: Option<DailyResetView>,
    }
}

view! {
    #[derive(Debug, Clone, Serialize)]
    pub(super) struct DailyResetView {
        mode: &'static str,
        /// None where the day has no beginning.
        at: Option<String>,
    }
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        Self {
            rpm: limits.rpm,
            tpm: limits.tpm,
            concurrency: limits.concurrency,
            sessions: limits.sessions,
            money: limits.into(),
            strict: limits.strict,
            hard_stop: limits.hard_stop,
        }
    }
}

impl From<Limits> for ProviderLimitsView {
    fn from(limits: Limits) -> Self {
        Self { concurrency: limits.concurrency, money: limits.into() }
    }
}

impl From<Limits> for MoneyLimitsView {
    fn from(limits: Limits) -> Self {
        Self {
            usd_5h: limits.usd[Span::FiveHours],
            usd_daily: limits.usd[Span::Day],
            usd_weekly: limits.usd[Span::Week],
            usd_monthly: limits.usd[Span::Month],
            usd_total: limits.usd[Span::Total],
            five_hours_reset: limits.five_hours,
            daily_reset: limits.day.map(|day| match day {
                Day::Fixed(at) => DailyResetView { mode: "fixed", at: Some(at.format("%H:%M").to_string()) },
                Day::Rolling => DailyResetView { mode: "rolling", at: None },
            }),
        }
    }
}
