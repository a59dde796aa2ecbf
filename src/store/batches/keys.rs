//! Many api keys changed at once.

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{Batch, KEPT, Made, Mode, NewRow, RowChange, Stop, Was, change_rows, outcome};
use crate::store::{
    Expected, Key, KeyChange, Store,
    audit::tell,
    db::db,
    error::StoreError,
    keys::{Row, change_key, subject},
    lists::Ranked as _,
    schema::{api_keys, batches},
    trash::{KeptKey, TrashKind},
    types::At,
};

impl Store {
    /// Changes keys, all or none.
    ///
    /// # Errors
    /// As those of [`Store::update_key`]; then none was changed.
    pub async fn change_keys(
        &self,
        changes: Vec<RowChange<KeyChange>>,
        mode: Mode,
    ) -> Result<Batch<Key>, StoreError> {
        let changes = super::columns(changes, |_, change| change.columns())?;
        let batch: Batch<Row> = change_rows!(
            self,
            TrashKind::Key,
            "key.update",
            changes,
            mode,
            api_keys as Row,
            kept as KeptKey,
            subject,
            |conn, id, expected, columns| change_key!(conn, id, expected, columns),
            |before, after| after
        )?;
        batch.try_map(|row| Ok(row.into()))
    }
}
