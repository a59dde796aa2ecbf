//! Console sessions: who is signed in to the control plane. The token is never stored, only its digest.
//!
//! A row is what was true at the sign-in. It is read together with what is true now, and whoever reads it
//! decides whether the two still go together (C-19); the store itself only removes what it is told to.

mod rows;

use std::net::IpAddr;

use actors::ids::{KeyId, UserId};
use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types::Bool};
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde_json::json;

use self::rows::{Found, KeyRow, NewRow, OwnerRow, Row};
use super::{
    Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::{api_keys, console_sessions, user_passwords, users},
    text::Clean,
    types::At,
    users::Role,
};
use crate::secrets::digest::Digest;

/// The most sessions that one user, or the holder of the admin token, has at once. One more ends the oldest.
const MOST_SESSIONS: i64 = 100;

/// Whether a row is that user's, or of the holders of the admin token.
macro_rules! whose {
    ($user:expr) => {
        console_sessions::user_id
            .eq($user)
            .or(console_sessions::user_id.is_null().and($user.is_none().into_sql::<Bool>()))
    };
}

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With the admin token.
    AdminToken,
    /// With an api key.
    ApiKey,
    /// With name and password.
    Password,
    /// At an OpenID Connect provider.
    Oidc,
    /// With name and password of a directory.
    Ldap,
}

impl Way {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::AdminToken, Self::ApiKey, Self::Password, Self::Oidc, Self::Ldap];
    /// Those that rest on an identity.
    pub const ELSEWHERE: [Self; 2] = [Self::Oidc, Self::Ldap];

    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminToken => "admin_token",
            Self::ApiKey => "api_key",
            Self::Password => "password",
            Self::Oidc => "oidc",
            Self::Ldap => "ldap",
        }
    }
}

/// A session to be kept.
#[derive(Debug, Clone)]
pub struct NewConsoleSession {
    /// Of its token.
    pub digest: Digest,
    /// How one signed in.
    pub way: Way,
    /// Whose it is; none for the holder of the admin token.
    pub user: Option<UserId>,
    /// With which api key one signed in.
    pub key: Option<KeyId>,
    /// The role that it carries.
    pub role: Role,
    /// Whether the api key has no console rights.
    pub read_only: bool,
    /// A digest of the secret that was shown, where that can be another tomorrow.
    pub proof: Option<Digest>,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// From then on it is over.
    pub expires_at: DateTime<Utc>,
    /// Where one signed in.
    pub address: Option<IpAddr>,
    /// What one signed in with.
    pub user_agent: Option<String>,
}

/// A session as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// The row.
    pub id: i64,
    /// How one signed in.
    pub way: Way,
    /// Whose it is; none for the holder of the admin token.
    pub user: Option<UserId>,
    /// With which api key one signed in.
    pub key: Option<KeyId>,
    /// The role that it carries.
    pub role: Role,
    /// Whether it may only look.
    pub read_only: bool,
    /// When one signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub seen_at: DateTime<Utc>,
    /// From then on it is over.
    pub expires_at: DateTime<Utc>,
    /// Where one signed in.
    pub address: Option<String>,
    /// What one signed in with.
    pub user_agent: Option<String>,
}

/// A session together with what holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: ConsoleSession,
    /// A digest of the secret that was shown at the sign-in.
    pub proof: Option<Digest>,
    /// The user as it is now.
    pub owner: Option<Owner>,
    /// The api key as it is now.
    pub key: Option<OwnKey>,
    /// The hash of the user's password, now.
    pub password: Option<String>,
}

/// The user of a session, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What the user is called.
    pub name: String,
    /// What the user may.
    pub role: Role,
    /// Whether the user is let in at all.
    pub enabled: bool,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The api key of a session, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKey {
    /// What it is called.
    pub name: String,
    /// Whether it is accepted at all.
    pub enabled: bool,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it carries the user's role.
    pub web_login: bool,
}

