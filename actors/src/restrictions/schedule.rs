//! The hours in which a provider is open, by the wall clock of the house.
//!
//! An opening begins where a clock first shows its beginning, and ends where one first shows its end, on the next day
//! if that is the earlier time of the two. So where clocks are put forward, one that lies in what is left out does
//! not take place, and where they are put back, one that has ended does not begin again.
//!
//! Time enters only as `at`.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc, Weekday};
use serde::{Deserialize, Serialize};

use crate::ledger::calendar::{Calendar, Period, plus_days};

/// So many days ahead an opening is looked for: one a week, and once it may not take place.
const DAYS_AHEAD: i32 = 15;
/// A day, in minutes.
const DAY: u16 = 1_440;

/// Daily hours, on some days of the week or on all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    from: DayMinute,
    to: DayMinute,
    days: Vec<Weekday>,
}

/// A time of day to the minute, such as `08:30`, or the end of the day, `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayMinute(u16);

/// Why these are no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSchedule {
    /// Nobody could say whether that is never or always.
    #[error("must differ from its beginning")]
    SameEnds,
    /// Then the day is over.
    #[error("must be a time of day from 00:00 to 23:59")]
    BeginsAtTheEnd,
}

impl Schedule {
    /// Hours on these days, or on every day where none is named.
    ///
    /// # Errors
    /// [`NoSchedule`] says what is wrong with them.
    pub fn new(from: DayMinute, to: DayMinute, mut days: Vec<Weekday>) -> Result<Self, NoSchedule> {
        if from == DayMinute(DAY) {
            return Err(NoSchedule::BeginsAtTheEnd);
        }
        if from == to {
            return Err(NoSchedule::SameEnds);
        }
        days.sort_unstable_by_key(Weekday::num_days_from_monday);
        days.dedup();
        Ok(Self { from, to, days })
    }

    /// When an opening begins.
    #[must_use]
    pub const fn begins(&self) -> DayMinute {
        self.from
    }

    /// When it ends.
    #[must_use]
    pub const fn ends(&self) -> DayMinute {
        self.to
    }

    /// The days on which one begins, from Monday on; none means every day.
    #[must_use]
    pub fn days(&self) -> &[Weekday] {
        &self.days
    }

    /// When it opens next; none while it is open.
    #[must_use]
    pub fn opens(&self, at: DateTime<Utc>, calendar: &Calendar) -> Option<DateTime<Utc>> {
        let today = calendar.date(at);
        // From yesterday on, whose opening may go on; in their order, each of them begins later than the last.
        for day in (-1..=DAYS_AHEAD).filter_map(|days| plus_days(today, days)) {
            if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
                continue;
            }
            let opening = self.opening(day, calendar);
            if opening.contains(at) {
                return None;
            }
            if at < opening.from && opening.from < opening.until {
                return Some(opening.from);
            }
        }
        Some(at + TimeDelta::days(i64::from(DAYS_AHEAD)))
    }

    /// The one that begins on this day.
    fn opening(&self, day: NaiveDate, calendar: &Calendar) -> Period {
        let minute = |minute: DayMinute, days: i64| {
            let midnight = day.and_time(NaiveTime::MIN);
            calendar.first_instant(midnight + TimeDelta::days(days) + TimeDelta::minutes(i64::from(minute.0)))
        };
        Period { from: minute(self.from, 0), until: minute(self.to, i64::from(self.to < self.from)) }
    }
}

impl From<NaiveTime> for DayMinute {
    fn from(time: NaiveTime) -> Self {
        Self(u16::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default())
    }
}

impl fmt::Display for DayMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Not a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of day from 00:00 to 24:00")]
pub struct NoTime;

impl FromStr for DayMinute {
    type Err = NoTime;

    /// Two digits, a colon, two digits.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            two.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or(NoTime)?;
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(NoTime)?;
        let minute = hours * 60 + minutes;
        if minutes < 60 && minute <= DAY { Ok(Self(minute)) } else { Err(NoTime) }
    }
}

impl TryFrom<String> for DayMinute {
    type Error = NoTime;

    fn try_from(text: String) -> Result<Self, NoTime> {
        text.parse()
    }
}

