//! Limits as a row holds them: a document of those that are set, named as in the admin API.

use actors::{
    ledger::limits::{Day, FiveHours, Limits, Span},
    money::Pico,
};
use chrono::NaiveTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The document of a row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    rpm: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tpm: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_5h: Option<Pico>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_daily: Option<Pico>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_weekly: Option<Pico>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_monthly: Option<Pico>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd_total: Option<Pico>,
    #[serde(skip_serializing_if = "Option::is_none")]
    five_hours_reset: Option<FiveHours>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_reset: Option<DayDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_stop: Option<bool>,
}

/// How a day is counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
enum DayDoc {
    Fixed { at: TimeOfDay },
    Rolling,
}

/// A time of day, to the minute: `08:30`.
#[derive(Debug, Clone, Copy)]
struct TimeOfDay(NaiveTime);

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0.format("%H:%M"))
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        NaiveTime::parse_from_str(&text, "%H:%M").map(Self).map_err(de::Error::custom)
    }
}

impl From<Limits> for LimitsDoc {
    fn from(limits: Limits) -> Self {
        let Limits { rpm, tpm, concurrency, sessions, usd, five_hours, day, strict, hard_stop } = limits;
        let daily_reset = day.map(|day| match day {
            Day::Fixed(at) => DayDoc::Fixed { at: TimeOfDay(at) },
            Day::Rolling => DayDoc::Rolling,
        });
        Self {
            rpm,
            tpm,
            concurrency,
            sessions,
            usd_5h: usd[Span::FiveHours],
            usd_daily: usd[Span::Day],
            usd_weekly: usd[Span::Week],
            usd_monthly: usd[Span::Month],
            usd_total: usd[Span::Total],
            five_hours_reset: five_hours,
            daily_reset,
            strict,
            hard_stop,
        }
    }
}

impl From<LimitsDoc> for Limits {
    fn from(doc: LimitsDoc) -> Self {
        let mut limits = Self {
            rpm: doc.rpm,
            tpm: doc.tpm,
            concurrency: doc.concurrency,
            sessions: doc.sessions,
            five_hours: doc.five_hours_reset,
            day: doc.daily_reset.map(|day| match day {
                DayDoc::Fixed { at } => Day::Fixed(at.0),
                DayDoc::Rolling => Day::Rolling,
            }),
            strict: doc.strict,
            hard_stop: doc.hard_stop,
            ..Self::default()
        };
        limits.usd[Span::FiveHours] = doc.usd_5h;
        limits.usd[Span::Day] = doc.usd_daily;
        limits.usd[Span::Week] = doc.usd_weekly;
        limits.usd[Span::Month] = doc.usd_monthly;
        limits.usd[Span::Total] = doc.usd_total;
        limits
    }
}

/// For documents that hold limits among other things: `#[serde(with = "limits::as_document")]`.
pub(super) mod as_document {
    use super::{Deserialize, Deserializer, Limits, LimitsDoc, Serialize, Serializer};

    pub(in crate::store) fn serialize<S: Serializer>(limits: &Limits, to: S) -> Result<S::Ok, S::Error> {
        LimitsDoc::from(*limits).serialize(to)
    }

    pub(in crate::store) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
        LimitsDoc::deserialize(from).map(Limits::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: Limits, document: &str) {
        assert_eq!(serde_json::to_string(&LimitsDoc::from(limits)).unwrap(), document);
        let read: LimitsDoc = serde_json::from_str(document).unwrap();
        assert_eq!(Limits::from(read), limits);
    }

    #[test]
    fn a_document_holds_what_is_set_and_nothing_else() {
        check(Limits::default(), "{}");
        let zero = Limits { rpm: Some(0), strict: Some(false), ..Limits::default() };
        check(zero, r#"{"rpm":0,"strict":false}"#);
        let mut rich = Limits {
            rpm: Some(1),
            tpm: Some(2),
            concurrency: Some(3),
            sessions: Some(4),
            five_hours: Some(FiveHours::Fixed),
            day: Some(Day::Fixed(NaiveTime::from_hms_opt(8, 30, 0).unwrap())),
            strict: Some(true),
            hard_stop: Some(true),
            ..Limits::default()
        };
        for (span, picos) in Span::ALL.into_iter().zip(1..) {
            rich.usd[span] = Some(Pico(picos));
        }
        check(
            rich,
            "{\"rpm\":1,\"tpm\":2,\"concurrency\":3,\"sessions\":4,\"usd_5h\":\"0.000000000001\",\
             \"usd_daily\":\"0.000000000002\",\"usd_weekly\":\"0.000000000003\",\
             \"usd_monthly\":\"0.000000000004\",\"usd_total\":\"0.000000000005\",\
             \"five_hours_reset\":\"fixed\",\"daily_reset\":{\"mode\":\"fixed\",\"at\":\"08:30\"},\
             \"strict\":true,\"hard_stop\":true}",
        );
        check(
            Limits { day: Some(Day::Rolling), ..Limits::default() },
            r#"{"daily_reset":{"mode":"rolling"}}"#,
        );
    }

    #[test]
    fn a_limit_this_version_does_not_know_is_not_read_over() {
        assert!(serde_json::from_str::<LimitsDoc>(r#"{"usd_hourly":"1"}"#).is_err());
    }
}