impl Store {
    /// Keeps a session, in place of the one that is `left`, and forgets what
    /// is over: whatever ended before now, or was not used since `idle_since`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when user or key are gone.
    pub async fn begin_console_session(
        &self,
        new: NewConsoleSession,
        left: Option<Digest>,
        idle_since: DateTime<Utc>,
    ) -> Result<ConsoleSession, StoreError> {
        let (now, owner) = (At(new.created_at), new.user.map(|user| user.0));
        let row = NewRow::new(new);
        let left = left.map(|digest| digest.as_bytes().to_vec());
        let author = self.author();
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                use console_sessions::dsl;
                let over = dsl::expires_at.le(now).or(dsl::seen_at.lt(At(idle_since)));
                diesel::delete(dsl::console_sessions.filter(over)).execute(conn).await?;
                if let Some(left) = left {
                    diesel::delete(dsl::console_sessions.filter(dsl::digest.eq(left))).execute(conn).await?;
                }
                let row: Row = diesel::insert_into(dsl::console_sessions)
                    .values(row)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                let oldest: Option<i64> = dsl::console_sessions
                    .filter(whose!(owner))
                    .order(dsl::id.desc())
                    .offset(MOST_SESSIONS)
                    .select(dsl::id)
                    .first(conn)
                    .await
                    .optional()?;
                if let Some(oldest) = oldest {
                    let surplus = dsl::console_sessions.filter(whose!(owner)).filter(dsl::id.le(oldest));
                    diesel::delete(surplus).execute(conn).await?;
                }
                tell!(conn, author, "session.begin", subject(row.id), NOTHING, Some(&row));
                Ok::<_, StoreError>(row)
            })
            .await?
        })?;
        row.try_into()
    }

    /// The session whose token has that digest, with what holds now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn console_session(&self, digest: &Digest) -> Result<Option<Standing>, StoreError> {
        let digest = digest.as_bytes().to_vec();
        let found: Option<Found> = db!(self.engine(), read, conn => {
            let password = user_passwords::table
                .filter(user_passwords::user_id.nullable().eq(console_sessions::user_id))
                .select(user_passwords::hash)
                .single_value();
            console_sessions::table
                .left_join(users::table)
                .left_join(api_keys::table)
                .filter(console_sessions::digest.eq(digest))
                .select((
                    Row::as_select(),
                    console_sessions::proof,
                    Option::<OwnerRow>::as_select(),
                    Option::<KeyRow>::as_select(),
                    password,
                ))
                .first(conn)
                .await
                .optional()?
        })?;
        let Some((row, proof, owner, key, password)) = found else { return Ok(None) };
        let proof =
            proof.map(|bytes| Digest::from_slice(&bytes).ok_or_else(|| corrupt("proof"))).transpose()?;
        let owner = owner.map(Owner::try_from).transpose()?;
        let (key, password) = (key.map(OwnKey::from), password.map(Clean::into_string));
        Ok(Some(Standing { session: row.try_into()?, proof, owner, key, password }))
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn console_session_seen(&self, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        db!(self.engine(), write, conn => {
            diesel::update(console_sessions::table.find(id))
                .set(console_sessions::seen_at.eq(At(now)))
                .execute(conn)
                .await?;
        })
    }

    /// The sessions of a user, or of the holders of the admin token, in the order of the sign-ins.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn console_sessions(
        &self,
        user: Option<UserId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<ConsoleSession>, StoreError> {
        let (user, after) = (user.map(|user| user.0), after.map_or(0, |cursor| cursor.0));
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            console_sessions::table
                .filter(whose!(user))
                .filter(console_sessions::id.gt(after))
                .order(console_sessions::id)
                .limit(Page::<ConsoleSession>::fetch(limit))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        Page::new(rows, limit, |row| Cursor(row.id)).try_map(ConsoleSession::try_from)
    }

    /// The session of that number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn console_session_numbered(&self, id: i64) -> Result<ConsoleSession, StoreError> {
        let row: Option<Row> = db!(self.engine(), read, conn => {
            console_sessions::table.find(id).select(Row::as_select()).first(conn).await.optional()?
        })?;
        row.ok_or(NOT_FOUND)?.try_into()
    }

    /// Ends a session; says why in the audit log.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; then nothing is told.
    pub async fn end_console_session(&self, id: i64, why: &'static str) -> Result<(), StoreError> {
        let author = self.author();
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let ended: Option<Row> = diesel::delete(console_sessions::table.find(id))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await
                    .optional()?;
                let ended = ended.ok_or(NOT_FOUND)?;
                let reason = json!({"reason": why});
                tell!(conn, author, "session.end", subject(id), Some(&ended), Some(&reason));
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }
}

fn subject(id: i64) -> String {
    format!("session/{id}")
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "session" };

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("console_sessions.{column}"))
}
