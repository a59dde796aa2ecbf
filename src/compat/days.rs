//! Times and days as scripts write them: on the clock of the system, unless they name a zone.

use actors::ledger::calendar::Calendar;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::{desk::Desk, failure::Failure};

impl Desk {
    /// When the day began that was so many days ago.
    pub(super) fn day_began(&self, ago: u32) -> DateTime<Utc> {
        day_began(&self.door.calendar(), Utc::now(), ago)
    }

    /// When this month began, on the first.
    pub(super) fn month_began(&self) -> DateTime<Utc> {
        let calendar = Calendar { month_day: 1, ..self.door.calendar() };
        calendar.month(Utc::now()).from
    }

    /// The day of an instant.
    pub(super) fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.door.calendar().zone).date_naive()
    }

    /// What is meant by a beginning: a time, or a day from its first instant on.
    pub(super) fn beginning(&self, name: &str, text: &str) -> Result<String, Failure> {
        instant(&self.door.calendar(), text, 0).map(written).ok_or_else(|| no_time(name))
    }

    /// What is meant by an end: a time, or a day to its last instant.
    pub(super) fn end(&self, name: &str, text: &str) -> Result<String, Failure> {
        instant(&self.door.calendar(), text, 1).map(written).ok_or_else(|| no_time(name))
    }
}

/// An instant as `/api/v1` takes it behind the question mark.
pub(super) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn day_began(calendar: &Calendar, now: DateTime<Utc>, ago: u32) -> DateTime<Utc> {
    let began = |at| calendar.day(NaiveTime::MIN, at).from;
    (0..ago).fold(began(now), |day, _| began(day - TimeDelta::microseconds(1)))
}

/// The instant that is meant, or of a day its beginning, so many days later.
fn instant(calendar: &Calendar, text: &str, later: u64) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        let day = day.checked_add_days(Days::new(later))?;
        return Some(calendar.first_instant(day.and_time(NaiveTime::MIN)));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(calendar.first_instant(local))
}

fn no_time(name: &str) -> Failure {
    let text = format!("{name} must be a time such as 2030-01-31T12:00:00Z, or a day");
    Failure { field: Some(name.to_owned()), ..Failure::invalid("INVALID_FORMAT", text) }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn berlin() -> Calendar {
        Calendar { zone: Tz::Europe__Berlin, ..Calendar::default() }
    }

    #[test]
    fn a_time_is_one_of_the_systems_clock_unless_it_names_a_zone() {
        let told = |text: &str, later| instant(&berlin(), text, later).map(written);
        let check =
            |text: &str, expected: &str| assert_eq!(told(text, 0).as_deref(), Some(expected), "{text}");
        check("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z");
        check("2030-01-31T12:00:00.250+02:00", "2030-01-31T10:00:00.250Z");
        check("2030-01-31T12:00", "2030-01-31T11:00:00Z");
        check("2030-07-31 12:00:30", "2030-07-31T10:00:30Z");
        check("2030-01-31", "2030-01-30T23:00:00Z");
        // Clocks go forward: what they never show is the first instant after it.
        check("2030-03-31T02:30", "2030-03-31T01:00:00Z");
        assert_eq!(told("2030-03-31", 1).as_deref(), Some("2030-03-31T22:00:00Z"), "23 hours long");
        assert_eq!(told("soon", 0), None);
    }

    #[test]
    fn days_ago_are_days_of_the_clock() {
        let now = "2030-04-01T10:00:00Z".parse().unwrap();
        assert_eq!(written(day_began(&berlin(), now, 0)), "2030-03-31T22:00:00Z");
        assert_eq!(written(day_began(&berlin(), now, 1)), "2030-03-30T23:00:00Z");
        assert_eq!(written(day_began(&berlin(), now, 29)), "2030-03-02T23:00:00Z");
    }
}
