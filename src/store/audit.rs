//! The audit log: what operators did to the books by hand, newest first.
//!
//! Invariant: what changes a book and the line that tells of it are stored in one transaction.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde_json::Value;

use super::{
    Store,
    db::db,
    error::StoreError,
    ledger::EntryRow,
    page::{Cursor, Page},
    schema::{audit_log, ledger_entries},
    text::Clean,
    types::{At, Json},
};
use crate::journal::balances::{EntryKind, LedgerEntry};

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// By what right.
    pub who: String,
    /// What was done, such as `quota.reset`.
    pub action: &'static str,
    /// To what, such as `user/1`.
    pub subject: String,
    /// How it stood before; holds no secrets.
    pub before: Option<Value>,
    /// What it became; holds no secrets.
    pub after: Option<Value>,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The row.
    pub id: i64,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// By what right.
    pub who: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// How it stood before.
    pub before: Option<Value>,
    /// What it became.
    pub after: Option<Value>,
}

impl Store {
    /// Remembers resets and raises together with who did them.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an entry that changes balances, an amount or note that cannot be stored,
    /// or a database that does not answer; then nothing of it is remembered.
    pub async fn remember(&self, deed: Deed, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        if entries.iter().any(|entry| entry.kind == EntryKind::Correction) {
            return Err(StoreError::Refused("a correction must change the balances too".into()));
        }
        let entries: Vec<EntryRow> = entries.iter().map(EntryRow::new).collect::<Result<_, _>>()?;
        let line = NewRow::new(deed)?;
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                for entry in entries {
                    diesel::insert_into(ledger_entries::table).values(entry).execute(conn).await?;
                }
                diesel::insert_into(audit_log::table).values(line).execute(conn).await
            })
            .await?;
        })
    }

    /// What operators did, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_log(&self, after: Option<Cursor>, limit: usize) -> Result<Page<Audited>, StoreError> {
        let below = after.map_or(i64::MAX, |cursor| cursor.0);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            audit_log::table
                .filter(audit_log::id.lt(below))
                .order(audit_log::id.desc())
                .limit(Page::<Audited>::fetch(limit))
                .select(Row::as_select())
                .load(conn)
                .await?
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
}

#[derive(Insertable)]
#[diesel(table_name = audit_log)]
pub(super) struct NewRow {
    at: At,
    who: Clean,
    action: &'static str,
    subject: Clean,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
}

impl NewRow {
    pub(super) fn new(deed: Deed) -> Result<Self, StoreError> {
        Ok(Self {
            at: At::now(),
            who: Clean::cut(&deed.who, 200),
            action: deed.action,
            subject: Clean::whole(&deed.subject, 200, "subject")?,
            before: deed.before.map(Json),
            after: deed.after.map(Json),
        })
    }
}

impl From<Row> for Audited {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.0,
            who: row.who.into_string(),
            action: row.action.into_string(),
            subject: row.subject.into_string(),
            before: row.before.map(|Json(value)| value),
            after: row.after.map(|Json(value)| value),
        }
    }
}
