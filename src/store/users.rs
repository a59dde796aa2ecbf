//! Users: people and services that own api keys.

use actors::{ids::UserId, ledger::limits::Limits, restrictions::Restrictions};
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
    schema::users,
    text::Clean,
    types::{At, Json},
};

/// A person or service that owns api keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The row.
    pub id: UserId,
    /// Grows with every change of the row.
    pub version: i64,
    /// Unique.
    pub name: String,
    /// What a console login may do.
    pub role: Role,
    /// Decides which providers may be used.
    pub groups: Vec<String>,
    /// Free words for filtering and reports.
    pub tags: Vec<String>,
    /// What bounds the user and all the keys together; what is unset comes from the system's defaults.
    pub limits: Limits,
    /// What the user may ask for, and with which programs.
    pub restrictions: Restrictions,
    /// From then on all keys are refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the keys are accepted at all.
    pub enabled: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a login with one of the user's keys may do in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// See and change the own keys, see the own usage.
    User,
    /// See everything but secrets, change nothing.
    Auditor,
    /// That, and run the house: breakers, sessions, quotas.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every one of them, the least first.
    pub const ALL: [Self; 4] = [Self::User, Self::Auditor, Self::Operator, Self::Admin];

    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique.
    pub name: String,
    /// What a console login may do.
    pub role: Role,
    /// Decides which providers may be used.
    pub groups: Vec<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// What bounds the user and all the keys together; what is unset comes from the system's defaults.
    pub limits: Limits,
    /// What the user may ask for, and with which programs.
    pub restrictions: Restrictions,
    /// From then on all keys are refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the keys are accepted at all.
    pub enabled: bool,
}

/// What to change about a user; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Unique.
    pub name: Option<String>,
    /// What a console login may do.
    pub role: Option<Role>,
    /// Decides which providers may be used.
    pub groups: Option<Vec<String>>,
    /// Free words.
    pub tags: Option<Vec<String>>,
    /// What bounds the user.
    pub limits: Option<Limits>,
    /// What the user may ask for, and with which programs.
    pub restrictions: Option<Restrictions>,
    /// `Some(None)` takes the expiry away.
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Whether the keys are accepted at all.
    pub enabled: Option<bool>,
}

impl UserChange {
    /// The columns that change.
    pub(super) fn columns(self) -> Result<Changes, StoreError> {
        Ok(Changes {
            name: self.name.map(|name| Clean::name(&name, "name")).transpose()?,
            role: self.role.map(Role::name),
            groups: self.groups.map(Json),
            tags: self.tags.map(Json),
            limits: self.limits.map(|limits| Json(limits.into())),
            restrictions: self.restrictions.map(|restrictions| Json(restrictions.into())),
            expires_at: self.expires_at.map(|at| at.map(At)),
            enabled: self.enabled,
            updated_at: At::now(),
        })
    }
}

/// Changes a row in a transaction, with the console sessions that rest on what was before (C-19). It gives the row
/// before and after.
macro_rules! change_user {
    ($conn:ident, $id:expr, $expected:expr, $change:expr) => {{
        use $crate::store::{
            error::StoreError,
            schema::users,
            users::{Changes, NOT_FOUND, Row},
        };
        let (id, change): (i64, Changes) = ($id, $change);
        let (role, disables) = (change.role, change.enabled == Some(false));
        let before: Option<Row> =
            users::table.find(id).select(Row::as_select()).first($conn).await.optional()?;
        let before = before.ok_or(NOT_FOUND)?;
        $expected.check(before.version)?;
        let row = users::table.find(id).filter(users::version.eq(before.version));
        let after: Option<Row> = diesel::update(row)
            .set((change, users::version.eq(before.version + 1)))
            .returning(Row::as_returning())
            .get_result($conn)
            .await
            .optional()?;
        let after = after.ok_or(StoreError::Stale { version: before.version + 1 })?;
        $crate::store::users::end_sessions_of_user!($conn, id, disables, role);
        (before, after)
    }};
}
pub(super) use change_user;

