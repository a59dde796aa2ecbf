//! Api keys, deleted and restored.

use actors::ids::KeyId;
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{KEPT, NOT_FOUND, NewRow, TrashKind, put_away, take_out};
use crate::store::{
    Key, Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    keys::{Row, subject},
    limits::LimitsDoc,
    restrictions::RestrictionsDoc,
    schema::{api_keys, trash},
    text::Clean,
    types::{At, Json},
};

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = api_keys, treat_none_as_null = true)]
pub(in crate::store) struct Kept {
    id: i64,
    user_id: i64,
    name: Clean,
    digest: Vec<u8>,
    prefix: Clean,
    last_four: Clean,
    groups: Json<Vec<String>>,
    expires_at: Option<At>,
    enabled: bool,
    web_login: bool,
    created_at: At,
    updated_at: At,
    limits: Json<LimitsDoc>,
    version: i64,
    old_digest: Option<Vec<u8>>,
    old_until: Option<At>,
    /// Not in what was put away before there were any.
    #[serde(default)]
    restrictions: Json<RestrictionsDoc>,
}

impl Kept {
    /// The same in another version.
    pub(in crate::store) fn again(self, version: i64) -> Self {
        Self { version, updated_at: At::now(), ..self }
    }

    pub(in crate::store) const fn id(&self) -> i64 {
        self.id
    }

    pub(in crate::store) const fn enabled(&self) -> bool {
        self.enabled
    }

    pub(in crate::store) const fn web_login(&self) -> bool {
        self.web_login
    }
}

impl Store {
    /// Deletes a key. Request rows stay, and for a while it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_key(&self, id: KeyId) -> Result<(), StoreError> {
        let (author, expected) = (self.author(), self.expected());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let row = api_keys::table.find(id.0);
                let before: Option<Row> = row.select(Row::as_select()).first(conn).await.optional()?;
                let before = before.ok_or(StoreError::NotFound { what: "api key" })?;
                expected.check(before.version)?;
                let same = api_keys::table.find(id.0).filter(api_keys::version.eq(before.version));
                let key: Option<Kept> =
                    diesel::delete(same).returning(Kept::as_returning()).get_result(conn).await.optional()?;
                let key = key.ok_or(StoreError::Stale { version: before.version + 1 })?;
                let name = key.name.clone();
                put_away!(conn, NewRow::new(TrashKind::Key, id.0, &name, key, author.as_ref()));
                tell!(conn, author, "key.delete", subject(id.0), Some(&before), NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// Brings a deleted key back: it is accepted again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not there (any more), or its user is not.
    pub async fn restore_key(&self, id: KeyId) -> Result<Key, StoreError> {
        let author = self.author();
        let row: Result<Row, StoreError> = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let key: Kept = take_out!(conn, TrashKind::Key, id.0);
                let version = key.version + 1;
                let key = key.again(version);
                let row: Row = diesel::insert_into(api_keys::table)
                    .values(key)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "key.restore", subject(id.0), NOTHING, Some(&row));
                Ok::<_, StoreError>(row)
            })
            .await?
        });
        match row {
            Ok(row) => Ok(row.into()),
            Err(StoreError::NotFound { what: "referenced row" }) => {
                Err(StoreError::NotFound { what: "user" })
            }
            Err(error) => Err(error),
        }
    }
}
