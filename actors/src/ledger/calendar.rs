//! Days, weeks and months by the calendar of a time zone, as half open periods of real time.
//!
//! A period begins where a wall clock in the zone first shows its beginning, so a day has 23 or 25 hours
//! where the clocks change, and one that the zone left out (Samoa, 30 December 2011) has none.
//!
//! Invariants
//! - Periods of one kind tile time: each ends where the next begins (I-08).
//! - A beginning that no clock shows is the first instant after the gap; one shown twice is the first.
//! - Time enters only as `at`: the same questions get the same answers.
//!
//! The zones' rules are those compiled in. They reach to the year 2100, after which a zone keeps the
//! offset it has then.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::{GapInfo, Tz};

/// By what calendar the days, weeks and months of limits are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Whose wall clock counts.
    pub zone: Tz,
    /// When a week begins: the day, and the hour of it (23 at most).
    pub week_starts: (Weekday, u8),
    /// The day a month begins on, from 1 on; in a month that does not have it, its last one.
    pub month_day: u8,
}

impl Default for Calendar {
    /// UTC, weeks from Monday 00:00, months from the 1st.
    fn default() -> Self {
        Self { zone: Tz::UTC, week_starts: (Weekday::Mon, 0), month_day: 1 }
    }
}

/// A span of real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub until: DateTime<Utc>,
}

impl Period {
    /// Whether `at` lies in it.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
}

impl Calendar {
    /// The day around `at`, where days begin at the local time `begins`.
    #[must_use]
    pub fn day(&self, begins: NaiveTime, at: DateTime<Utc>) -> Period {
        let today = self.date(at);
        self.around(at, |n| Some(plus_days(today, n)?.and_time(begins)))
    }

    /// The week around `at`.
    #[must_use]
    pub fn week(&self, at: DateTime<Utc>) -> Period {
        let (weekday, hour) = self.week_starts;
        let begins = NaiveTime::from_hms_opt(u32::from(hour.min(23)), 0, 0).unwrap_or_default();
        let today = self.date(at);
        let since = i32::try_from(today.weekday().days_since(weekday)).unwrap_or_default();
        self.around(at, |n| Some(plus_days(today, 7 * n - since)?.and_time(begins)))
    }

    /// The month around `at`.
    #[must_use]
    pub fn month(&self, at: DateTime<Utc>) -> Period {
        let today = self.date(at);
        self.around(at, |n| {
            let first = plus_months(today.with_day(1)?, n)?;
            let day = self.month_day.clamp(1, first.num_days_in_month());
            Some(first.with_day(u32::from(day))?.and_time(NaiveTime::MIN))
        })
    }

    /// What a calendar in the zone shows at `at`.
    pub(crate) fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// The period around `at`, where `beginning` tells the local beginnings, numbered in their order and
    /// 0 near `at`.
    fn around(&self, at: DateTime<Utc>, beginning: impl Fn(i32) -> Option<NaiveDateTime>) -> Period {
        // Two ahead: where clocks were put back over a beginning, the next one has passed already.
        let mut n = 2;
        let mut until = DateTime::<Utc>::MAX_UTC;
        loop {
            // Beyond the years that can be told, the last period has no end and the first no beginning.
            let from = match beginning(n) {
                Some(local) => self.first_instant(local),
                None if n > 0 => until,
                None => DateTime::<Utc>::MIN_UTC,
            };
            if from <= at {
                return Period { from, until };
            }
            (n, until) = (n - 1, from);
        }
    }

    /// The first instant at which a clock in the zone shows `local` or later.
    #[must_use]
    pub fn first_instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let shown = self.zone.from_local_datetime(&local).earliest();
        let shown = shown.or_else(|| GapInfo::new(&local, &self.zone)?.end);
        // Neither is known only beyond the years that can be told.
        shown.map_or(local.and_utc(), |instant| instant.to_utc())
    }
}

/// The date so many days later.
pub(crate) fn plus_days(date: NaiveDate, days: i32) -> Option<NaiveDate> {
    let by = Days::new(u64::from(days.unsigned_abs()));
    if days < 0 { date.checked_sub_days(by) } else { date.checked_add_days(by) }
}

