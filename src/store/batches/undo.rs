//! Batches taken back: each row as it was before, unless somebody has changed one of them since.

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{KEPT, Was};
use crate::store::{
    Store,
    audit::tell,
    db::db,
    error::StoreError,
    keys::{self, end_sessions_of_key},
    lists::Ranked as _,
    providers,
    schema::{api_keys, batches, providers as provider_rows, users as user_rows},
    text::Clean,
    trash::{KeptKey, KeptProvider, KeptUser, TrashKind},
    types::{At, Json},
    users::{self, end_sessions_of_user},
};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "batch" };

/// A row that is again what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Which.
    pub id: i64,
    /// The version it has now: versions never go back.
    pub version: i64,
}

impl Store {
    /// What sort of rows a batch changed, as long as it can be undone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it cannot, or never was.
    pub async fn batch_kind(&self, id: i64) -> Result<TrashKind, StoreError> {
        let oldest = At(At::now().0 - KEPT);
        let kind: Option<Clean> = db!(self.engine(), read, conn => {
            let kept = batches::table.find(id).filter(batches::made_at.ge(oldest));
            kept.select(batches::kind).first(conn).await.optional()?
        })?;
        let kind = kind.ok_or(NOT_FOUND)?;
        TrashKind::ALL.into_iter().find(|known| known.name() == kind.as_str()).ok_or(NOT_FOUND)
    }

    /// Puts back what a batch of this kind changed, all or nothing. It can be done once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the batch is too old or undone already, [`StoreError::Moved`] with those rows
    /// that were changed or deleted since.
    pub async fn undo_batch(&self, kind: TrashKind, id: i64) -> Result<Vec<Undone>, StoreError> {
        match kind {
            TrashKind::User => self.undo_users(id).await,
            TrashKind::Key => self.undo_keys(id).await,
            TrashKind::Provider => self.undo_providers(id).await,
        }
    }
}

/// Puts rows back in one transaction; `$ended` ends what must not outlast that.
macro_rules! put_back {
    (
        $store:expr, $batch:expr, $kind:expr, $action:literal, $table:ident, $row:ty, $kept:ty, $subject:path,
        |$conn:ident, $was:ident| $ended:block, |$before:ident, $after:ident| $told:expr
    ) => {{
        let (batch, author): (i64, _) = ($batch, $store.author());
        db!($store.engine(), write, conn => {
            conn.transaction(async move |$conn| {
                let kept = batches::table
                    .find(batch)
                    .filter(batches::kind.eq($kind.name()))
                    .filter(batches::made_at.ge(At(At::now().0 - KEPT)));
                let document =
                    diesel::delete(kept).returning(batches::document).get_result($conn).await.optional()?;
                let Json(document): Json<Vec<Was<$kept>>> = document.ok_or(NOT_FOUND)?;
                let ids: Vec<i64> = document.iter().map(|was| was.row.id()).collect();
                let standing: Vec<$row> =
                    $table::table.filter($table::id.eq_any(ids)).select(<$row>::as_select()).load($conn).await?;
                let place = |was: &Was<$kept>| {
                    standing.iter().position(|row| row.id() == was.row.id() && row.version == was.version)
                };
                let moved = document.iter().filter(|was| place(was).is_none());
                let moved: Vec<String> = moved.map(|was| $subject(was.row.id())).collect();
                if !moved.is_empty() {
                    return Err(StoreError::Moved { subjects: moved });
                }
                let mut undone = Vec::new();
                for was in document {
                    let $before = place(&was).and_then(|at| standing.get(at));
                    let (id, version, $was) = (was.row.id(), was.version, was.row.again(was.version + 1));
                    $ended;
                    let row = $table::table.find(id).filter($table::version.eq(version));
                    let after: Option<$row> = diesel::update(row)
                        .set($was)
                        .returning(<$row>::as_returning())
                        .get_result($conn)
                        .await
                        .optional()?;
                    let $after = after.ok_or_else(|| StoreError::Moved { subjects: vec![$subject(id)] })?;
                    let author = author.clone();
                    tell!($conn, author, $action, $subject(id), $before, Some($told), batch batch);
                    undone.push(Undone { id, version: $after.version });
                }
                Ok(undone)
            })
            .await?
        })
    }};
}

impl Store {
    async fn undo_users(&self, batch: i64) -> Result<Vec<Undone>, StoreError> {
        put_back!(
            self,
            batch,
            TrashKind::User,
            "user.update",
            user_rows,
            users::Row,
            KeptUser,
            users::subject,
            |conn, was| { end_sessions_of_user!(conn, was.id(), !was.enabled(), Some(was.role())) },
            |before, after| &after
        )
    }

    async fn undo_keys(&self, batch: i64) -> Result<Vec<Undone>, StoreError> {
        put_back!(
            self,
            batch,
            TrashKind::Key,
            "key.update",
            api_keys,
            keys::Row,
            KeptKey,
            keys::subject,
            |conn, was| { end_sessions_of_key!(conn, was.id(), !was.enabled(), Some(was.web_login())) },
            |before, after| &after
        )
    }

    async fn undo_providers(&self, batch: i64) -> Result<Vec<Undone>, StoreError> {
        put_back!(
            self,
            batch,
            TrashKind::Provider,
            "provider.update",
            provider_rows,
            providers::Row,
            KeptProvider,
            providers::subject,
            |conn, was| {},
            |before, after| &after
        )
    }
}
