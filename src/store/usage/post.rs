//! Adding what a group of new rows comes to, within the transaction that inserts them.

use std::collections::BTreeMap;

use actors::money::Pico;
use diesel::{QueryResult, prelude::*, upsert::excluded};
use protocol::{Format, Operation};

use super::{
    Facet, client_of,
    tally::{FIRST_MS, MOST, TOOK_MS, Tally, bin, with_columns},
};
use crate::{
    journal::{
        record::{Ending, Record},
        written::NAME_BYTES,
    },
    store::{
        error::StoreError,
        schema::{usage_attempts, usage_days, usage_hours},
        text::Clean,
        types::{Cost, Usd, micros},
    },
};

// A sum with columns of ours, told in types: a piece of plain SQL would be prepared anew each time.
diesel::infix_operator!(Plus, " + ", Usd);

/// Rows per statement on PostgreSQL, so that the binds stay below the 65,535 it takes.
const ROWS_PER_STATEMENT: usize = 1_000;
const HOURS_A_DAY: i64 = 24;

/// What one record brings to usage, if it is new.
pub(in crate::store) struct Posted {
    hour: i64,
    subjects: [(Facet, String); 7],
    tally: Tally,
    attempts: Vec<(i64, &'static str, Tried)>,
}

/// What attempts of one provider, hour and outcome came to.
#[derive(Debug, Clone, Copy, Default)]
struct Tried {
    attempts: i64,
    firsts: i64,
    first_us: i64,
    bins: [i64; 8],
}

impl Posted {
    pub(in crate::store) fn of(record: &Record) -> Self {
        let id = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
        // What somebody unknown says of himself would let anybody add rows without end.
        let word = |text: Option<&str>| {
            let text = text.filter(|_| record.user_id.is_some()).unwrap_or_default();
            Clean::cut(text, NAME_BYTES).into_string()
        };
        let client = word(record.user_agent.as_deref());
        Self {
            hour: record.minute.div_euclid(60),
            subjects: [
                (Facet::User, id(record.user_id.map(|id| id.0))),
                (Facet::Key, id(record.key_id.map(|id| id.0))),
                (Facet::Provider, id(record.provider_id.map(|id| id.0))),
                (Facet::Model, word(record.model.as_deref())),
                (Facet::Client, client_of(&client).to_owned()),
                (Facet::WireFormat, record.format.map(Format::name).unwrap_or_default().to_owned()),
                (Facet::Operation, record.operation.map(Operation::name).unwrap_or_default().to_owned()),
            ],
            tally: tally_of(record),
            attempts: record
                .attempts
                .iter()
                .map(|attempt| {
                    let mut tried = Tried { attempts: 1, ..Tried::default() };
                    if let Some(first) = attempt.first_frame.map(micros) {
                        (tried.firsts, tried.first_us) = (1, first.min(MOST));
                        if let Some(bin) = bin(&FIRST_MS, first) {
                            tried.bins[bin] = 1;
                        }
                    }
                    (attempt.provider_id.0, attempt.outcome.name(), tried)
                })
                .collect(),
        }
    }
}

fn tally_of(record: &Record) -> Tally {
    let usage = record.metering.usage();
    let tokens = |count: u64| i64::try_from(count).unwrap_or(MOST).min(MOST);
    let failed = record.status >= 400 && record.status != 499
        || !matches!(record.ending, Ending::Complete | Ending::CallerLeft);
    let mut tally = Tally {
        requests: 1,
        errors: failed.into(),
        input_tokens: tokens(usage.input_tokens),
        cache_read_tokens: tokens(usage.cache_read_tokens),
        cache_write_tokens: tokens(usage.cache_write_5m_tokens) + tokens(usage.cache_write_1h_tokens),
        output_tokens: tokens(usage.output_tokens),
        reasoning_tokens: tokens(usage.reasoning_tokens),
        cost: record.cost.unwrap_or(Pico::ZERO),
        duration_us: micros(record.duration).min(MOST),
        ..Tally::default()
    };
    if let Some(bin) = bin(&TOOK_MS, micros(record.duration)) {
        *tally.took()[bin] = 1;
    }
    if let Some(first) = record.ttfb.map(micros) {
        (tally.firsts, tally.first_us) = (1, first.min(MOST));
        if let Some(bin) = bin(&FIRST_MS, first) {
            *tally.first()[bin] = 1;
        }
    }
    tally
}

/// What a group brings, in the order of the keys.
pub(in crate::store) struct Tallies {
    hours: Vec<HourRow>,
    days: Vec<DayRow>,
    attempts: Vec<AttemptsRow>,
}

impl Tallies {
    pub(in crate::store) fn of<'a>(group: impl IntoIterator<Item = &'a Posted>) -> Result<Self, StoreError> {
        let mut hours: BTreeMap<(Facet, &str, i64), Tally> = BTreeMap::new();
        let mut days: BTreeMap<(Facet, i64, &str), Tally> = BTreeMap::new();
        let mut attempts: BTreeMap<(i64, i64, &'static str), Tried> = BTreeMap::new();
        for posted in group {
            let day = posted.hour.div_euclid(HOURS_A_DAY);
            for (facet, subject) in &posted.subjects {
                hours.entry((*facet, subject, posted.hour)).or_default().add(&posted.tally);
                days.entry((*facet, day, subject)).or_default().add(&posted.tally);
            }
            for (provider, outcome, tried) in &posted.attempts {
                let sum = attempts.entry((*provider, posted.hour, outcome)).or_default();
                sum.attempts += tried.attempts;
                sum.firsts += tried.firsts;
                sum.first_us = sum.first_us.saturating_add(tried.first_us);
                sum.bins.iter_mut().zip(tried.bins).for_each(|(sum, bin)| *sum += bin);
            }
        }
        let hours =
            hours.into_iter().map(|((facet, subject, hour), t)| HourRow::new(facet, subject, hour, &t));
        let days = days.into_iter().map(|((facet, day, subject), t)| DayRow::new(facet, subject, day, &t));
        Ok(Self {
            hours: hours.collect::<Result<_, _>>()?,
            days: days.collect::<Result<_, _>>()?,
            attempts: attempts.into_iter().map(AttemptsRow::from).collect(),
        })
    }
}

/// The rows of one of the two tables, and how they are added on each database.
macro_rules! table {
    ($table:ident $at:ident $row:ident $many:ident $one:ident $($column:ident)+) => {
        #[derive(Debug, Clone, Insertable)]
        #[diesel(table_name = $table)]
        struct $row {
            facet: &'static str,
            subject: String,
            $at: i64,
            $($column: i64,)+
            cost: Cost,
        }

        impl $row {
            fn new(facet: Facet, subject: &str, $at: i64, tally: &Tally) -> Result<Self, StoreError> {
                let Tally { $($column,)+ cost } = *tally;
                let cost = Cost::new(cost, "cost")?;
                Ok(Self { facet: facet.name(), subject: subject.to_owned(), $at, $($column,)+ cost })
            }
        }

        async fn $many(conn: &mut diesel_async::AsyncPgConnection, rows: &[$row]) -> QueryResult<()> {
            for rows in rows.chunks(ROWS_PER_STATEMENT) {
                let added = diesel::insert_into($table::table)
                    .values(rows)
                    .on_conflict(($table::facet, $table::subject, $table::$at))
                    .do_update()
                    .set((
                        $($table::$column.eq($table::$column + excluded($table::$column)),)+
                        $table::cost.eq(Plus::new($table::cost, excluded($table::cost))),
                    ));
                diesel_async::RunQueryDsl::execute(added, conn).await?;
            }
            Ok(())
        }

        /// Statements that are prepared once, unlike an insert with a clause behind it.
        fn $one(conn: &mut SqliteConnection, row: $row) -> QueryResult<()> {
            let known = $table::table
                .filter($table::facet.eq(row.facet))
                .filter($table::subject.eq(&row.subject))
                .filter($table::$at.eq(row.$at));
            let cost = diesel::expression::AsExpression::<Usd>::as_expression(row.cost);
            let added = diesel::update(known).set((
                $($table::$column.eq($table::$column + row.$column),)+
                $table::cost.eq(Plus::new($table::cost, cost)),
            ));
            if diesel::RunQueryDsl::execute(added, conn)? == 0 {
                diesel::RunQueryDsl::execute(diesel::insert_into($table::table).values(row), conn)?;
            }
            Ok(())
        }
    };
}
with_columns!(table usage_hours hour HourRow hours_many hour_each);
with_columns!(table usage_days day DayRow days_many day_each);

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = usage_attempts)]
struct AttemptsRow {
    provider_id: i64,
    hour: i64,
    outcome: &'static str,
    attempts: i64,
    firsts: i64,
    first_us: i64,
    first_100ms: i64,
    first_250ms: i64,
    first_500ms: i64,
    first_1000ms: i64,
    first_2000ms: i64,
    first_5000ms: i64,
    first_10000ms: i64,
    first_30000ms: i64,
}

