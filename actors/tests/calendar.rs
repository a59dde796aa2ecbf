//! The calendar against a second reckoning, by another crate with its own copy of the zones (I-08).
//!
//! The second one knows no dates of its own making: it lists a zone's stretches of constant offset over
//! 400 years, looks in them for the first instant a wall clock shows each beginning, and picks by search.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::sync::LazyLock;

use actors::ledger::calendar::{Calendar, Period};
use chrono::{DateTime, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};
use proptest::prelude::*;

/// Zones of every kind: whole and odd offsets, changes of half an hour, at midnight, in the south, in
/// Ramadan, over the date line, by decree, and none at all.
const ZONES: [&str; 40] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Moscow",
    "Europe/Lisbon",
    "Europe/Istanbul",
    "Europe/Amsterdam",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Juneau",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/St_Johns",
    "America/Havana",
    "America/Caracas",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
];

/// In 2087 the months of Ramadan that are known in advance end, and each crate goes on by itself.
const FIRST_YEAR: i16 = 1687;
const LAST_YEAR: i16 = 2086;

/// A zone's offsets: from when on (in seconds), and by how many seconds.
struct Oracle {
    zone: Tz,
    stretches: Vec<(i64, i64)>,
}

static ORACLES: LazyLock<Vec<Oracle>> = LazyLock::new(|| ZONES.iter().map(|name| Oracle::of(name)).collect());

fn seconds(date_time: civil::DateTime) -> i64 {
    date_time.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
}

