//! Passwords of users, as hashes. What ends with a password ends in the transaction that changes it (C-19).

use std::net::IpAddr;

use actors::ids::UserId;
use chrono::{DateTime, Utc};
use diesel::{dsl::exists, prelude::*};
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{
    Store, Way,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    schema::{console_sessions, user_passwords, users},
    text::Clean,
    types::At,
    users::{Role, role},
};
use crate::secrets::digest::Digest;

/// A user who wants in by name.
#[derive(Clone)]
pub struct Applicant {
    /// The row.
    pub id: UserId,
    /// What the user is called.
    pub name: String,
    /// What the user may.
    pub role: Role,
    /// Whether the user is let in at all.
    pub enabled: bool,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
    /// The password's hash; none where there is no password.
    pub hash: Option<String>,
    /// Whether somebody is or was lately signed in to this account from the address that was asked about.
    pub known_here: bool,
}

/// The console session that stays when a password changes.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Its row.
    pub id: i64,
    /// What it rests on from now on; none where it rests on no password.
    pub proof: Option<Digest>,
}

impl Store {
    /// The hash of a user's password, if there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn password_of(&self, user: UserId) -> Result<Option<String>, StoreError> {
        let hash: Option<Clean> = db!(self.engine(), read, conn => {
            user_passwords::table.find(user.0).select(user_passwords::hash).first(conn).await.optional()?
        })?;
        Ok(hash.map(Clean::into_string))
    }

    /// The user of that name, with the hash of the password, and whether the address is known there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn applicant(
        &self,
        name: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Applicant>, StoreError> {
        let name = Clean::cut(name, 1_000);
        let address = address.map(|address| Clean::cut(&address.to_string(), 64));
        let found: Option<(Row, Option<Clean>, bool)> = db!(self.engine(), read, conn => {
            let here = console_sessions::table
                .filter(console_sessions::user_id.eq(users::id.nullable()))
                .filter(console_sessions::address.eq(address));
            users::table
                .left_join(user_passwords::table)
                .filter(users::name.eq(name))
                .select((Row::as_select(), user_passwords::hash.nullable(), exists(here)))
                .first(conn)
                .await
                .optional()?
        })?;
        found.map(|(row, hash, known_here)| row.with(hash, known_here)).transpose()
    }

    /// Sets a user's password. The user's console sessions end, all but the one that is kept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such user.
    pub async fn put_password(
        &self,
        user: UserId,
        hash: String,
        kept: Option<Kept>,
    ) -> Result<(), StoreError> {
        let author = self.author();
        let values = (user_passwords::hash.eq(hash), user_passwords::updated_at.eq(At::now()));
        let stored = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                use console_sessions::dsl;
                diesel::insert_into(user_passwords::table)
                    .values((user_passwords::user_id.eq(user.0), values.clone()))
                    .on_conflict(user_passwords::user_id)
                    .do_update()
                    .set(values)
                    .execute(conn)
                    .await?;
                let others = dsl::user_id.eq(user.0).and(dsl::id.ne(kept.map_or(0, |kept| kept.id)));
                diesel::delete(dsl::console_sessions.filter(others)).execute(conn).await?;
                if let Some(Kept { id, proof: Some(proof) }) = kept {
                    diesel::update(dsl::console_sessions.find(id))
                        .set(dsl::proof.eq(proof.as_bytes().to_vec()))
                        .execute(conn)
                        .await?;
                }
                tell!(conn, author, "password.set", subject(user), NOTHING, NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        });
        match stored {
            Err(StoreError::NotFound { .. }) => Err(StoreError::NotFound { what: "user" }),
            stored => stored,
        }
    }

    /// Takes a user's password away, and with it the console sessions that rest on it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_password(&self, user: UserId) -> Result<(), StoreError> {
        let author = self.author();
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                use console_sessions::dsl;
                let password = user_passwords::table.find(user.0);
                if diesel::delete(password).execute(conn).await? == 0 {
                    return Err(StoreError::NotFound { what: "password" });
                }
                let by_it = dsl::user_id.eq(user.0).and(dsl::way.eq(Way::Password.name()));
                diesel::delete(dsl::console_sessions.filter(by_it)).execute(conn).await?;
                tell!(conn, author, "password.delete", subject(user), NOTHING, NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }
}

fn subject(user: UserId) -> String {
    format!("user/{}", user.0)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct Row {
    id: i64,
    name: Clean,
    role: Clean,
    enabled: bool,
    expires_at: Option<At>,
}

impl Row {
    fn with(self, hash: Option<Clean>, known_here: bool) -> Result<Applicant, StoreError> {
        Ok(Applicant {
            id: UserId(self.id),
            role: role(self.role.as_str())?,
            name: self.name.into_string(),
            enabled: self.enabled,
            expires_at: self.expires_at.map(|at| at.0),
            hash: hash.map(Clean::into_string),
            known_here,
        })
    }
}
