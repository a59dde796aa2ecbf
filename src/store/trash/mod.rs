//! What was deleted, for as long as it can be restored.
//!
//! A deleted row leaves its table and stands here as a document, with all that goes with it. So nobody who
//! reads the tables can forget to leave it out: its name is free, its keys are known to nobody (I-41). It comes
//! back under its own number, by which requests and balances still know it.

mod keys;
mod providers;
mod users;

pub(super) use self::{
    keys::Kept as KeptKey,
    providers::{Document as DeletedProvider, Kept as KeptProvider},
    users::Kept as KeptUser,
};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::Serialize;

use super::{
    Store,
    audit::{Author, NOTHING, tell},
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::trash,
    text::Clean,
    types::{At, Json},
};

/// How long it can be restored.
const KEPT: TimeDelta = TimeDelta::days(30);

/// What can be deleted and restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrashKind {
    /// A user with all keys.
    User,
    /// An api key.
    Key,
    /// A provider with its prices.
    Provider,
}

impl TrashKind {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Key, Self::Provider];

    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Provider => "provider",
        }
    }

    const fn purge(self) -> &'static str {
        match self {
            Self::User => "user.purge",
            Self::Key => "key.purge",
            Self::Provider => "provider.purge",
        }
    }
}

/// Something that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// What it was.
    pub kind: String,
    /// The number it had.
    pub id: i64,
    /// The name it had.
    pub name: String,
    /// By what right it was deleted.
    pub who: Option<String>,
    /// When.
    pub deleted_at: DateTime<Utc>,
    /// From then on it cannot be restored.
    pub kept_until: DateTime<Utc>,
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "deleted row" };

impl Store {
    /// What was deleted, the latest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trash(
        &self,
        kind: Option<TrashKind>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Trashed>, StoreError> {
        let below = after.map_or(i64::MAX, |cursor| cursor.0);
        let oldest = At(At::now().0 - KEPT);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query = trash::table
                .filter(trash::id.lt(below))
                .filter(trash::deleted_at.ge(oldest))
                .select(Row::as_select())
                .into_boxed();
            if let Some(kind) = kind {
                query = query.filter(trash::kind.eq(kind.name()));
            }
            query.order(trash::id.desc()).limit(Page::<Trashed>::fetch(limit)).load(conn).await?
        })?;
        let page = Page::new(rows, limit, |row| Cursor(row.id));
        Ok(Page { items: page.items.into_iter().map(Trashed::from).collect(), next: page.next })
    }

    /// Forgets something that was deleted, for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not there.
    pub async fn purge(&self, kind: TrashKind, id: i64) -> Result<(), StoreError> {
        let author = self.author();
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let row = trash::table.filter(trash::kind.eq(kind.name())).filter(trash::row_id.eq(id));
                let gone: usize = diesel::delete(row).execute(conn).await?;
                if gone == 0 {
                    return Err(NOT_FOUND);
                }
                tell!(conn, author, kind.purge(), format!("{}/{id}", kind.name()), NOTHING, NOTHING);
                Ok(())
            })
            .await?;
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = trash)]
struct Row {
    id: i64,
    kind: Clean,
    row_id: i64,
    name: Clean,
    who: Option<Clean>,
    deleted_at: At,
}

impl From<Row> for Trashed {
    fn from(row: Row) -> Self {
        Self {
            kind: row.kind.into_string(),
            id: row.row_id,
            name: row.name.into_string(),
            who: row.who.map(Clean::into_string),
            deleted_at: row.deleted_at.0,
            kept_until: row.deleted_at.0 + KEPT,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = trash)]
struct NewRow<T: Serialize + std::fmt::Debug> {
    kind: &'static str,
    row_id: i64,
    name: Clean,
    document: Json<T>,
    who: Option<Clean>,
    deleted_at: At,
}

impl<T: Serialize + std::fmt::Debug> NewRow<T> {
    fn new(kind: TrashKind, row_id: i64, name: &Clean, document: T, author: Option<&Author>) -> Self {
        let who = author.map(|author| Clean::cut(&author.who, 200));
        Self {
            kind: kind.name(),
            row_id,
            name: name.clone(),
            document: Json(document),
            who,
            deleted_at: At::now(),
        }
    }
}

/// Puts a row away, in the transaction that deletes it, and forgets what has been here for too long.
macro_rules! put_away {
    ($conn:ident, $row:expr) => {
        let row = $row;
        let too_old = trash::deleted_at.lt(At(row.deleted_at.0 - KEPT));
        diesel::delete(trash::table.filter(too_old)).execute($conn).await?;
        diesel::insert_into(trash::table).values(row).execute($conn).await?;
    };
}
use put_away;

/// Takes out what was put away.
macro_rules! take_out {
    ($conn:ident, $kind:expr, $id:expr) => {{
        let kept = trash::table
            .filter(trash::kind.eq($kind.name()))
            .filter(trash::row_id.eq($id))
            .filter(trash::deleted_at.ge(At(At::now().0 - KEPT)));
        let found = diesel::delete(kept).returning(trash::document).get_result($conn).await.optional()?;
        let Json(document) = found.ok_or(NOT_FOUND)?;
        document
    }};
}
use take_out;
