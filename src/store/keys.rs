//! Api keys: their digests and whom they belong to. The keys themselves are never stored (C-02).

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::Limits,
    restrictions::Restrictions,
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::Serialize;

use super::{
    Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    limits::LimitsDoc,
    lists::{By, Rank, Ranked},
    restrictions::RestrictionsDoc,
    schema::api_keys,
    text::Clean,
    types::{At, Json},
};
use crate::secrets::digest::NewApiKey;

/// One api key, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The row.
    pub id: KeyId,
    /// Grows with every change of the row.
    pub version: i64,
    /// Whose it is.
    pub user_id: UserId,
    /// What the operator calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// Its last four characters.
    pub last_four: String,
    /// Decides which providers may be used; none means the user's groups.
    pub groups: Vec<String>,
    /// What bounds this key alone; what is unset comes from its user.
    pub limits: Limits,
    /// What may be asked for with it, and with which programs; its user's restrictions hold as well.
    pub restrictions: Restrictions,
    /// From then on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is accepted at all.
    pub enabled: bool,
    /// Whether it may log in to the console.
    pub web_login: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
    /// Until then the secret before the last rotation is accepted too.
    pub old_until: Option<DateTime<Utc>>,
}

/// A key to be stored.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What the operator calls it.
    pub name: String,
    /// Decides which providers may be used; none means the user's groups.
    pub groups: Vec<String>,
    /// What bounds this key alone; what is unset comes from its user.
    pub limits: Limits,
    /// What may be asked for with it, and with which programs; its user's restrictions hold as well.
    pub restrictions: Restrictions,
    /// From then on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is accepted at all.
    pub enabled: bool,
    /// Whether it may log in to the console.
    pub web_login: bool,
}

/// What to change about a key; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// What the operator calls it.
    pub name: Option<String>,
    /// Decides which providers may be used.
    pub groups: Option<Vec<String>>,
    /// What bounds this key alone.
    pub limits: Option<Limits>,
    /// What may be asked for with it, and with which programs.
    pub restrictions: Option<Restrictions>,
    /// `Some(None)` takes the expiry away.
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Whether it is accepted at all.
    pub enabled: Option<bool>,
    /// Whether it may log in to the console.
    pub web_login: Option<bool>,
}

impl KeyChange {
    /// The columns that change.
    pub(super) fn columns(self) -> Result<Changes, StoreError> {
        Ok(Changes {
            name: self.name.map(|name| Clean::name(&name, "name")).transpose()?,
            groups: self.groups.map(Json),
            limits: self.limits.map(|limits| Json(limits.into())),
            restrictions: self.restrictions.map(|restrictions| Json(restrictions.into())),
            expires_at: self.expires_at.map(|at| at.map(At)),
            enabled: self.enabled,
            web_login: self.web_login,
            updated_at: At::now(),
        })
    }
}

/// Changes a row in a transaction, with the console sessions that rest on what was before (C-19). It gives the row
/// before and after.
macro_rules! change_key {
    ($conn:ident, $id:expr, $expected:expr, $change:expr) => {{
        use $crate::store::{
            error::StoreError,
            keys::{Changes, NOT_FOUND, Row},
            schema::api_keys,
        };
        let (id, change): (i64, Changes) = ($id, $change);
        let (web_login, disables) = (change.web_login, change.enabled == Some(false));
        let before: Option<Row> =
            api_keys::table.find(id).select(Row::as_select()).first($conn).await.optional()?;
        let before = before.ok_or(NOT_FOUND)?;
        $expected.check(before.version)?;
        let row = api_keys::table.find(id).filter(api_keys::version.eq(before.version));
        let after: Option<Row> = diesel::update(row)
            .set((change, api_keys::version.eq(before.version + 1)))
            .returning(Row::as_returning())
            .get_result($conn)
            .await
            .optional()?;
        let after = after.ok_or(StoreError::Stale { version: before.version + 1 })?;
        $crate::store::keys::end_sessions_of_key!($conn, id, disables, web_login);
        (before, after)
    }};
}
pub(super) use change_key;

/// Ends the console sessions by a key that do not go together with what it is from now on.
macro_rules! end_sessions_of_key {
    ($conn:ident, $id:expr, $disables:expr, $web_login:expr) => {{
        use $crate::store::schema::console_sessions;
        let own = console_sessions::table.filter(console_sessions::key_id.eq($id));
        let web_login: Option<bool> = $web_login;
        if $disables {
            diesel::delete(own).execute($conn).await?;
        } else if let Some(web_login) = web_login {
            let otherwise = own.filter(console_sessions::read_only.eq(web_login));
            diesel::delete(otherwise).execute($conn).await?;
        }
    }};
}
pub(super) use end_sessions_of_key;

