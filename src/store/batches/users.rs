//! Many users changed at once.

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{Batch, KEPT, Made, Mode, NewRow, RowChange, Stop, Was, change_rows, outcome};
use crate::store::{
    Expected, Store, User, UserChange,
    audit::tell,
    db::db,
    error::StoreError,
    lists::Ranked as _,
    schema::{batches, users},
    trash::{KeptUser, TrashKind},
    types::At,
    users::{Row, change_user, subject},
};

impl Store {
    /// Changes users, all or none.
    ///
    /// # Errors
    /// As those of [`Store::update_user`]; then none was changed.
    pub async fn change_users(
        &self,
        changes: Vec<RowChange<UserChange>>,
        mode: Mode,
    ) -> Result<Batch<User>, StoreError> {
        let changes = super::columns(changes, |_, change| change.columns())?;
        let batch: Batch<Row> = change_rows!(
            self,
            TrashKind::User,
            "user.update",
            changes,
            mode,
            users as Row,
            kept as KeptUser,
            subject,
            |conn, id, expected, columns| change_user!(conn, id, expected, columns),
            |before, after| after
        )?;
        batch.try_map(User::try_from)
    }
}
