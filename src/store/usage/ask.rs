//! What usage came to in given periods: whole days and hours from their sums, what is left over from the rows.

use std::{collections::BTreeMap, ops::Range};

use chrono::{DateTime, TimeDelta};
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use protocol::{Format, Operation};

use super::{
    Facet, client_of,
    rows::{subject, sums_of_rows, sums_of_sums},
    tally::{Line, Tally},
};
use crate::{
    config::store::StoreUrl,
    store::{
        Store,
        db::db,
        error::StoreError,
        text::Clean,
        types::{At, Ts},
    },
};

/// A request counts in the minute of its admission, which comes after its start, by less than this.
const MOST_WAITING: TimeDelta = TimeDelta::hours(1);
/// Periods that are read from rows one by one; of more, their ends are taken to be full quarters of an hour.
const FEW: usize = 4;
const QUARTER: i64 = 15;
const HOUR: i64 = 60;
const DAY: i64 = 24;

/// Whose usage; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageOf {
    /// Of which user.
    pub user: Option<i64>,
    /// With which key.
    pub key: Option<i64>,
    /// Answered by which provider.
    pub provider: Option<i64>,
    /// For which model.
    pub model: Option<String>,
    /// With which client.
    pub client: Option<String>,
    /// In which wire format.
    pub format: Option<Format>,
    /// That asked for this.
    pub operation: Option<Operation>,
}

/// A question about usage.
#[derive(Debug, Clone)]
pub struct UsageAsk {
    /// By what it is told.
    pub by: Facet,
    /// Of whom.
    pub of: UsageOf,
    /// When: minutes since 1970 in UTC.
    pub periods: Vec<Range<i64>>,
    /// Of which subjects; none for all of them.
    pub subjects: Option<Vec<String>>,
}

/// What a subject used in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// Which of the periods asked for.
    pub period: usize,
    /// Whose; empty where there was none.
    pub subject: String,
    /// How much.
    pub tally: Tally,
}

/// What periods are put together from, each piece with the place of its period.
#[derive(Default)]
struct Pieces {
    days: Vec<(usize, Range<i64>)>,
    hours: Vec<(usize, Range<i64>)>,
    rows: Vec<(usize, Range<i64>)>,
}

impl Pieces {
    fn of(periods: &[Range<i64>]) -> Self {
        let mut pieces = Self::default();
        for (place, period) in periods.iter().enumerate() {
            let Some(hours) = within(period, HOUR, place, &mut pieces.rows) else { continue };
            let Some(days) = within(&hours, DAY, place, &mut pieces.hours) else { continue };
            pieces.days.push((place, days));
        }
        pieces
    }
}

/// The whole units in a range, of `size` each; what is left of the range goes to the pieces, each within a unit.
fn within(
    range: &Range<i64>,
    size: i64,
    place: usize,
    left: &mut Vec<(usize, Range<i64>)>,
) -> Option<Range<i64>> {
    let (first, last) = (-(-range.start).div_euclid(size), range.end.div_euclid(size));
    if first > last {
        // Within one unit.
        left.push((place, range.clone()));
        return None;
    }
    for rest in [range.start..first * size, last * size..range.end] {
        if !rest.is_empty() {
            left.push((place, rest));
        }
    }
    (first < last).then_some(first..last)
}

impl UsageOf {
    /// The subject of a facet it is about.
    fn subject(&self, facet: Facet) -> Option<String> {
        let id = |id: Option<i64>| id.map(|id| id.to_string());
        match facet {
            Facet::User => id(self.user),
            Facet::Key => id(self.key),
            Facet::Provider => id(self.provider),
            Facet::Model => self.model.clone(),
            Facet::Client => self.client.clone(),
            Facet::WireFormat => self.format.map(|format| format.name().to_owned()),
            Facet::Operation => self.operation.map(|operation| operation.name().to_owned()),
        }
    }

    /// Whether it is about more than a subject of this facet.
    fn crosses(&self, facet: Facet) -> bool {
        Facet::ALL.iter().any(|other| *other != facet && self.subject(*other).is_some())
    }

    /// As a condition on rows `r`, with two parameters behind the first two: the model and the client.
    fn condition(&self) -> String {
        let mut condition = String::new();
        for (column, id) in [("user_id", self.user), ("key_id", self.key), ("provider_id", self.provider)] {
            if let Some(id) = id {
                condition += &format!(" AND r.{column} = {id}");
            }
        }
        let (format, operation) = (self.format.map(Format::name), self.operation.map(Operation::name));
        for (column, name) in [("format", format), ("operation", operation)] {
            if let Some(name) = name {
                condition += &format!(" AND r.{column} = '{name}'");
            }
        }
        condition += if self.model.is_some() { " AND r.model = $3" } else { " AND $3 = $3" };
        condition += &match &self.client {
            // A user agent up to its first slash or space, as `client_of` reads it.
            Some(client) => {
                let behind = client.chars().count() + 1;
                format!(
                    " AND substr(r.user_agent, 1, {behind}) IN ($4, $4 || '/', $4 || ' ') \
                     AND r.user_id IS NOT NULL"
                )
            }
            None => " AND $4 = $4".to_owned(),
        };
        condition
    }
}

