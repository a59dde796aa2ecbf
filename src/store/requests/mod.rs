//! The request log: rows are added in groups, each at most once, and never changed.

mod insert;
mod rows;

use std::str::FromStr;

use actors::ids::{KeyId, ProviderId, RequestId, UserId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use self::rows::{AttemptRow, NAME_BYTES, Row};
use super::{
    Store,
    db::db,
    error::StoreError,
    page::Page,
    schema::{attempts, requests},
    text::Clean,
    types::{At, Id},
};
use crate::journal::record::Record;

/// Which requests to list; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Whose.
    pub user_id: Option<UserId>,
    /// With which key.
    pub key_id: Option<KeyId>,
    /// Answered by which provider.
    pub provider_id: Option<ProviderId>,
    /// For which model.
    pub model: Option<String>,
    /// With which status.
    pub status: Option<u16>,
    /// Of which conversation.
    pub session: Option<String>,
    /// Begun at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Begun before this instant.
    pub to: Option<DateTime<Utc>>,
}

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
        let (rows, tries): (Vec<Row>, Vec<AttemptRow>) = db!(self.engine(), read, conn => {
            let mut query = requests::table.select(Row::as_select()).into_boxed();
            if let Some(UserId(id)) = filter.user_id {
                query = query.filter(requests::user_id.eq(id));
            }
            if let Some(KeyId(id)) = filter.key_id {
                query = query.filter(requests::key_id.eq(id));
            }
            if let Some(ProviderId(id)) = filter.provider_id {
                query = query.filter(requests::provider_id.eq(id));
            }
            if let Some(model) = filter.model {
                query = query.filter(requests::model.eq(Clean::cut(&model, NAME_BYTES)));
            }
            if let Some(status) = filter.status {
                query = query.filter(requests::status.eq(i32::from(status)));
            }
            if let Some(session) = filter.session {
                query = query.filter(requests::session.eq(Clean::cut(&session, NAME_BYTES)));
            }
            if let Some(from) = filter.from {
                query = query.filter(requests::started_at.ge(At(from)));
            }
            if let Some(to) = filter.to {
                query = query.filter(requests::started_at.lt(At(to)));
            }
            if let Some(RequestCursor { started_at, id }) = after {
                // The first condition follows from the second; it is the one an index can use.
                let at = At(started_at);
                query = query.filter(requests::started_at.le(at)).filter(
                    requests::started_at.lt(at).or(requests::id.lt(Id(id))),
                );
            }
            let rows: Vec<Row> = query
                .order((requests::started_at.desc(), requests::id.desc()))
                .limit(Page::<Record>::fetch(limit))
                .load(conn)
                .await?;
            let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
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
