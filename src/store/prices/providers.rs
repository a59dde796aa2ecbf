//! Prices of models at one provider. They win over the price that a model has everywhere else.

use actors::{
    ids::ProviderId,
    pricing::{Price, Rates, Terms},
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::rows::{check_rates, check_terms};
use crate::store::{
    Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    schema::provider_prices,
    text::Clean,
    types::{At, Json},
};

/// The price of a model at one provider, from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderPriceRow {
    /// The row.
    pub id: i64,
    /// The provider.
    pub provider: ProviderId,
    /// The model.
    pub model: String,
    /// From when on it counts.
    pub effective_from: DateTime<Utc>,
    /// The price.
    pub price: Price,
}

/// A price as the document holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    rates: Rates,
    terms: Terms,
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = provider_prices)]
struct Row {
    id: i64,
    provider_id: i64,
    model: Clean,
    effective_from: At,
    price: Json<Stored>,
}

impl From<Row> for ProviderPriceRow {
    fn from(row: Row) -> Self {
        let Json(Stored { rates, terms }) = row.price;
        Self {
            id: row.id,
            provider: ProviderId(row.provider_id),
            model: row.model.into_string(),
            effective_from: row.effective_from.0,
            price: Price { rates, terms },
        }
    }
}

impl Store {
    /// Adds a price that counts from `effective_from` on. One of the same provider, model and instant is
    /// replaced.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an amount that cannot be stored exactly (I-06), or when there is no
    /// such provider.
    pub async fn put_provider_price(
        &self,
        provider: ProviderId,
        model: &str,
        effective_from: DateTime<Utc>,
        price: Price,
    ) -> Result<ProviderPriceRow, StoreError> {
        let Price { rates, terms } = price;
        check_rates(&rates)?;
        check_terms(&terms)?;
        let (model, author) = (Clean::name(model, "model")?, self.author());
        let new = (
            provider_prices::provider_id.eq(provider.0),
            provider_prices::model.eq(model.clone()),
            provider_prices::effective_from.eq(At(effective_from)),
            provider_prices::price.eq(Json(Stored { rates, terms })),
        );
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let before: Option<Row> = provider_prices::table
                    .filter(provider_prices::provider_id.eq(provider.0))
                    .filter(provider_prices::model.eq(model))
                    .order(provider_prices::effective_from.desc())
                    .select(Row::as_select())
                    .first(conn)
                    .await
                    .optional()?;
                let row: Row = diesel::insert_into(provider_prices::table)
                    .values(new)
                    .on_conflict((
                        provider_prices::provider_id,
                        provider_prices::model,
                        provider_prices::effective_from,
                    ))
                    .do_update()
                    .set(provider_prices::price.eq(excluded(provider_prices::price)))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                let subject = subject(provider, row.model.as_str());
                tell!(conn, author, "provider.price.set", subject, before.as_ref(), Some(&row));
                Ok::<_, StoreError>(row)
            })
            .await?
        })?;
        Ok(row.into())
    }

    /// What may be in effect from `at` on: of each provider and model the latest price that is not in the
    /// future, and all that are. By provider and model, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn provider_prices(&self, at: DateTime<Utc>) -> Result<Vec<ProviderPriceRow>, StoreError> {
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            provider_prices::table
                .order((
                    provider_prices::provider_id,
                    provider_prices::model,
                    provider_prices::effective_from.desc(),
                ))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        let mut rows: Vec<ProviderPriceRow> = rows.into_iter().map(Into::into).collect();
        let mut current = std::collections::HashSet::new();
        rows.retain(|row| row.effective_from > at || current.insert((row.provider, row.model.clone())));
        Ok(rows)
    }

    /// Takes away all prices of a model at a provider, so that the price it has elsewhere counts again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there are none.
    pub async fn delete_provider_prices(&self, provider: ProviderId, model: &str) -> Result<(), StoreError> {
        let (model, author) = (model.to_owned(), self.author());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let old = provider_prices::table
                    .filter(provider_prices::provider_id.eq(provider.0))
                    .filter(provider_prices::model.eq(&model));
                let before: Vec<Row> =
                    diesel::delete(old).returning(Row::as_returning()).get_results(conn).await?;
                if before.is_empty() {
                    return Err(StoreError::NotFound { what: "price" });
                }
                let subject = subject(provider, &model);
                tell!(conn, author, "provider.price.delete", subject, Some(&before), NOTHING);
                Ok(())
            })
            .await?;
        })
    }
}

/// How the audit log names the price of a model at a provider.
fn subject(provider: ProviderId, model: &str) -> String {
    format!("provider/{}/price/{model}", provider.0)
}
