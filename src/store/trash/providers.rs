//! Providers with their prices, deleted and restored. A credential stays sealed as it was: it is bound to the
//! number of its row, which comes back with it (C-09).

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    provider::card::{BreakerSettings, Timeouts},
};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use protocol::Format;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KEPT, NOT_FOUND, NewRow, TrashKind, put_away, take_out};
use crate::{
    secrets::sealing::{SealError, Sealer},
    store::{
        Provider, Store,
        audit::{NOTHING, tell},
        db::db,
        error::StoreError,
        limits::LimitsDoc,
        providers::{Row, opens, resealed, subject},
        restrictions::ProviderRestrictionsDoc,
        schema::{provider_prices, providers, trash},
        text::Clean,
        types::{Amount, At, Json},
    },
};

/// A provider as it is put away.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct Document {
    pub(in crate::store) provider: Kept,
    prices: Vec<KeptPrice>,
}

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = providers, treat_none_as_null = true)]
pub(in crate::store) struct Kept {
    id: i64,
    version: i64,
    name: Clean,
    kind: Clean,
    base_url: Clean,
    credential: Vec<u8>,
    formats: Json<Vec<Format>>,
    weight: i32,
    priority: i32,
    cost_multiplier: Amount,
    groups: Json<Vec<String>>,
    allowed_models: Json<Vec<String>>,
    model_redirects: Json<BTreeMap<String, String>>,
    limits: Json<LimitsDoc>,
    breaker: Json<BreakerSettings>,
    timeouts: Json<Timeouts>,
    allow_private_network: bool,
    enabled: bool,
    notes: Clean,
    created_at: At,
    updated_at: At,
    /// Not in what was put away before there were any.
    #[serde(default)]
    restrictions: Json<ProviderRestrictionsDoc>,
}

impl Kept {
    /// The same in another version.
    pub(in crate::store) fn again(self, version: i64) -> Self {
        Self { version, updated_at: At::now(), ..self }
    }

    pub(in crate::store) const fn id(&self) -> i64 {
        self.id
    }

    /// Whether the credential opens.
    pub(in crate::store) fn opens(&self, sealer: &Sealer) -> bool {
        opens(sealer, &self.credential, self.id)
    }

    /// Seals the credential anew; false where that was not needed.
    pub(in crate::store) fn reseal(&mut self, sealer: &Sealer) -> Result<bool, SealError> {
        let anew = resealed(sealer, &self.credential, self.id)?;
        Ok(anew.map(|credential| self.credential = credential).is_some())
    }
}

#[derive(Debug, Queryable, Selectable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = provider_prices)]
struct KeptPrice {
    id: i64,
    provider_id: i64,
    model: Clean,
    effective_from: At,
    price: Json<Value>,
}

impl Store {
    /// Deletes a provider. Request rows stay, and for a while it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_provider(&self, id: ProviderId) -> Result<(), StoreError> {
        let (author, expected) = (self.author(), self.expected());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let row = providers::table.find(id.0);
                let before: Option<Row> = row.select(Row::as_select()).first(conn).await.optional()?;
                let before = before.ok_or(StoreError::NotFound { what: "provider" })?;
                expected.check(before.version)?;
                let prices: Vec<KeptPrice> = provider_prices::table
                    .filter(provider_prices::provider_id.eq(id.0))
                    .select(KeptPrice::as_select())
                    .load(conn)
                    .await?;
                let same = providers::table.find(id.0).filter(providers::version.eq(before.version));
                let provider: Option<Kept> =
                    diesel::delete(same).returning(Kept::as_returning()).get_result(conn).await.optional()?;
                let provider = provider.ok_or(StoreError::Stale { version: before.version + 1 })?;
                let (name, document) = (provider.name.clone(), Document { provider, prices });
                put_away!(conn, NewRow::new(TrashKind::Provider, id.0, &name, document, author.as_ref()));
                tell!(conn, author, "provider.delete", subject(id.0), Some(&before), NOTHING);
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// Brings a deleted provider back, with its prices.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not there (any more), [`StoreError::Conflict`] when another has its
    /// name by now.
    pub async fn restore_provider(&self, id: ProviderId) -> Result<Provider, StoreError> {
        let author = self.author();
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let Document { provider, prices }: Document = take_out!(conn, TrashKind::Provider, id.0);
                let version = provider.version + 1;
                let provider = provider.again(version);
                let row: Row = diesel::insert_into(providers::table)
                    .values(provider)
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                for price in prices {
                    diesel::insert_into(provider_prices::table).values(price).execute(conn).await?;
                }
                tell!(conn, author, "provider.restore", subject(id.0), NOTHING, Some(&row));
                Ok::<_, StoreError>(row)
            })
            .await?
        })?;
        row.open(self.sealer())
    }
}
