//! Users with all their keys, deleted and restored.

use actors::ids::UserId;
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::{KEPT, NOT_FOUND, NewRow, TrashKind, keys, put_away, take_out};
use crate::store::{
    Store, User,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    limits::LimitsDoc,
    restrictions::RestrictionsDoc,
    schema::{api_keys, trash, users},
    text::Clean,
    types::{At, Json},
    users::{Row, subject},
};

/// A user as it is put away.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    user: Kept,
    keys: Vec<keys::Kept>,
}

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(in crate::store) struct Kept {
    id: i64,
    name: Clean,
    role: Clean,
    groups: Json<Vec<String>>,
    tags: Json<Vec<String>>,
    expires_at: Option<At>,
    enabled: bool,
    created_at: At,
    updated_at: At,
    limits: Json<LimitsDoc>,
    version: i64,
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

    pub(in crate::store) fn role(&self) -> &str {
        self.role.as_str()
    }
}

impl Store {
    /// Deletes a user and all the user's keys. Request rows stay, and for a while it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_user(&self, id: UserId) -> Result<(), StoreError> {
        let (author, expected) = (self.author(), self.expected());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let of_user = api_keys::table.filter(api_keys::user_id.eq(id.0)).order(api_keys::id);
                let row = users::table.find(id.0);
                let before: Option<Row> = row.select(Row::as_select()).first(conn).await.optional()?;
                let before = before.ok_or(StoreError::NotFound { what: "user" })?;
                expected.check(before.version)?;
                let keys: Vec<keys::Kept> = of_user.select(keys::Kept::as_select()).load(conn).await?;
                let same = users::table.find(id.0).filter(users::version.eq(before.version));
                let user: Option<Kept> =
                    diesel::delete(same).returning(Kept::as_returning()).get_result(conn).await.optional()?;
                let user = user.ok_or(StoreError::Stale { version: before.version + 1 })?;
                let (name, document) = (user.name.clone(), Document { user, keys });
                put_away!(conn, NewRow::new(TrashKind::User, id.0, &name, document, author.as_ref()));
                tell!(conn, author, "user.delete", subject(id.0), Some(&before), NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// Brings a deleted user back, with the keys that went with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not there (any more), [`StoreError::Conflict`] when somebody else has
    /// its name by now.
    pub async fn restore_user(&self, id: UserId) -> Result<User, StoreError> {
        let author = self.author();
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let Document { user, keys }: Document = take_out!(conn, TrashKind::User, id.0);
                let version = user.version + 1;
                let user = user.again(version);
                let row: Row = diesel::insert_into(users::table)
                    .values(user)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                for key in keys {
                    diesel::insert_into(api_keys::table).values(key).execute(conn).await?;
                }
                tell!(conn, author, "user.restore", subject(id.0), NOTHING, Some(&row));
                Ok::<_, StoreError>(row)
            })
            .await?
        })?;
        row.try_into()
    }
}