impl From<((i64, i64, &'static str), Tried)> for AttemptsRow {
    fn from(((provider_id, hour, outcome), tried): ((i64, i64, &'static str), Tried)) -> Self {
        let Tried { attempts, firsts, first_us, bins } = tried;
        let [
            first_100ms,
            first_250ms,
            first_500ms,
            first_1000ms,
            first_2000ms,
            first_5000ms,
            first_10000ms,
            first_30000ms,
        ] = bins;
        Self {
            provider_id,
            hour,
            outcome,
            attempts,
            firsts,
            first_us,
            first_100ms,
            first_250ms,
            first_500ms,
            first_1000ms,
            first_2000ms,
            first_5000ms,
            first_10000ms,
            first_30000ms,
        }
    }
}

/// The statement that adds `$rows`, one or many, to the attempts.
macro_rules! add_attempts {
    ($rows:expr; $($column:ident)+) => {
        diesel::insert_into(usage_attempts::table)
            .values($rows)
            .on_conflict((usage_attempts::provider_id, usage_attempts::hour, usage_attempts::outcome))
            .do_update()
            .set(($(usage_attempts::$column.eq(usage_attempts::$column + excluded(usage_attempts::$column)),)+))
    };
    ($rows:expr) => {
        add_attempts!($rows; attempts firsts first_us first_100ms first_250ms first_500ms first_1000ms
            first_2000ms first_5000ms first_10000ms first_30000ms)
    };
}

/// Adds on PostgreSQL, within the caller's transaction.
pub(in crate::store) async fn tally_many(
    conn: &mut diesel_async::AsyncPgConnection,
    tallies: Tallies,
) -> QueryResult<()> {
    hours_many(conn, &tallies.hours).await?;
    days_many(conn, &tallies.days).await?;
    for rows in tallies.attempts.chunks(ROWS_PER_STATEMENT) {
        diesel_async::RunQueryDsl::execute(add_attempts!(rows), conn).await?;
    }
    Ok(())
}

/// Adds on SQLite, within the caller's transaction.
pub(in crate::store) fn tally_each(conn: &mut SqliteConnection, tallies: Tallies) -> QueryResult<()> {
    for row in tallies.hours {
        hour_each(conn, row)?;
    }
    for row in tallies.days {
        day_each(conn, row)?;
    }
    for row in &tallies.attempts {
        diesel::RunQueryDsl::execute(add_attempts!(row), conn)?;
    }
    Ok(())
}