fn plus_months(date: NaiveDate, months: i32) -> Option<NaiveDate> {
    let by = Months::new(months.unsigned_abs());
    if months < 0 { date.checked_sub_months(by) } else { date.checked_add_months(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn time(hour: u32, minute: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hour, minute, 0).unwrap()
    }

    fn in_zone(zone: Tz) -> Calendar {
        Calendar { zone, ..Calendar::default() }
    }

    #[track_caller]
    fn check(period: Period, from: &str, until: &str) {
        assert_eq!(period, Period { from: at(from), until: at(until) });
    }

    #[test]
    fn a_day_in_utc_is_a_day() {
        let day = Calendar::default().day(time(8, 30), at("2026-02-28T08:29:59Z"));
        check(day, "2026-02-27T08:30:00Z", "2026-02-28T08:30:00Z");
    }

    #[test]
    fn i08_days_have_23_and_25_hours_where_clocks_change() {
        let berlin = in_zone(Tz::Europe__Berlin);
        check(
            berlin.day(time(0, 0), at("2026-03-29T12:00:00Z")),
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        );
        check(
            berlin.day(time(0, 0), at("2026-10-25T12:00:00Z")),
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        );
    }

    #[test]
    fn i08_a_beginning_no_clock_shows_is_the_first_instant_after_the_gap() {
        let day = in_zone(Tz::Europe__Berlin).day(time(2, 30), at("2026-03-29T01:00:00Z"));
        check(day, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
        // Santiago goes from 24:00 to 01:00.
        let day = in_zone(Tz::America__Santiago).day(time(0, 0), at("2025-09-07T04:00:00Z"));
        check(day, "2025-09-07T04:00:00Z", "2025-09-08T03:00:00Z");
    }

    #[test]
    fn i08_a_beginning_shown_twice_is_the_first() {
        let berlin = in_zone(Tz::Europe__Berlin);
        // 02:30 comes at 00:30 and again at 01:30 UTC; the second changes nothing.
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:29:59Z", "2026-10-25T01:30:00Z"] {
            check(berlin.day(time(2, 30), at(now)), "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        }
        // In Newfoundland clocks went from 00:01 back to 23:01: the second evening is in the new day.
        let day = in_zone(Tz::America__St_Johns).day(time(0, 0), at("2010-11-07T02:45:00Z"));
        check(day, "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z");
    }

    #[test]
    fn i08_a_day_that_a_zone_left_out_has_no_time() {
        let samoa = in_zone(Tz::Pacific__Apia);
        check(
            samoa.day(time(0, 0), at("2011-12-30T09:59:59Z")),
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
        );
        check(
            samoa.day(time(0, 0), at("2011-12-30T10:00:00Z")),
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z",
        );
    }

    #[test]
    fn weeks_begin_on_their_day_at_their_hour() {
        let calendar = Calendar { week_starts: (Weekday::Sun, 6), ..Calendar::default() };
        check(calendar.week(at("2026-11-22T05:59:59Z")), "2026-11-15T06:00:00Z", "2026-11-22T06:00:00Z");
        check(calendar.week(at("2026-11-22T06:00:00Z")), "2026-11-22T06:00:00Z", "2026-11-29T06:00:00Z");
        check(
            Calendar::default().week(at("2026-11-20T16:00:00Z")),
            "2026-11-16T00:00:00Z",
            "2026-11-23T00:00:00Z",
        );
    }

    #[test]
    fn a_month_without_that_day_begins_on_its_last() {
        let calendar = Calendar { month_day: 31, ..Calendar::default() };
        check(calendar.month(at("2028-02-29T00:00:00Z")), "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z");
        check(calendar.month(at("2028-02-28T23:59:59Z")), "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z");
        check(calendar.month(at("2027-04-30T00:00:00Z")), "2027-04-30T00:00:00Z", "2027-05-31T00:00:00Z");
    }

    #[test]
    fn a_month_with_an_early_day_may_have_begun_in_the_one_before() {
        let calendar = Calendar { month_day: 15, ..Calendar::default() };
        check(calendar.month(at("2027-01-14T23:59:59Z")), "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z");
    }

    #[test]
    fn settings_out_of_range_count_as_the_nearest_sound_ones() {
        let odd = Calendar { week_starts: (Weekday::Mon, 99), month_day: 0, ..Calendar::default() };
        check(odd.week(at("2026-11-17T00:00:00Z")), "2026-11-16T23:00:00Z", "2026-11-23T23:00:00Z");
        check(odd.month(at("2026-11-17T00:00:00Z")), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    }
}
