//! The audit log, read.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::store::{
    Store,
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::audit_log,
    text::Clean,
    types::{At, Json},
};

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The row.
    pub id: i64,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// By what right.
    pub who: String,
    /// Where that one was, as far as it is known.
    pub address: Option<IpAddr>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// How it stood before.
    pub before: Option<Value>,
    /// What it became.
    pub after: Option<Value>,
    /// The batch it was a part of.
    pub batch: Option<i64>,
}

/// Which lines to list; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom.
    pub who: Option<String>,
    /// What was done, such as `user.update`.
    pub action: Option<String>,
    /// To what, such as `user/1`.
    pub subject: Option<String>,
    /// As a part of which batch.
    pub batch: Option<i64>,
    /// At this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

impl Store {
    /// What was done that matches `filter`, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_log(
        &self,
        filter: AuditFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Audited>, StoreError> {
        let below = after.map_or(i64::MAX, |cursor| cursor.0);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query =
                audit_log::table.filter(audit_log::id.lt(below)).select(Row::as_select()).into_boxed();
            if let Some(who) = filter.who {
                query = query.filter(audit_log::who.eq(Clean::cut(&who, 200)));
            }
            if let Some(action) = filter.action {
                query = query.filter(audit_log::action.eq(Clean::cut(&action, 200)));
            }
            if let Some(subject) = filter.subject {
                query = query.filter(audit_log::subject.eq(Clean::cut(&subject, 400)));
            }
            if let Some(batch) = filter.batch {
                query = query.filter(audit_log::batch.eq(batch));
            }
            if let Some(from) = filter.from {
                query = query.filter(audit_log::at.ge(At(from)));
            }
            if let Some(to) = filter.to {
                query = query.filter(audit_log::at.lt(At(to)));
            }
            query.order(audit_log::id.desc()).limit(Page::<Audited>::fetch(limit)).load(conn).await?
        })?;
        let page = Page::new(rows, limit, |row| Cursor(row.id));
        Ok(Page { items: page.items.into_iter().map(Audited::from).collect(), next: page.next })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct Row {
    id: i64,
    at: At,
    who: Clean,
    action: Clean,
    subject: Clean,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
    address: Option<Clean>,
    batch: Option<i64>,
}

impl From<Row> for Audited {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.0,
            who: row.who.into_string(),
            address: row.address.and_then(|address| address.as_str().parse().ok()),
            action: row.action.into_string(),
            subject: row.subject.into_string(),
            before: row.before.map(|Json(value)| value),
            after: row.after.map(|Json(value)| value),
            batch: row.batch,
        }
    }
}
