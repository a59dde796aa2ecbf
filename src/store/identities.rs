//! Identities: who of those that a provider knows is which user (C-19).
//!
//! A provider's `issuer` and its `subject` together name somebody for ever; a name or an address for mail may be
//! another's tomorrow, so nobody is known by one. What rests on an identity ends in the transaction that takes
//! it away.

use actors::ids::UserId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::Serialize;

use super::{
    NewUser, Store, User, Way,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::{console_sessions, spent_tickets, user_identities, users},
    text::Clean,
    types::At,
    users::{NewRow, Row as UserRow, subject as user_subject},
};
use crate::secrets::digest::Digest;

/// The most bytes of an issuer, and of a subject.
const MOST_BYTES: usize = 1_020;

/// Somebody whom a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The row.
    pub id: i64,
    /// Which user that is.
    pub user: UserId,
    /// The provider.
    pub issuer: String,
    /// What the provider calls somebody.
    pub subject: String,
    /// When it was linked.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// The user whom the provider calls so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_known_as(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError> {
        // Who is called longer than anything that is stored is nobody.
        let fit = |text: &str, field| Clean::whole(text, MOST_BYTES, field);
        let (Ok(issuer), Ok(subject)) = (fit(issuer, "issuer"), fit(subject, "subject")) else {
            return Ok(None);
        };
        let row: Option<UserRow> = db!(self.engine(), read, conn => {
            user_identities::table
                .inner_join(users::table)
                .filter(user_identities::issuer.eq(issuer))
                .filter(user_identities::subject.eq(subject))
                .select(UserRow::as_select())
                .first(conn)
                .await
                .optional()?
        })?;
        row.map(User::try_from).transpose()
    }

    /// Has a user be known by what the provider calls somebody.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such user, [`StoreError::Conflict`] when a user is known so.
    pub async fn link_identity(
        &self,
        user: UserId,
        issuer: &str,
        subject: &str,
    ) -> Result<Identity, StoreError> {
        let (author, new) = (self.author(), New::of(user.0, issuer, subject)?);
        let stored = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let made: Row = diesel::insert_into(user_identities::table)
                    .values(new)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "identity.link", user_subject(made.user_id), NOTHING, Some(&made));
                Ok::<_, StoreError>(made)
            })
            .await?
        });
        match stored {
            Err(StoreError::NotFound { .. }) => Err(StoreError::NotFound { what: "user" }),
            stored => stored.map(Identity::from),
        }
    }

    /// Makes a user who is known so from the beginning.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken, or a user is known so.
    pub async fn create_user_known_as(
        &self,
        new: NewUser,
        issuer: &str,
        subject: &str,
    ) -> Result<User, StoreError> {
        let (author, row, identity) = (self.author(), NewRow::new(new)?, New::of(0, issuer, subject)?);
        let row: UserRow = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let made: UserRow = diesel::insert_into(users::table)
                    .values(row)
                    .returning(UserRow::as_returning())
                    .get_result(conn)
                    .await?;
                let identity: Row = diesel::insert_into(user_identities::table)
                    .values(New { user_id: made.id, ..identity })
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author.clone(), "user.create", user_subject(made.id), NOTHING, Some(&made));
                tell!(conn, author, "identity.link", user_subject(made.id), NOTHING, Some(&identity));
                Ok::<_, StoreError>(made)
            })
            .await?
        })?;
        row.try_into()
    }

    /// What a user is known by, in the order in which it was linked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn identities(
        &self,
        user: UserId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Identity>, StoreError> {
        let after = after.map_or(0, |cursor| cursor.0);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            user_identities::table
                .filter(user_identities::user_id.eq(user.0))
                .filter(user_identities::id.gt(after))
                .order(user_identities::id)
                .limit(Page::<Identity>::fetch(limit))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        Page::new(rows, limit, |row| Cursor(row.id)).try_map(|row| Ok(row.into()))
    }

    /// Has nobody be known so any more. The user's sessions end that rest on an identity.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn unlink_identity(&self, id: i64) -> Result<(), StoreError> {
        let author = self.author();
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let gone: Option<Row> = diesel::delete(user_identities::table.find(id))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await
                    .optional()?;
                let gone = gone.ok_or(StoreError::NotFound { what: "identity" })?;
                let by_it = console_sessions::table
                    .filter(console_sessions::user_id.eq(gone.user_id))
                    .filter(console_sessions::way.eq_any(Way::ELSEWHERE.map(Way::name)));
                diesel::delete(by_it).execute(conn).await?;
                tell!(conn, author, "identity.unlink", user_subject(gone.user_id), Some(&gone), NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// Takes the ticket of a sign-in, which counts until then; no if it was taken before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn spend_ticket(&self, digest: Digest, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let now = At::now();
        let new: usize = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let over = spent_tickets::table.filter(spent_tickets::expires_at.lt(now));
                diesel::delete(over).execute(conn).await?;
                diesel::insert_into(spent_tickets::table)
                    .values((
                        spent_tickets::digest.eq(digest.as_bytes().to_vec()),
                        spent_tickets::expires_at.eq(At(until)),
                    ))
                    .on_conflict_do_nothing()
                    .execute(conn)
                    .await
            })
            .await?
        })?;
        Ok(new == 1)
    }
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = user_identities)]
struct Row {
    id: i64,
    user_id: i64,
    issuer: Clean,
    subject: Clean,
    created_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = user_identities)]
struct New {
    user_id: i64,
    issuer: Clean,
    subject: Clean,
    created_at: At,
}

impl New {
    fn of(user_id: i64, issuer: &str, subject: &str) -> Result<Self, StoreError> {
        Ok(Self {
            user_id,
            issuer: Clean::whole(issuer, MOST_BYTES, "issuer")?,
            subject: Clean::whole(subject, MOST_BYTES, "subject")?,
            created_at: At::now(),
        })
    }
}

impl From<Row> for Identity {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user: UserId(row.user_id),
            issuer: row.issuer.into_string(),
            subject: row.subject.into_string(),
            created_at: row.created_at.0,
        }
    }
}
