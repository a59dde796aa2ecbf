//! The request log: rows are added in groups, each at most once, and never changed.

mod choices;
mod filter;
mod insert;
mod rows;
mod totals;

use std::str::FromStr;

use actors::ids::RequestId;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

pub use self::{
    choices::Choices,
    filter::{RequestClass, RequestFilter},
};
use self::{
    filter::narrowed,
    rows::{AttemptRow, NAME_BYTES, Row},
};
use super::{
    Store,
    db::db,
    error::StoreError,
    page::Page,
    schema::{attempts, requests},
    text::Clean,
    types::{At, Cost, Id},
};
use crate::journal::record::Record;

/// The place behind a request in the log, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCursor {
    started_at: DateTime<Utc>,
    id: RequestId,
}

impl std::fmt::Display for RequestCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.started_at.timestamp_micros(), self.id)
    }
}

impl FromStr for RequestCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let parsed = text.split_once('.').and_then(|(micros, id)| {
            let started_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            Some(Self { started_at, id: RequestId(id.parse().ok()?) })
        });
        parsed.ok_or_else(|| StoreError::invalid("cursor", "is not one of ours"))
    }
}

impl Store {
    /// Requests that match `filter`, newest first, each with its attempts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestCursor>,
        limit: usize,
    ) -> Result<Page<Record, RequestCursor>, StoreError> {
        let client = self.client_column();
        // Always a bound on the time, be it one that lets all through: with it SQLite walks the log by time, and
        // finds the page at once, where a condition looks rare to it that is not; without it, it sorts the whole
        // log. And only one: of two it takes the first, and a page far down would be walked to from the top.
        let ages_hence = DateTime::from_timestamp(253_402_300_799, 0);
        let down_to = after.map_or(ages_hence, |cursor| Some(cursor.started_at + TimeDelta::microseconds(1)));
        let to = filter.to.into_iter().chain(down_to).min();
        let filter = RequestFilter { to, ..filter };
        let (rows, tries): (Vec<Row>, Vec<AttemptRow>) = db!(self.engine(), read, conn => {
            // Which ones first: that an index can tell, and rows are read of the page alone.
            let mut query = narrowed!(requests::table.select(requests::id).into_boxed(), filter, client);
            if let Some(RequestCursor { started_at, id }) = after {
                query = query.filter(requests::started_at.lt(At(started_at)).or(requests::id.lt(Id(id))));
            }
            let latest_first = (requests::started_at.desc(), requests::id.desc());
            let ids: Vec<Id> =
                query.order(latest_first).limit(Page::<Record>::fetch(limit)).load(conn).await?;
            let rows: Vec<Row> = requests::table
                .filter(requests::id.eq_any(&ids))
                .order(latest_first)
                .select(Row::as_select())
                .load(conn)
                .await?;
            let tries = attempts::table
                .filter(attempts::request_id.eq_any(ids))
                .order((attempts::request_id, attempts::ordinal))
                .select(AttemptRow::as_select())
                .load(conn)
                .await?;
            (rows, tries)
        })?;
        let cursor = |row: &Row| RequestCursor { started_at: row.started_at.0, id: row.id.0 };
        let page = Page::new(rows, limit, cursor);
        page.try_map(|row| {
            let own = tries.iter().filter(|attempt| attempt.request_id == row.id);
            let own = own.map(AttemptRow::to_attempt).collect::<Result<_, _>>()?;
            row.into_record(own)
        })
    }

    /// One request with its attempts.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id.
    pub async fn request(&self, id: RequestId) -> Result<Record, StoreError> {
        let id = Id(id);
        let (row, tries): (Option<Row>, Vec<AttemptRow>) = db!(self.engine(), read, conn => {
            let row = requests::table.find(id).select(Row::as_select()).first(conn).await.optional()?;
            let tries = attempts::table
                .filter(attempts::request_id.eq(id))
                .order(attempts::ordinal)
                .select(AttemptRow::as_select())
                .load(conn)
                .await?;
            (row, tries)
        })?;
        let row = row.ok_or(StoreError::NotFound { what: "request" })?;
        row.into_record(tries.iter().map(AttemptRow::to_attempt).collect::<Result<_, _>>()?)
    }
}