/// Ends the console sessions of a user that do not go together with what it is from now on.
macro_rules! end_sessions_of_user {
    ($conn:ident, $id:expr, $disables:expr, $role:expr) => {{
        use $crate::store::schema::console_sessions;
        let own = console_sessions::table.filter(console_sessions::user_id.eq($id));
        let role: Option<&str> = $role;
        if $disables {
            diesel::delete(own).execute($conn).await?;
        } else if let Some(role) = role {
            let carries = console_sessions::read_only.eq(false);
            let another = own.filter(carries).filter(console_sessions::role.ne(role));
            diesel::delete(another).execute($conn).await?;
        }
    }};
}
pub(super) use end_sessions_of_user;

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    pub async fn create_user(&self, new: NewUser) -> Result<User, StoreError> {
        let (author, row) = (self.author(), NewRow::new(new)?);
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let made: Row = diesel::insert_into(users::table)
                    .values(row)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "user.create", subject(made.id), NOTHING, Some(&made));
                Ok::<_, StoreError>(made)
            })
            .await?
        })?;
        row.try_into()
    }

    /// The user with that id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn user(&self, id: UserId) -> Result<User, StoreError> {
        let row: Option<Row> = db!(self.engine(), read, conn => {
            users::table.find(id.0).select(Row::as_select()).first(conn).await.optional()?
        })?;
        row.ok_or(NOT_FOUND)?.try_into()
    }

    /// Changes a user and returns the result. Console sessions end that rest on what was before (C-19).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] when the new name is taken.
    pub async fn update_user(&self, id: UserId, change: UserChange) -> Result<User, StoreError> {
        let (change, author, expected) = (change.columns()?, self.author(), self.expected());
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let (before, after) = change_user!(conn, id.0, expected, change);
                tell!(conn, author, "user.update", subject(id.0), Some(&before), Some(&after));
                Ok::<_, StoreError>(after)
            })
            .await?
        })?;
        row.try_into()
    }
}

pub(super) const NOT_FOUND: StoreError = StoreError::NotFound { what: "user" };

/// How the audit log names a user.
pub(super) fn subject(id: i64) -> String {
    format!("user/{id}")
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = users)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) version: i64,
    name: Clean,
    role: Clean,
    groups: Json<Vec<String>>,
    tags: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
    created_at: At,
    updated_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = users)]
pub(super) struct NewRow {
    name: Clean,
    role: &'static str,
    groups: Json<Vec<String>>,
    tags: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
    created_at: At,
    updated_at: At,
}

impl NewRow {
    pub(super) fn new(new: NewUser) -> Result<Self, StoreError> {
        let now = At::now();
        Ok(Self {
            name: Clean::name(&new.name, "name")?,
            role: new.role.name(),
            groups: Json(new.groups),
            tags: Json(new.tags),
            limits: Json(new.limits.into()),
            restrictions: Json(new.restrictions.into()),
            expires_at: new.expires_at.map(At),
            enabled: new.enabled,
            created_at: now,
            updated_at: now,
        })
    }
}

#[derive(Debug, AsChangeset)]
#[diesel(table_name = users)]
pub(super) struct Changes {
    name: Option<Clean>,
    pub(super) role: Option<&'static str>,
    groups: Option<Json<Vec<String>>>,
    tags: Option<Json<Vec<String>>>,
    limits: Option<Json<LimitsDoc>>,
    restrictions: Option<Json<RestrictionsDoc>>,
    expires_at: Option<Option<At>>,
    pub(super) enabled: Option<bool>,
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

impl TryFrom<Row> for User {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId(row.id),
            version: row.version,
            name: row.name.into_string(),
            role: role(row.role.as_str())?,
            groups: row.groups.0,
            tags: row.tags.0,
            limits: row.limits.0.into(),
            restrictions: row.restrictions.0.into(),
            expires_at: row.expires_at.map(|at| at.0),
            enabled: row.enabled,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// Reads a stored role.
pub(super) fn role(name: &str) -> Result<Role, StoreError> {
    Role::from_name(name).ok_or_else(|| StoreError::Corrupt(format!("users.role: `{name}`")))
}
