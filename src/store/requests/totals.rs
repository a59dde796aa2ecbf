//! What the requests that a filter lets through came to, without reading each of them where that can be helped.
//!
//! Of one user, key, provider, model, client, wire format or operation, or of all, whole hours are read from the sums that are kept
//! beside the log and only the ends of the span from rows. Of those that went well, what is read is the
//! others, which are few. What is left is read from rows by their index.
//!
//! A sum counts a request in the minute of its admission, up to an hour after it began, which is what a filter
//! goes by. The ends are cut so that the total is that of the rows all the same.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::filter::{RequestClass, RequestFilter, USUAL, narrowed};
use super::rows::NAME_BYTES;
use crate::store::{
    Facet, Store, Tally, UsageAsk, UsageOf,
    db::db,
    error::StoreError,
    schema::requests,
    text::Clean,
    types::{At, Cost, Usd},
    usage::FAILED,
};

const HOUR: i64 = 3_600;
/// Another status than the usual one, and that the index of the unusual holds it.
const ANOTHER_STATUS: &str = "status <> 200 AND (status <> 200 OR ending <> 'complete')";

/// What a filter cannot say.
#[derive(Debug, Clone, Default)]
struct Beyond {
    /// Admitted in these minutes.
    minutes: Option<Range<i64>>,
    /// A condition of ours.
    condition: Option<&'static str>,
}

impl Store {
    /// What the requests that match `filter` came to: how many, their tokens and their cost. Spans are left out.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn request_totals(&self, filter: RequestFilter) -> Result<Tally, StoreError> {
        let few = filter.has_sums();
        match (filter.class, filter.status, filter.not_status) {
            (Some(RequestClass::Ok), None, None) if few => {
                let of = |class| RequestFilter { class, ..filter.clone() };
                let all = self.plain_totals(of(None)).await?;
                let error = self.row_totals(of(Some(RequestClass::Error)), Beyond::default()).await?;
                let left = self.row_totals(of(Some(RequestClass::Left)), Beyond::default()).await?;
                Ok(all.without(&error).without(&left))
            }
            (None, Some(USUAL), None) if few => {
                let any = RequestFilter { status: None, ..filter };
                let others = Beyond { condition: Some(ANOTHER_STATUS), ..Beyond::default() };
                let others = self.row_totals(any.clone(), others).await?;
                Ok(self.plain_totals(any).await?.without(&others))
            }
            (None, None, Some(status)) if few && status != USUAL => {
                let any = RequestFilter { not_status: None, ..filter };
                let of_it = RequestFilter { status: Some(status), ..any.clone() };
                let of_it = self.row_totals(of_it, Beyond::default()).await?;
                Ok(self.plain_totals(any).await?.without(&of_it))
            }
            _ => self.plain_totals(filter).await,
        }
    }

    async fn plain_totals(&self, filter: RequestFilter) -> Result<Tally, StoreError> {
        let Some((by, of)) = one_facet(&filter) else {
            return self.row_totals(filter, Beyond::default()).await;
        };
        let hours = whole_hours(filter.from, filter.to, Utc::now());
        let (Some(begin), Some(end)) = (instant(hours.start), instant(hours.end)) else {
            return self.row_totals(filter, Beyond::default()).await;
        };
        if hours.is_empty() {
            return self.row_totals(filter, Beyond::default()).await;
        }
        let minutes = hours.start * 60..hours.end * 60;
        let ask = UsageAsk { by, of, periods: vec![minutes.clone()], subjects: None };
        let mut total = Tally::default();
        let tried = filter.min_attempts == Some(1);
        for line in self.usage(ask).await?.iter().filter(|line| !tried || !line.subject.is_empty()) {
            total.add(&line.tally);
        }
        if filter.from.is_some() {
            let head = RequestFilter { to: Some(begin), ..filter.clone() };
            let before = Beyond { minutes: Some(i64::MIN..minutes.start), ..Beyond::default() };
            total.add(&self.row_totals(head, before).await?);
        }
        let tail = RequestFilter { from: Some(end - TimeDelta::hours(1)), ..filter };
        let behind = Beyond { minutes: Some(minutes.end..i64::MAX), ..Beyond::default() };
        total.add(&self.row_totals(tail, behind).await?);
        Ok(total)
    }

    async fn row_totals(&self, filter: RequestFilter, beyond: Beyond) -> Result<Tally, StoreError> {
        type Sums = (i64, i64, i64, i64, i64, i64, i64, Cost);
        let client = self.client_column();
        let (requests, errors, input, cache_read, cache_write, output, reasoning, cost): Sums = db!(self.engine(), read, conn => {
            use diesel::{dsl::sql, sql_types::{BigInt, Bool}};
            let sum = |of: &str| sql::<BigInt>(&format!("CAST(COALESCE(SUM({of}), 0) AS bigint)"));
            let sums = requests::table.select((
                sql::<BigInt>("COUNT(*)"),
                sum(&format!("CASE WHEN {} THEN 1 ELSE 0 END", FAILED.replace("r.", ""))),
                sum("input_tokens"),
                sum("cache_read_tokens"),
                sum("cache_write_5m_tokens + cache_write_1h_tokens"),
                sum("output_tokens"),
                sum("reasoning_tokens"),
                sql::<Usd>("COALESCE(SUM(cost), 0)"),
            ));
            let mut query = narrowed!(sums.into_boxed(), filter, client);
            if let Some(minutes) = beyond.minutes {
                query = query.filter(requests::minute.ge(minutes.start)).filter(requests::minute.lt(minutes.end));
            }
            if let Some(condition) = beyond.condition {
                query = query.filter(sql::<Bool>(condition));
            }
            query.get_result(conn).await?
        })?;
        Ok(Tally {
            requests,
            errors,
            input_tokens: input,
            cache_read_tokens: cache_read,
            cache_write_tokens: cache_write,
            output_tokens: output,
            reasoning_tokens: reasoning,
            cost: cost.pico(),
            ..Tally::default()
        })
    }
}

