//! Many providers changed at once. What is kept of them has their credentials as the rows have them: sealed (C-09).

use actors::ids::ProviderId;
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{Batch, KEPT, Made, Mode, NewRow, RowChange, Stop, Was, change_rows, outcome};
use crate::store::{
    Expected, Provider, ProviderChange, Store,
    audit::tell,
    db::db,
    error::StoreError,
    lists::Ranked as _,
    providers::{Changes, Row, change_provider, subject},
    schema::{batches, providers},
    trash::{KeptProvider, TrashKind},
    types::At,
};

impl Store {
    /// Changes providers, all or none.
    ///
    /// # Errors
    /// As those of [`Store::update_provider`]; then none was changed.
    pub async fn change_providers(
        &self,
        changes: Vec<RowChange<ProviderChange>>,
        mode: Mode,
    ) -> Result<Batch<Provider>, StoreError> {
        let columns = |id, change| Changes::new(ProviderId(id), change, self.sealer());
        let changes = super::columns(changes, columns)?;
        let batch: Batch<Row> = change_rows!(
            self,
            TrashKind::Provider,
            "provider.update",
            changes,
            mode,
            providers as Row,
            kept as KeptProvider,
            subject,
            |conn, id, expected, columns| change_provider!(conn, id, expected, columns),
            |before, after| &after.since(before)
        )?;
        batch.try_map(|row| row.open(self.sealer()))
    }
}
