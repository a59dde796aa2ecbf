//! The audit log: what was changed through the admin API and what was refused there, newest first.
//!
//! Whoever changes something signs: the functions of a [`Store::signed`] store write a line with each change,
//! which tells the row before and after, without its secrets (C-26).
//!
//! Invariant: what changes a row or a book and the line that tells of it are stored in one transaction.

mod ask;

use std::{net::IpAddr, sync::Arc};

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

pub use self::ask::{AuditFilter, Audited};
use super::{
    Store,
    db::db,
    error::StoreError,
    ledger::EntryRow,
    schema::{audit_log, ledger_entries},
    text::Clean,
    types::{At, Json},
};
use crate::journal::balances::{EntryKind, LedgerEntry};

/// Who is behind a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// By what right.
    pub who: Arc<str>,
    /// Where that one is, as far as it is known.
    pub address: Option<IpAddr>,
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who did it.
    pub author: Author,
    /// What was done, such as `quota.reset`.
    pub action: &'static str,
    /// To what, such as `user/1`.
    pub subject: String,
    /// How it stood before; holds no secrets.
    pub before: Option<Value>,
    /// What it became; holds no secrets.
    pub after: Option<Value>,
}

/// The action of a line that tells of a refusal. Of these the newest are kept.
pub const REFUSED: &str = "access.refused";
/// How many of them.
const REFUSALS_KEPT: i64 = 10_000;

impl Store {
    /// The same store, whose changes are told to be this one's.
    #[must_use]
    pub fn signed(&self, author: Author) -> Self {
        Self { author: Some(author), ..self.clone() }
    }

    /// Remembers what was done where no row of this store tells it, and resets and raises with it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an entry that changes balances, an amount or note that cannot be stored,
    /// or a database that does not answer; then nothing of it is remembered.
    pub async fn remember(&self, deed: Deed, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        if entries.iter().any(|entry| entry.kind == EntryKind::Correction) {
            return Err(StoreError::Refused("a correction must change the balances too".into()));
        }
        let entries: Vec<EntryRow> = entries.iter().map(EntryRow::new).collect::<Result<_, _>>()?;
        let line = Line::new(deed)?;
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

    /// Remembers that somebody was refused. Of such lines the newest 10,000 are kept, so that whoever knocks
    /// all day fills no disk.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remember_refusal(&self, deed: Deed) -> Result<(), StoreError> {
        let line = Line::new(Deed { action: REFUSED, ..deed })?;
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                diesel::insert_into(audit_log::table).values(line).execute(conn).await?;
                let oldest: Option<i64> = audit_log::table
                    .filter(audit_log::action.eq(REFUSED))
                    .order(audit_log::id.desc())
                    .offset(REFUSALS_KEPT)
                    .select(audit_log::id)
                    .first(conn)
                    .await
                    .optional()?;
                if let Some(oldest) = oldest {
                    let surplus = audit_log::table
                        .filter(audit_log::action.eq(REFUSED))
                        .filter(audit_log::id.le(oldest));
                    diesel::delete(surplus).execute(conn).await?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// Who is behind what is asked of this store.
    pub(super) fn author(&self) -> Option<Author> {
        self.author.clone()
    }
}

/// A line to be written.
#[derive(Insertable)]
#[diesel(table_name = audit_log)]
pub(super) struct Line {
    at: At,
    who: Clean,
    action: &'static str,
    subject: Clean,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
    address: Option<String>,
    batch: Option<i64>,
}

impl Line {
    pub(super) fn new(deed: Deed) -> Result<Self, StoreError> {
        Ok(Self {
            at: At::now(),
            who: Clean::cut(&deed.author.who, 200),
            action: deed.action,
            subject: Clean::whole(&deed.subject, 400, "subject")?,
            before: deed.before.map(Json),
            after: deed.after.map(Json),
            address: deed.author.address.map(|address| address.to_string()),
            batch: None,
        })
    }

    /// The same as one of a batch.
    pub(super) fn of_batch(self, batch: i64) -> Self {
        Self { batch: Some(batch), ..self }
    }

    /// The line of a change of rows, where somebody is behind it.
    pub(super) fn of(
        author: Option<Author>,
        action: &'static str,
        subject: String,
        before: Option<&impl Serialize>,
        after: Option<&impl Serialize>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(author) = author else { return Ok(None) };
        let (before, after) = (before.map(told).transpose()?, after.map(told).transpose()?);
        Self::new(Deed { author, action, subject, before, after }).map(Some)
    }
}

/// A row as a document.
fn told(row: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(row).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Nothing, where a row is made or goes.
pub(super) const NOTHING: Option<&()> = None;

/// Writes the line of a change in the transaction that makes it:
///
/// ```text
/// tell!(conn, author, "user.update", format!("user/{id}"), Some(&before), Some(&after));
/// ```
macro_rules! tell {
    ($conn:ident, $author:expr, $action:expr, $subject:expr, $before:expr, $after:expr) => {
        if let Some(line) = $crate::store::audit::Line::of($author, $action, $subject, $before, $after)? {
            diesel::insert_into($crate::store::schema::audit_log::table).values(line).execute($conn).await?;
        }
    };
    ($conn:ident, $author:expr, $action:expr, $subject:expr, $before:expr, $after:expr, batch $batch:expr) => {
        if let Some(line) = $crate::store::audit::Line::of($author, $action, $subject, $before, $after)? {
            let line = line.of_batch($batch);
            diesel::insert_into($crate::store::schema::audit_log::table).values(line).execute($conn).await?;
        }
    };
}
pub(super) use tell;