impl From<DayMinute> for String {
    fn from(minute: DayMinute) -> Self {
        minute.to_string()
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hours(from: &str, to: &str, days: &[Weekday]) -> Schedule {
        Schedule::new(from.parse().unwrap(), to.parse().unwrap(), days.to_vec()).unwrap()
    }

    fn in_zone(zone: Tz) -> Calendar {
        Calendar { zone, ..Calendar::default() }
    }

    /// When it opens next, as seen from there; `-` while it is open.
    #[track_caller]
    fn check(schedule: &Schedule, zone: Tz, from: &str, expected: &str) {
        let opens = schedule.opens(at(from), &in_zone(zone));
        assert_eq!(opens, (expected != "-").then(|| at(expected)), "{from}");
    }

    #[test]
    fn it_is_open_from_its_beginning_up_to_its_end() {
        let office = hours("08:00", "18:30", &[]);
        check(&office, Tz::UTC, "2026-03-02T07:59:59Z", "2026-03-02T08:00:00Z");
        check(&office, Tz::UTC, "2026-03-02T08:00:00Z", "-");
        check(&office, Tz::UTC, "2026-03-02T18:29:59Z", "-");
        check(&office, Tz::UTC, "2026-03-02T18:30:00Z", "2026-03-03T08:00:00Z");
        check(&office, Tz::Asia__Shanghai, "2026-03-02T00:00:00Z", "-");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let friday = hours("22:00", "06:00", &[Weekday::Fri]);
        // 6 March 2026 is a Friday.
        check(&friday, Tz::UTC, "2026-03-06T05:00:00Z", "2026-03-06T22:00:00Z");
        check(&friday, Tz::UTC, "2026-03-07T05:59:59Z", "-");
        check(&friday, Tz::UTC, "2026-03-07T06:00:00Z", "2026-03-13T22:00:00Z");
    }

    #[test]
    fn a_whole_day_ends_at_24() {
        let weekend = hours("00:00", "24:00", &[Weekday::Sun, Weekday::Sat]);
        assert_eq!(weekend.days(), [Weekday::Sat, Weekday::Sun]);
        check(&weekend, Tz::UTC, "2026-03-06T23:59:59Z", "2026-03-07T00:00:00Z");
        check(&weekend, Tz::UTC, "2026-03-08T23:59:59Z", "-");
        check(&weekend, Tz::UTC, "2026-03-09T00:00:00Z", "2026-03-14T00:00:00Z");
    }

    /// Clocks are put forward on 29 March 2026 at 02:00 and back on 25 October at 03:00.
    #[test]
    fn a_day_on_which_clocks_are_put_forward_or_back_has_its_hours() {
        let berlin = Tz::Europe__Berlin;
        check(&hours("02:30", "05:00", &[]), berlin, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z");
        let left_out = hours("02:10", "02:50", &[]);
        check(&left_out, berlin, "2026-03-29T00:30:00Z", "2026-03-30T00:10:00Z");
        check(
            &hours("02:00", "02:30", &[Weekday::Sun]),
            berlin,
            "2026-03-28T00:00:00Z",
            "2026-04-05T00:00:00Z",
        );
        // What is shown twice is open twice over where it lasts, and does not begin again where it has ended.
        let over_it = hours("01:00", "04:00", &[]);
        for hour in
            ["2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:59:59Z"]
        {
            check(&over_it, berlin, hour, "-");
        }
        let ended = hours("01:00", "02:30", &[]);
        check(&ended, berlin, "2026-10-25T00:29:59Z", "-");
        check(&ended, berlin, "2026-10-25T01:15:00Z", "2026-10-26T00:00:00Z");
    }

    #[test]
    fn ends_that_are_the_same_and_times_that_are_none_are_refused() {
        let new =
            |from: &str, to: &str| Schedule::new(from.parse().unwrap(), to.parse().unwrap(), Vec::new());
        assert_eq!(new("08:00", "08:00"), Err(NoSchedule::SameEnds));
        assert_eq!(new("24:00", "08:00"), Err(NoSchedule::BeginsAtTheEnd));
        assert!(new("00:00", "24:00").is_ok());
        for text in
            ["", "8:00", "08:0", "08.00", "24:01", "25:00", "08:60", "+8:00", "08:00:00", " 8:00", "٠٨:٠٠"]
        {
            assert_eq!(text.parse::<DayMinute>(), Err(NoTime), "{text}");
        }
        assert_eq!("09:05".parse::<DayMinute>().unwrap().to_string(), "09:05");
    }

    /// Zones with changes of an hour, of half an hour, at midnight, of a whole day, and none.
    const ZONES: [(Tz, &str); 6] = [
        (Tz::Europe__Berlin, "2026-03-29T01:00:00Z"),
        (Tz::America__New_York, "2026-11-01T06:00:00Z"),
        (Tz::Australia__Lord_Howe, "2026-04-04T15:00:00Z"),
        (Tz::America__Havana, "2026-11-01T05:00:00Z"),
        (Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
        (Tz::Asia__Kolkata, "2026-05-01T00:00:00Z"),
    ];

    /// Whether it is open in each minute from six days before to six days after, told by watching a clock: an
    /// opening has begun once the clock has shown its beginning, and has ended once it has shown its end.
    fn watched(schedule: &Schedule, zone: Tz, middle: DateTime<Utc>) -> Vec<(DateTime<Utc>, bool)> {
        let begin = middle - TimeDelta::days(6);
        let mut shown = begin.with_timezone(&zone).naive_local();
        let mut told = Vec::new();
        for minute in 0..12 * i64::from(DAY) {
            let now = begin + TimeDelta::minutes(minute);
            shown = shown.max(now.with_timezone(&zone).naive_local());
            let open = (0..=2).any(|back| {
                let day = shown.date() - TimeDelta::days(back);
                let at =
                    |minute: DayMinute| day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute.0.into());
                let end = at(schedule.to) + TimeDelta::days(i64::from(schedule.to < schedule.from));
                let on = schedule.days.is_empty() || schedule.days.contains(&day.weekday());
                on && at(schedule.from) <= shown && shown < end
            });
            told.push((now, open));
        }
        told
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_opens_and_closes_as_a_clock_that_is_watched_shows(
            zone in prop::sample::select(&ZONES[..]),
            from in 0..DAY,
            to in 0..=DAY,
            days in prop::collection::vec((0_u8..7).prop_map(|day| Weekday::try_from(day).unwrap()), 0..4),
        ) {
            prop_assume!(from != to);
            let (zone, middle) = (zone.0, at(zone.1));
            let (calendar, schedule) =
                (in_zone(zone), Schedule::new(DayMinute(from), DayMinute(to), days).unwrap());
            let told = watched(&schedule, zone, middle);
            let (mut next, mut was_open) = (None, false);
            for (minute, (now, open)) in told.into_iter().enumerate().rev() {
                if open {
                    next = Some(now);
                }
                // Each change, and a minute here and there.
                if was_open == open && minute % 17 != 0 {
                    continue;
                }
                was_open = open;
                let opens = schedule.opens(now, &calendar);
                prop_assert_eq!(opens.is_none(), open, "{} {:?}", now, &schedule);
                if let (false, Some(next)) = (open, next) {
                    prop_assert_eq!(opens, Some(next), "{} {:?}", now, &schedule);
                }
            }
        }
    }
}