impl RequestFilter {
    /// Whether it asks for nothing, besides class and statuses, that sums don't tell apart.
    const fn has_sums(&self) -> bool {
        self.session.is_none() && self.min_cost.is_none() && matches!(self.min_attempts, None | Some(0 | 1))
    }
}

/// The facet that the filter is about, if sums by one facet can answer it; of all requests that of providers, who
/// are few.
fn one_facet(filter: &RequestFilter) -> Option<(Facet, UsageOf)> {
    let plain =
        filter.status.is_none() && filter.not_status.is_none() && filter.class.is_none() && filter.has_sums();
    let of = UsageOf {
        user: filter.user_id.map(|id| id.0),
        key: filter.key_id.map(|id| id.0),
        provider: filter.provider_id.map(|id| id.0),
        model: filter.model.clone(),
        client: filter.client.clone(),
        format: filter.format,
        operation: filter.operation,
    };
    let named = [
        (Facet::User, of.user.is_some()),
        (Facet::Key, of.key.is_some()),
        (Facet::Provider, of.provider.is_some()),
        (Facet::Model, of.model.is_some()),
        (Facet::Client, of.client.is_some()),
        (Facet::WireFormat, of.format.is_some()),
        (Facet::Operation, of.operation.is_some()),
    ];
    let mut named = named.into_iter().filter(|(_, is_named)| *is_named).map(|(facet, _)| facet);
    let by = named.next().unwrap_or(Facet::Provider);
    // Whether a provider was tried is told by sums of providers alone.
    let told = filter.min_attempts != Some(1) || by == Facet::Provider;
    (plain && told && named.next().is_none()).then_some((by, of))
}

/// The whole hours since 1970 in which every request was admitted that began in this span, and no other.
fn whole_hours(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Range<i64> {
    // What began in the hour before may have been admitted in this one.
    let first = from.map_or(0, |from| from.timestamp().div_euclid(HOUR) + 2);
    let last = to.map_or(now, |to| to.min(now)).timestamp().div_euclid(HOUR);
    first..last
}

fn instant(hour: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(hour.checked_mul(HOUR)?, 0)
}