impl Store {
    /// What usage came to, by subject and period; periods and subjects without any are left out.
    ///
    /// Asked for one facet it is read from sums; of a question across two facets the rows are read.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn usage(&self, ask: UsageAsk) -> Result<Vec<UsageLine>, StoreError> {
        let UsageAsk { by, of, periods, subjects } = ask;
        let mut found =
            Found { by, subjects: subjects.or_else(|| Some(vec![of.subject(by)?])), lines: BTreeMap::new() };
        if !of.crosses(by) {
            let Pieces { days, hours, rows } = Pieces::of(&periods);
            found.take(self.summed("day", by, &days, found.subjects.as_deref()).await?);
            found.take(self.summed("hour", by, &hours, found.subjects.as_deref()).await?);
            for (place, minutes) in rows {
                found.take(self.count_rows(by, &of, minutes, &place.to_string()).await?);
            }
        } else if periods.len() <= FEW {
            for (place, minutes) in periods.into_iter().enumerate() {
                found.take(self.count_rows(by, &of, minutes, &place.to_string()).await?);
            }
        } else if let (Some(first), Some(last)) = (periods.as_slice().first(), periods.as_slice().last()) {
            let quarter = format!("r.minute / {QUARTER}");
            for line in self.count_rows(by, &of, first.start..last.end, &quarter).await? {
                // The first quarter may have begun before the first period.
                let minute = (line.place * QUARTER).max(first.start);
                let place = periods.partition_point(|period| period.end <= minute);
                if periods.get(place).is_some_and(|period| period.contains(&minute)) {
                    found.add(place, &line);
                }
            }
        }
        Ok(found.into_lines())
    }

    /// Sums of sums. Only numbers and names of ours go into the statement; the subjects are bound as a document.
    async fn summed(
        &self,
        unit: &'static str,
        by: Facet,
        pieces: &[(usize, Range<i64>)],
        subjects: Option<&[String]>,
    ) -> Result<Vec<Line>, StoreError> {
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let values = pieces
            .iter()
            .map(|(place, at)| format!("({place}, {}, {}, {})", at.start, at.end, at.start.div_euclid(DAY)));
        let values = values.collect::<Vec<_>>().join(", ");
        let chosen = match (subjects.is_some(), self.url()) {
            (false, _) => "$2 = $2",
            (true, StoreUrl::Sqlite(_)) => "u.subject IN (SELECT value FROM json_each($2))",
            (true, StoreUrl::Postgres(_)) => {
                "u.subject = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST($2 AS jsonb))))"
            }
        };
        // Hours are kept by subject; who has any in a day, its sums tell.
        let from = match (unit, subjects) {
            ("hour", None) => {
                "usage_days AS d CROSS JOIN usage_hours AS u \
                 WHERE d.facet = $1 AND d.day = p.in_day AND u.facet = d.facet AND u.subject = d.subject"
            }
            ("hour", Some(_)) => "usage_hours AS u WHERE u.facet = $1",
            _ => "usage_days AS u WHERE u.facet = $1",
        };
        let statement = format!(
            "WITH p(place, begins, ends, in_day) AS (VALUES {values}) \
             SELECT CAST(p.place AS bigint) AS place, u.subject AS subject, {} FROM p CROSS JOIN {from} \
             AND {chosen} AND u.{unit} >= p.begins AND u.{unit} < p.ends GROUP BY p.place, u.subject",
            sums_of_sums()
        );
        let subjects = serde_json::to_string(subjects.unwrap_or_default())
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        db!(self.engine(), read, conn => {
            diesel::sql_query(statement)
                .bind::<Text, _>(by.name())
                .bind::<Text, _>(subjects)
                .load::<Line>(conn)
                .await?
        })
    }

    /// Sums of rows.
    async fn count_rows(
        &self,
        by: Facet,
        of: &UsageOf,
        minutes: Range<i64>,
        place: &str,
    ) -> Result<Vec<Line>, StoreError> {
        let statement = format!(
            "SELECT CAST({place} AS bigint) AS place, {} AS subject, {} FROM requests AS r \
             WHERE r.started_at >= $1 AND r.started_at < $2{} AND r.minute >= {} AND r.minute < {} GROUP BY 1, 2",
            subject(by),
            sums_of_rows(),
            of.condition(),
            minutes.start,
            minutes.end,
        );
        let at = |minute: i64| DateTime::from_timestamp(minute.saturating_mul(60), 0);
        let from = at(minutes.start).and_then(|from| from.checked_sub_signed(MOST_WAITING));
        let (Some(from), Some(until)) = (from, at(minutes.end)) else {
            return Err(StoreError::invalid("from", "is too far away"));
        };
        let word = |text: &Option<String>| Clean::cut(text.as_deref().unwrap_or_default(), 256);
        let (model, client) = (word(&of.model), word(&of.client));
        db!(self.engine(), read, conn => {
            diesel::sql_query(statement)
                .bind::<Ts, _>(At(from))
                .bind::<Ts, _>(At(until))
                .bind::<Text, _>(model)
                .bind::<Text, _>(client)
                .load::<Line>(conn)
                .await?
        })
    }
}

/// What was found so far.
struct Found {
    by: Facet,
    subjects: Option<Vec<String>>,
    lines: BTreeMap<(usize, String), Tally>,
}

impl Found {
    fn take(&mut self, lines: Vec<Line>) {
        for line in &lines {
            if let Ok(place) = usize::try_from(line.place) {
                self.add(place, line);
            }
        }
    }

    fn add(&mut self, place: usize, line: &Line) {
        // Sums are kept by client; rows tell the whole user agent, of which this makes the client.
        let subject = if self.by == Facet::Client { client_of(&line.subject) } else { &line.subject };
        if self.subjects.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == subject)) {
            self.lines.entry((place, subject.to_owned())).or_default().add(&line.tally());
        }
    }

    fn into_lines(self) -> Vec<UsageLine> {
        let lines = self.lines.into_iter();
        lines.map(|((period, subject), tally)| UsageLine { period, subject, tally }).collect()
    }
}
