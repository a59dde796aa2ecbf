//! What became of attempts at providers, in periods of full hours.

use std::ops::Range;

use actors::{ids::ProviderId, provider::outcome::Outcome};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::tally::{FIRST_MS, quantile};
use crate::store::{Store, db::db, error::StoreError, schema::usage_attempts};

/// A question about attempts.
#[derive(Debug, Clone)]
pub struct AttemptsAsk {
    /// At which provider; none for all of them.
    pub provider: Option<ProviderId>,
    /// When: hours since 1970 in UTC.
    pub hours: Range<i64>,
}

/// What became of attempts of one provider, hour and outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLine {
    /// At whom.
    pub provider: ProviderId,
    /// When.
    pub hour: i64,
    /// What became of them.
    pub outcome: Outcome,
    /// How many.
    pub attempts: i64,
    /// How many had a first frame, and how long those waited for it.
    pub firsts: Firsts,
}

/// How long attempts waited for their first meaningful frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Firsts {
    count: i64,
    micros: i64,
    bins: [i64; 8],
}

impl Firsts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.micros = self.micros.saturating_add(other.micros);
        self.bins.iter_mut().zip(other.bins).for_each(|(sum, bin)| *sum += bin);
    }

    /// The wait, in milliseconds, that a share of them did not exceed, about.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        quantile(&FIRST_MS, self.bins, self.count, share)
    }
}

#[derive(Queryable)]
struct Row {
    provider: i64,
    hour: i64,
    outcome: String,
    attempts: i64,
    count: i64,
    micros: i64,
    bins: (i64, i64, i64, i64, i64, i64, i64, i64),
}

impl Store {
    /// What became of attempts, by provider, hour and outcome.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn attempts(&self, ask: AttemptsAsk) -> Result<Vec<AttemptLine>, StoreError> {
        use usage_attempts as kept;
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query = kept::table
                .filter(kept::hour.ge(ask.hours.start))
                .filter(kept::hour.lt(ask.hours.end))
                .into_boxed();
            if let Some(ProviderId(id)) = ask.provider {
                query = query.filter(kept::provider_id.eq(id));
            }
            query
                .select((
                    kept::provider_id,
                    kept::hour,
                    kept::outcome,
                    kept::attempts,
                    kept::firsts,
                    kept::first_us,
                    (
                        kept::first_100ms,
                        kept::first_250ms,
                        kept::first_500ms,
                        kept::first_1000ms,
                        kept::first_2000ms,
                        kept::first_5000ms,
                        kept::first_10000ms,
                        kept::first_30000ms,
                    ),
                ))
                .order((kept::provider_id, kept::hour, kept::outcome))
                .load(conn)
                .await?
        })?;
        let lines = rows.into_iter().map(|row| {
            let outcome = Outcome::from_name(&row.outcome)
                .ok_or_else(|| StoreError::Corrupt(format!("usage_attempts.outcome `{}`", row.outcome)))?;
            let (a, b, c, d, e, f, g, h) = row.bins;
            let firsts = Firsts { count: row.count, micros: row.micros, bins: [a, b, c, d, e, f, g, h] };
            let (provider, hour, attempts) = (ProviderId(row.provider), row.hour, row.attempts);
            Ok(AttemptLine { provider, hour, outcome, attempts, firsts })
        });
        lines.collect()
    }
}
