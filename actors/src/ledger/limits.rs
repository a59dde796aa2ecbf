//! What bounds an account, as plain values: which limits there are, and who inherits which.
//!
//! A user takes what it leaves unset from the system's defaults, a key from its user. Whether a limit holds
//! is decided in [`super::book`].

use std::{fmt, ops, str::FromStr};

use chrono::NaiveTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
};

/// Whose usage is counted. Written `user/1`, `key/7`, `provider/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountId {
    /// A person or service, with all its keys.
    User(UserId),
    /// One api key.
    Key(KeyId),
    /// One configured provider.
    Provider(ProviderId),
}

/// A span of time over which dollars are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// Five hours.
    FiveHours,
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// Since ever.
    Total,
}

/// How the five hours are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FiveHours {
    /// The last 300 minutes.
    #[default]
    Rolling,
    /// From the first request after the last five hours were over.
    Fixed,
}

/// How a day is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// From that time of day, on the calendar of the configured time zone.
    Fixed(NaiveTime),
    /// The last 1,440 minutes.
    Rolling,
}

impl Default for Day {
    fn default() -> Self {
        Self::Fixed(NaiveTime::MIN)
    }
}

/// One value for each [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerSpan<T>([T; Span::ALL.len()]);

/// All bounds of one account; what is none is unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests admitted in any minute.
    pub rpm: Option<u32>,
    /// Tokens, in and out, of the requests admitted in any minute.
    pub tpm: Option<u64>,
    /// Requests in flight at once.
    pub concurrency: Option<u32>,
    /// Conversations alive at once.
    pub sessions: Option<u32>,
    /// Dollars per span.
    pub usd: PerSpan<Option<Pico>>,
    /// How the five hours are counted; rolling unless set.
    pub five_hours: Option<FiveHours>,
    /// How a day is counted; from midnight unless set.
    pub day: Option<Day>,
    /// Whether the worst case is reserved rather than the likely one; not unless set.
    pub strict: Option<bool>,
    /// Whether a stream ends when it has used all that was left; not unless set.
    pub hard_stop: Option<bool>,
}

/// Which of an account's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitKind {
    /// Requests per minute.
    Rpm,
    /// Tokens per minute.
    Tpm,
    /// Requests in flight.
    Concurrency,
    /// Conversations alive.
    Sessions,
    /// Dollars over a span.
    Usd(Span),
}

impl Limits {
    /// These limits, with what they leave unset taken from `from`.
    #[must_use]
    pub fn inherit(&self, from: &Self) -> Self {
        let mut usd = self.usd;
        for span in Span::ALL {
            usd[span] = usd[span].or(from.usd[span]);
        }
        Self {
            rpm: self.rpm.or(from.rpm),
            tpm: self.tpm.or(from.tpm),
            concurrency: self.concurrency.or(from.concurrency),
            sessions: self.sessions.or(from.sessions),
            usd,
            five_hours: self.five_hours.or(from.five_hours),
            day: self.day.or(from.day),
            strict: self.strict.or(from.strict),
            hard_stop: self.hard_stop.or(from.hard_stop),
        }
    }

    /// How the five hours are counted.
    #[must_use]
    pub fn five_hours(&self) -> FiveHours {
        self.five_hours.unwrap_or_default()
    }

    /// How a day is counted.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day.unwrap_or_default()
    }

    /// Whether the worst case is reserved.
    #[must_use]
    pub fn strict(&self) -> bool {
        self.strict.unwrap_or_default()
    }

    /// Whether a stream ends when it has used all that was left.
    #[must_use]
    pub fn hard_stop(&self) -> bool {
        self.hard_stop.unwrap_or_default()
    }

    /// Those of a provider's limits that its book keeps; its concurrency is its permits' to keep.
    #[must_use]
    pub fn of_money(&self) -> Self {
        Self { concurrency: None, ..*self }
    }

    /// Whether anything is bounded at all.
    #[must_use]
    pub fn bounds_anything(&self) -> bool {
        let Self { rpm, tpm, concurrency, sessions, .. } = *self;
        self.bounds_money() || rpm.is_some() || tpm.is_some() || concurrency.is_some() || sessions.is_some()
    }

    /// Whether any dollars are bounded.
    #[must_use]
    pub fn bounds_money(&self) -> bool {
        Span::ALL.into_iter().any(|span| self.usd[span].is_some())
    }
}

