//! Rows of console sessions, and of what they rest on.

use actors::ids::{KeyId, UserId};
use diesel::prelude::*;
use serde::Serialize;

use super::{ConsoleSession, NewConsoleSession, OwnKey, Owner, Way, corrupt};
use crate::store::{
    error::StoreError,
    schema::{api_keys, console_sessions, users},
    text::Clean,
    types::At,
    users::{Role, role},
};

/// A session, its proof, and its user, key and password as they are now.
pub(super) type Found = (Row, Option<Vec<u8>>, Option<OwnerRow>, Option<KeyRow>, Option<Clean>);

/// A session without what it is known by.
#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = console_sessions)]
pub(super) struct Row {
    pub(super) id: i64,
    way: Clean,
    user_id: Option<i64>,
    key_id: Option<i64>,
    role: Clean,
    read_only: bool,
    created_at: At,
    seen_at: At,
    expires_at: At,
    address: Option<Clean>,
    user_agent: Option<Clean>,
}

#[derive(Insertable)]
#[diesel(table_name = console_sessions)]
pub(super) struct NewRow {
    digest: Vec<u8>,
    way: &'static str,
    user_id: Option<i64>,
    key_id: Option<i64>,
    role: &'static str,
    read_only: bool,
    proof: Option<Vec<u8>>,
    created_at: At,
    seen_at: At,
    expires_at: At,
    address: Option<Clean>,
    user_agent: Option<Clean>,
}

impl NewRow {
    pub(super) fn new(new: NewConsoleSession) -> Self {
        Self {
            digest: new.digest.as_bytes().to_vec(),
            way: new.way.name(),
            user_id: new.user.map(|user| user.0),
            key_id: new.key.map(|key| key.0),
            role: new.role.name(),
            read_only: new.read_only,
            proof: new.proof.map(|proof| proof.as_bytes().to_vec()),
            created_at: At(new.created_at),
            seen_at: At(new.created_at),
            expires_at: At(new.expires_at),
            address: new.address.map(|address| Clean::cut(&address.to_string(), 64)),
            user_agent: new.user_agent.map(|agent| Clean::cut(&agent, 300)),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct OwnerRow {
    name: Clean,
    role: Clean,
    enabled: bool,
    expires_at: Option<At>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub(super) struct KeyRow {
    name: Clean,
    enabled: bool,
    expires_at: Option<At>,
    web_login: bool,
}

impl TryFrom<Row> for ConsoleSession {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let way = Way::ALL.into_iter().find(|way| way.name() == row.way.as_str());
        Ok(Self {
            id: row.id,
            way: way.ok_or_else(|| corrupt("way"))?,
            user: row.user_id.map(UserId),
            key: row.key_id.map(KeyId),
            role: Role::from_name(row.role.as_str()).ok_or_else(|| corrupt("role"))?,
            read_only: row.read_only,
            created_at: row.created_at.0,
            seen_at: row.seen_at.0,
            expires_at: row.expires_at.0,
            address: row.address.map(Clean::into_string),
            user_agent: row.user_agent.map(Clean::into_string),
        })
    }
}

impl TryFrom<OwnerRow> for Owner {
    type Error = StoreError;

    fn try_from(row: OwnerRow) -> Result<Self, StoreError> {
        Ok(Self {
            role: role(row.role.as_str())?,
            name: row.name.into_string(),
            enabled: row.enabled,
            expires_at: row.expires_at.map(|at| at.0),
        })
    }
}

impl From<KeyRow> for OwnKey {
    fn from(row: KeyRow) -> Self {
        Self {
            name: row.name.into_string(),
            enabled: row.enabled,
            expires_at: row.expires_at.map(|at| at.0),
            web_login: row.web_login,
        }
    }
}