impl Store {
    /// Stores the digest of `secret` for a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such user.
    pub async fn create_key(&self, user: UserId, secret: &NewApiKey, new: NewKey) -> Result<Key, StoreError> {
        let now = At::now();
        let row = NewRow {
            user_id: user.0,
            name: Clean::name(&new.name, "name")?,
            digest: secret.digest.as_bytes().to_vec(),
            prefix: Clean::cut(secret.prefix(), 16),
            last_four: Clean::cut(secret.last_four(), 4),
            groups: Json(new.groups),
            limits: Json(new.limits.into()),
            restrictions: Json(new.restrictions.into()),
            expires_at: new.expires_at.map(At),
            enabled: new.enabled,
            web_login: new.web_login,
            created_at: now,
            updated_at: now,
        };
        let author = self.author();
        let stored: Result<Row, StoreError> = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let made: Row = diesel::insert_into(api_keys::table)
                    .values(row)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "key.create", subject(made.id), NOTHING, Some(&made));
                Ok::<_, StoreError>(made)
            })
            .await?
        });
        match stored {
            Ok(row) => Ok(row.into()),
            Err(StoreError::NotFound { .. }) => Err(StoreError::NotFound { what: "user" }),
            Err(error) => Err(error),
        }
    }

    /// The key with that id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn key(&self, id: KeyId) -> Result<Key, StoreError> {
        let row: Option<Row> = db!(self.engine(), read, conn => {
            api_keys::table.find(id.0).select(Row::as_select()).first(conn).await.optional()?
        })?;
        row.map(Key::from).ok_or(NOT_FOUND)
    }

    /// Changes a key and returns the result. Console sessions end that rest on what was before (C-19).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn update_key(&self, id: KeyId, change: KeyChange) -> Result<Key, StoreError> {
        let (change, author, expected) = (change.columns()?, self.author(), self.expected());
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let (before, after) = change_key!(conn, id.0, expected, change);
                tell!(conn, author, "key.update", subject(id.0), Some(&before), Some(&after));
                Ok::<_, StoreError>(after)
            })
            .await?
        })?;
        Ok(row.into())
    }

    /// Gives a key another secret. The one it had is accepted until `old_until`, or not any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn rotate_key(
        &self,
        id: KeyId,
        secret: &NewApiKey,
        old_until: Option<DateTime<Utc>>,
    ) -> Result<Key, StoreError> {
        let (digest, old_until) = (secret.digest.as_bytes().to_vec(), old_until.map(At));
        let (prefix, last_four) = (Clean::cut(secret.prefix(), 16), Clean::cut(secret.last_four(), 4));
        let (author, expected) = (self.author(), self.expected());
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let before: Option<(Row, Vec<u8>)> = api_keys::table
                    .find(id.0)
                    .select((Row::as_select(), api_keys::digest))
                    .first(conn)
                    .await
                    .optional()?;
                let (before, old_digest) = before.ok_or(NOT_FOUND)?;
                expected.check(before.version)?;
                let row = api_keys::table.find(id.0).filter(api_keys::version.eq(before.version));
                let after: Option<Row> = diesel::update(row)
                    .set((
                        api_keys::digest.eq(digest),
                        api_keys::prefix.eq(prefix),
                        api_keys::last_four.eq(last_four),
                        api_keys::old_digest.eq(old_until.map(|_| old_digest)),
                        api_keys::old_until.eq(old_until),
                        api_keys::updated_at.eq(At::now()),
                        api_keys::version.eq(before.version + 1),
                    ))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await
                    .optional()?;
                let after = after.ok_or(StoreError::Stale { version: before.version + 1 })?;
                tell!(conn, author, "key.rotate", subject(id.0), Some(&before), Some(&after));
                Ok::<_, StoreError>(after)
            })
            .await?
        })?;
        Ok(row.into())
    }
}

pub(super) const NOT_FOUND: StoreError = StoreError::NotFound { what: "api key" };

/// How the audit log names a key.
pub(super) fn subject(id: i64) -> String {
    format!("key/{id}")
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = api_keys)]
pub(super) struct Row {
    id: i64,
    pub(super) version: i64,
    user_id: i64,
    name: Clean,
    prefix: Clean,
    last_four: Clean,
    groups: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
    web_login: bool,
    created_at: At,
    updated_at: At,
    old_until: Option<At>,
}

#[derive(Insertable)]
#[diesel(table_name = api_keys)]
struct NewRow {
    user_id: i64,
    name: Clean,
    digest: Vec<u8>,
    prefix: Clean,
    last_four: Clean,
    groups: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
    web_login: bool,
    created_at: At,
    updated_at: At,
}

#[derive(Debug, AsChangeset)]
#[diesel(table_name = api_keys)]
pub(super) struct Changes {
    name: Option<Clean>,
    groups: Option<Json<Vec<String>>>,
    limits: Option<Json<LimitsDoc>>,
    restrictions: Option<Json<RestrictionsDoc>>,
    expires_at: Option<Option<At>>,
    pub(super) enabled: Option<bool>,
    pub(super) web_login: Option<bool>,
    updated_at: At,
}

impl Ranked for Row {
    fn id(&self) -> i64 {
        self.id
    }

    fn rank(&self, by: By) -> Rank {
        match by {
            By::Name => Rank::Text(self.name.clone()),
            By::CreatedAt => Rank::At(self.created_at),
            By::ExpiresAt => Rank::end(self.expires_at),
            By::Id | By::Priority | By::Weight => Rank::None,
        }
    }
}

impl From<Row> for Key {
    fn from(row: Row) -> Self {
        Self {
            id: KeyId(row.id),
            version: row.version,
            user_id: UserId(row.user_id),
            name: row.name.into_string(),
            prefix: row.prefix.into_string(),
            last_four: row.last_four.into_string(),
            groups: row.groups.0,
            limits: row.limits.0.into(),
            restrictions: row.restrictions.0.into(),
            expires_at: row.expires_at.map(|at| at.0),
            enabled: row.enabled,
            web_login: row.web_login,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            old_until: row.old_until.map(|at| at.0),
        }
    }
}