impl Span {
    /// Every span, shortest first.
    pub const ALL: [Self; 5] = [Self::FiveHours, Self::Day, Self::Week, Self::Month, Self::Total];

    /// The name used in the admin API, in refusals and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FiveHours => "5h",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Total => "total",
        }
    }

    /// The span of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }
}

impl LimitKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Rpm,
        Self::Tpm,
        Self::Concurrency,
        Self::Sessions,
        Self::Usd(Span::FiveHours),
        Self::Usd(Span::Day),
        Self::Usd(Span::Week),
        Self::Usd(Span::Month),
        Self::Usd(Span::Total),
    ];

    /// The name of the limit's field in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::Tpm => "tpm",
            Self::Concurrency => "concurrency",
            Self::Sessions => "sessions",
            Self::Usd(Span::FiveHours) => "usd_5h",
            Self::Usd(Span::Day) => "usd_daily",
            Self::Usd(Span::Week) => "usd_weekly",
            Self::Usd(Span::Month) => "usd_monthly",
            Self::Usd(Span::Total) => "usd_total",
        }
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl<T> ops::Index<Span> for PerSpan<T> {
    type Output = T;
    fn index(&self, span: Span) -> &T {
        &self.0[span as usize]
    }
}

impl<T> ops::IndexMut<Span> for PerSpan<T> {
    fn index_mut(&mut self, span: Span) -> &mut T {
        &mut self.0[span as usize]
    }
}

impl<T> PerSpan<T> {
    /// One value for each span, made from it.
    pub fn from_fn(make: impl FnMut(Span) -> T) -> Self {
        Self(Span::ALL.map(make))
    }

    /// Each span with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Span, &T)> {
        Span::ALL.into_iter().zip(&self.0)
    }

    /// Each span with its value, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Span, &mut T)> {
        Span::ALL.into_iter().zip(&mut self.0)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user/{id}"),
            Self::Key(id) => write!(f, "key/{id}"),
            Self::Provider(id) => write!(f, "provider/{id}"),
        }
    }
}

/// A text that names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an account: expected `user/`, `key/` or `provider/` and a number")]
pub struct NoAccount;

impl FromStr for AccountId {
    type Err = NoAccount;
    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let (kind, id) = text.split_once('/').ok_or(NoAccount)?;
        let id = id.parse().map_err(|_| NoAccount)?;
        match kind {
            "user" => Ok(Self::User(UserId(id))),
            "key" => Ok(Self::Key(KeyId(id))),
            "provider" => Ok(Self::Provider(ProviderId(id))),
            _ => Err(NoAccount),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads and writes a type by the name it shows.
macro_rules! by_name {
    ($($name:ty: $read:expr),+ $(,)?) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let read: fn(&str) -> Option<Self> = $read;
                read(&text).ok_or_else(|| de::Error::custom(format!("unknown name `{text}`")))
            }
        }
    )+};
}

by_name!(
    AccountId: |text| text.parse().ok(),
    Span: Self::from_name,
    LimitKind: Self::from_name,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unset_comes_from_above_and_what_is_set_stays() {
        let mut above =
            Limits { rpm: Some(60), strict: Some(true), day: Some(Day::Rolling), ..Limits::default() };
        above.usd[Span::Day] = Some(Pico(5));
        above.usd[Span::Total] = Some(Pico(50));
        let mut own = Limits { rpm: Some(6), strict: Some(false), ..Limits::default() };
        own.usd[Span::Day] = Some(Pico(1));
        let joined = own.inherit(&above);
        assert_eq!((joined.rpm, joined.tpm), (Some(6), None));
        assert_eq!((joined.usd[Span::Day], joined.usd[Span::Total]), (Some(Pico(1)), Some(Pico(50))));
        assert_eq!((joined.strict(), joined.day()), (false, Day::Rolling));
        assert!(joined.bounds_money() && !Limits::default().bounds_money());
    }

    #[test]
    fn every_name_leads_back_to_what_it_names() {
        for span in Span::ALL {
            assert_eq!(Span::from_name(span.name()), Some(span));
        }
        for kind in LimitKind::ALL {
            assert_eq!(LimitKind::from_name(kind.name()), Some(kind));
        }
        for account in
            [AccountId::User(UserId(1)), AccountId::Key(KeyId(7)), AccountId::Provider(ProviderId(3))]
        {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for text in ["user", "user/", "user/x", "group/1", "key/7/8"] {
            assert_eq!(text.parse::<AccountId>(), Err(NoAccount), "{text}");
        }
    }
}