fn instant(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

impl Oracle {
    fn of(name: &str) -> Self {
        let theirs = TimeZone::get(name).unwrap();
        let begin =
            Timestamp::from_second(seconds(civil::date(FIRST_YEAR - 2, 1, 1).at(0, 0, 0, 0))).unwrap();
        let end = seconds(civil::date(LAST_YEAR + 2, 1, 1).at(0, 0, 0, 0));
        let mut stretches = vec![(i64::MIN, i64::from(theirs.to_offset(begin).seconds()))];
        for change in theirs.following(begin).take_while(|change| change.timestamp().as_second() < end) {
            stretches.push((change.timestamp().as_second(), i64::from(change.offset().seconds())));
        }
        Self { zone: name.parse().unwrap(), stretches }
    }

    /// The first instant whose wall clock is at `local` or beyond.
    fn first_instant(&self, local: civil::DateTime) -> i64 {
        let local = seconds(local);
        // No offset is as much as two days, so earlier stretches end before.
        let near = self.stretches.partition_point(|(from, _)| *from <= local - 2 * 86_400) - 1;
        for (n, (from, offset)) in self.stretches.iter().enumerate().skip(near) {
            let end = self.stretches.get(n + 1).map_or(i64::MAX, |(next, _)| *next);
            let shown = (local - offset).max(*from);
            if shown < end {
                return shown;
            }
        }
        unreachable!("the last stretch has no end")
    }

    /// Where a clock of this zone stands at `at`, to the day.
    fn date(&self, at: i64) -> civil::Date {
        let stretch = self.stretches.partition_point(|(from, _)| *from <= at) - 1;
        let shown = Timestamp::from_second(at + self.stretches[stretch].1).unwrap();
        shown.to_zoned(TimeZone::UTC).date()
    }

    /// The period around `at` among those that begin on `dates`, which are in order and surround it.
    fn period(&self, at: i64, dates: &[civil::Date], begins: civil::Time) -> Period {
        let beginnings: Vec<i64> =
            dates.iter().map(|date| self.first_instant(date.to_datetime(begins))).collect();
        let next = beginnings.partition_point(|beginning| *beginning <= at);
        Period { from: instant(beginnings[next - 1]), until: instant(beginnings[next]) }
    }

    /// The days around `at`, `reach` of them either way, that pass `picked`.
    fn dates(&self, at: i64, reach: i32, picked: impl Fn(civil::Date) -> bool) -> Vec<civil::Date> {
        let today = self.date(at);
        (-reach..=reach).map(|n| today.checked_add(n.days()).unwrap()).filter(|date| picked(*date)).collect()
    }

    /// Compares all three kinds of period at one instant.
    #[track_caller]
    fn check(&self, calendar: &Calendar, begins: NaiveTime, at: i64) {
        let now = instant(at);
        let zone = self.zone;
        let (hour, minute) = (begins.format("%H").to_string(), begins.format("%M").to_string());
        let local = civil::time(hour.parse().unwrap(), minute.parse().unwrap(), 0, 0);
        let days = self.dates(at, 2, |_| true);
        assert_eq!(calendar.day(begins, now), self.period(at, &days, local), "{zone}: day at {now}");

        let (weekday, hour) = calendar.week_starts;
        let starts = i8::try_from(weekday.num_days_from_monday()).unwrap();
        let weeks = self.dates(at, 8, |date| date.weekday().to_monday_zero_offset() == starts);
        let local = civil::time(i8::try_from(hour).unwrap(), 0, 0, 0);
        assert_eq!(calendar.week(now), self.period(at, &weeks, local), "{zone}: week at {now}");

        let day = i8::try_from(calendar.month_day).unwrap();
        let first = self.date(at).first_of_month();
        let months = (-2..=2).map(|n| first.checked_add(n.months()).unwrap());
        let months: Vec<_> =
            months.map(|first| first.with().day(day.min(first.days_in_month())).build().unwrap()).collect();
        assert_eq!(
            calendar.month(now),
            self.period(at, &months, civil::time(0, 0, 0, 0)),
            "{zone}: month at {now}"
        );
    }
}

/// Every change of the clocks in 400 years, from a day before to a day after.
#[test]
fn i08_two_calendars_agree_around_every_change_of_the_clocks_in_40_zones() {
    let mut changes = 0;
    for oracle in ORACLES.iter() {
        for (n, window) in oracle.stretches.windows(2).enumerate() {
            let (change, before, after) = (window[1].0, window[0].1, window[1].1);
            if instant(change).format("%Y").to_string().parse::<i16>().unwrap() > LAST_YEAR {
                continue;
            }
            changes += 1;
            // Days that begin inside what the change leaves out or repeats, and beside it.
            let middle = NaiveTime::MIN
                .overflowing_add_signed(chrono::TimeDelta::seconds(change + (before + after) / 2))
                .0;
            let middle = NaiveTime::parse_from_str(&middle.format("%H:%M").to_string(), "%H:%M").unwrap();
            let begins = [NaiveTime::MIN, middle, NaiveTime::from_hms_opt(2, 30, 0).unwrap()][n % 3];
            let calendar = Calendar {
                zone: oracle.zone,
                week_starts: (
                    Weekday::try_from(u8::try_from(n % 7).unwrap()).unwrap(),
                    [0, 1, 2, 3, 23][n % 5],
                ),
                month_day: u8::try_from(n % 31 + 1).unwrap(),
            };
            for at in [-86_400, -1, 0, 1_800, 3_600, 86_400] {
                oracle.check(&calendar, begins, change + at);
            }
        }
    }
    assert!(changes > 5_000, "only {changes} changes were looked at");
}

/// Each period's neighbours are asked for by the instants at its own edges: nothing lies between.
#[test]
fn i08_periods_tile_400_years() {
    let begin = seconds(civil::date(FIRST_YEAR, 1, 1).at(0, 0, 0, 0));
    let end = seconds(civil::date(LAST_YEAR, 12, 31).at(0, 0, 0, 0));
    for (n, oracle) in ORACLES.iter().enumerate() {
        let calendar = Calendar {
            zone: oracle.zone,
            month_day: u8::try_from(n % 31 + 1).unwrap(),
            ..Calendar::default()
        };
        let begins = NaiveTime::from_hms_opt(u32::try_from(n % 24).unwrap(), 30, 0).unwrap();
        // Days are many: a stretch of years for each zone, other ones for the next.
        let stretch = i64::try_from(n).unwrap() * (end - begin) / 40;
        tiles(begin + stretch, begin + stretch + (end - begin) / 40, |at| calendar.day(begins, at));
        tiles(begin, end, |at| calendar.month(at));
        tiles(begin + stretch, begin + stretch + (end - begin) / 40, |at| calendar.week(at));
    }
}

fn tiles(begin: i64, end: i64, period: impl Fn(DateTime<Utc>) -> Period) {
    let mut last = period(instant(begin));
    while last.until < instant(end) {
        let next = period(last.until);
        assert_eq!(next.from, last.until, "a gap or an overlap");
        assert!(next.from < next.until, "no time passes");
        let just_before = last.until - chrono::TimeDelta::nanoseconds(1);
        assert_eq!(period(just_before), last, "the same period up to its last instant");
        last = next;
    }
}

proptest! {
    #[test]
    fn i08_two_calendars_agree_at_any_instant(
        zone in 0..ZONES.len(),
        share in 0u32..=u32::MAX,
        minute in 0u32..1_440,
        weekday in 0u8..7,
        hour in 0u8..24,
        month_day in 1u8..=31,
    ) {
        let begin = seconds(civil::date(FIRST_YEAR, 1, 1).at(0, 0, 0, 0));
        let end = seconds(civil::date(LAST_YEAR, 12, 31).at(0, 0, 0, 0));
        let at = begin + i64::try_from(i128::from(end - begin) * i128::from(share) / i128::from(u32::MAX)).unwrap();
        let oracle = &ORACLES[zone];
        let calendar = Calendar {
            zone: oracle.zone,
            week_starts: (Weekday::try_from(weekday).unwrap(), hour),
            month_day,
        };
        oracle.check(&calendar, NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap(), at);
    }
}

/// What a rule forgets shows at the ends of time, not as a panic.
#[test]
fn periods_are_told_to_the_ends_of_time() {
    let calendar = Calendar { zone: Tz::Pacific__Kiritimati, ..Calendar::default() };
    let near = chrono::TimeDelta::days(1);
    for at in [DateTime::<Utc>::MIN_UTC + near, DateTime::<Utc>::MAX_UTC - near] {
        for period in [calendar.day(NaiveTime::MIN, at), calendar.week(at), calendar.month(at)] {
            assert!(period.contains(at), "{period:?}");
        }
    }
}
