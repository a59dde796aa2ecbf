//! All keys joined with their users, as the key directory in memory wants them.

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::Limits,
    restrictions::Restrictions,
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store,
    db::db,
    error::StoreError,
    limits::LimitsDoc,
    restrictions::RestrictionsDoc,
    schema::{api_keys, users},
    text::Clean,
    types::{At, Json},
    users::{Role, role},
};
use crate::secrets::digest::Digest;

/// What the key directory in memory needs to know about a key and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// What a presented key is looked up by.
    pub digest: Digest,
    /// The key's row.
    pub key_id: KeyId,
    /// What the operator calls the key.
    pub key_name: String,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: String,
    /// What a console login may do.
    pub role: Role,
    /// The key's groups, or the user's where the key has none.
    pub groups: Vec<String>,
    /// What is set for the user.
    pub user_limits: Limits,
    /// What is set for the key.
    pub key_limits: Limits,
    /// What the user may do.
    pub user_restrictions: Restrictions,
    /// What may be done with the key.
    pub key_restrictions: Restrictions,
    /// The earlier of the key's and the user's expiry.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether both key and user are enabled.
    pub enabled: bool,
    /// Whether the key may log in to the console.
    pub web_login: bool,
}

impl Store {
    /// All keys with what is to know about their users, for the directory in memory. A key that was rotated is
    /// there twice, by its old digest until that ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn directory(&self) -> Result<Vec<DirectoryEntry>, StoreError> {
        let rows: Vec<DirectoryRow> = db!(self.engine(), read, conn => {
            api_keys::table
                .inner_join(users::table)
                .order(api_keys::id)
                .select(DirectoryRow::as_select())
                .load(conn)
                .await?
        })?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let (old, entry) = (row.old()?, DirectoryEntry::try_from(row)?);
            entries.extend(old.map(|(digest, until)| DirectoryEntry {
                digest,
                expires_at: Some(entry.expires_at.map_or(until, |end| end.min(until))),
                ..entry.clone()
            }));
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct DirectoryRow {
    id: i64,
    user_id: i64,
    name: Clean,
    digest: Vec<u8>,
    groups: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
    web_login: bool,
    old_digest: Option<Vec<u8>>,
    old_until: Option<At>,
    #[diesel(embed)]
    owner: OwnerRow,
}

impl DirectoryRow {
    /// The digest before the last rotation, and until when it counts.
    fn old(&self) -> Result<Option<(Digest, DateTime<Utc>)>, StoreError> {
        let Some((digest, At(until))) = self.old_digest.as_deref().zip(self.old_until) else {
            return Ok(None);
        };
        let digest = Digest::from_slice(digest);
        let digest =
            digest.ok_or_else(|| StoreError::Corrupt(format!("api_keys.old_digest of key {}", self.id)))?;
        Ok(Some((digest, until)))
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct OwnerRow {
    name: Clean,
    role: Clean,
    groups: Json<Vec<String>>,
    limits: Json<LimitsDoc>,
    restrictions: Json<RestrictionsDoc>,
    expires_at: Option<At>,
    enabled: bool,
}

impl TryFrom<DirectoryRow> for DirectoryEntry {
    type Error = StoreError;

    fn try_from(row: DirectoryRow) -> Result<Self, StoreError> {
        let digest = Digest::from_slice(&row.digest)
            .ok_or_else(|| StoreError::Corrupt(format!("api_keys.digest of key {}", row.id)))?;
        let expiries = [row.expires_at, row.owner.expires_at];
        Ok(Self {
            digest,
            key_id: KeyId(row.id),
            key_name: row.name.into_string(),
            user_id: UserId(row.user_id),
            user_name: row.owner.name.into_string(),
            role: role(row.owner.role.as_str())?,
            user_limits: row.owner.limits.0.into(),
            key_limits: row.limits.0.into(),
            user_restrictions: row.owner.restrictions.0.into(),
            key_restrictions: row.restrictions.0.into(),
            groups: if row.groups.0.is_empty() { row.owner.groups.0 } else { row.groups.0 },
            expires_at: expiries.into_iter().flatten().map(|at| at.0).min(),
            enabled: row.enabled && row.owner.enabled,
            web_login: row.web_login,
        })
    }
}
