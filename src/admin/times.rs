//! What a member of a body may hold where it tells how time is counted.

use actors::ledger::limits::{FiveHours, Span};
use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use serde_json::value::RawValue;

use super::{
    body::{Flaws, FromJson},
    error::FlawCode,
    schema::plain,
    values::{closed_sets, text},
};

/// A time of day, to the minute: `08:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeOfDay(pub(super) NaiveTime);

impl FromJson for TimeOfDay {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let text = text(raw, field, flaws)?;
        let read = time_of_day(&text);
        if read.is_none() {
            flaws.add(field, FlawCode::Malformed, "must be a time of day from 00:00 to 23:59");
        }
        read.map(Self)
    }
}

/// Two digits, a colon, two digits. A parser of times would take `8:5`, ` 8:00` and `+8:00` too.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    let (hour, minute) =
        text.split_once(':').filter(|(hour, minute)| (hour.len(), minute.len()) == (2, 2))?;
    NaiveTime::from_hms_opt(number(hour)??, number(minute)??, 0)
}

/// A time zone by its name in the tz database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone(pub(super) Tz);

impl FromJson for Zone {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let text = text(raw, field, flaws)?;
        let complain = |_| flaws.add(field, FlawCode::NotOneOf, "must be a time zone such as Europe/Berlin");
        text.parse().map_err(complain).ok().map(Self)
    }
}

/// How a day is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayMode {
    /// From a time of day.
    Fixed,
    /// The last 24 hours.
    Rolling,
}

/// From Monday on.
const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// The name of a day of the week.
pub(super) const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "monday",
        Weekday::Tue => "tuesday",
        Weekday::Wed => "wednesday",
        Weekday::Thu => "thursday",
        Weekday::Fri => "friday",
        Weekday::Sat => "saturday",
        Weekday::Sun => "sunday",
    }
}

plain! {
    TimeOfDay => {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"};
    Zone => {"type": "string", "examples": ["Europe/Berlin"]};
}

closed_sets! {
    DayMode: &[Self::Fixed, Self::Rolling], |mode| match mode {
        Self::Fixed => "fixed",
        Self::Rolling => "rolling",
    };
    FiveHours: &[Self::Rolling, Self::Fixed], |mode| match mode {
        Self::Rolling => "rolling",
        Self::Fixed => "fixed",
    };
    Weekday: &WEEK, weekday;
    Span: &Self::ALL, Self::name;
}
