//! Prices of models. Rows are added and not changed, so that a past cost can be explained.

mod imports;
mod providers;
mod rows;

use std::collections::HashSet;

use actors::pricing::Price;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, RunQueryDsl};

use self::{
    imports::NewImport,
    rows::{NewRow, Row},
};
pub use self::{
    imports::{ImportOrigin, PriceImport},
    providers::ProviderPriceRow,
};
use super::{
    Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    schema::{model_prices, price_imports},
};

/// Where a price comes from; of those in effect the first kind that has one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceSource {
    /// An operator typed it.
    Manual,
    /// A price list was imported.
    Imported,
    /// It came with the program.
    Builtin,
}

impl PriceSource {
    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Imported => "imported",
            Self::Builtin => "builtin",
        }
    }

    /// The source of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Manual, Self::Imported, Self::Builtin].into_iter().find(|source| source.name() == name)
    }
}

/// The price of a model from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// The row.
    pub id: i64,
    /// The model.
    pub model: String,
    /// Where the price comes from.
    pub source: PriceSource,
    /// From when on it counts.
    pub effective_from: DateTime<Utc>,
    /// The price.
    pub price: Price,
}

impl Store {
    /// Adds prices that count from `effective_from` on, all or none. Where there is a price of the
    /// same model, source and instant already, it is replaced.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an amount that cannot be stored exactly (I-06).
    pub async fn put_prices(
        &self,
        source: PriceSource,
        effective_from: DateTime<Utc>,
        prices: Vec<(String, Price)>,
    ) -> Result<Vec<PriceRow>, StoreError> {
        self.write_prices(source, effective_from, prices, None).await
    }

    /// Adds the prices of a list that was taken in, and notes whose list it was, together or not at all.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an amount that cannot be stored exactly (I-06).
    pub async fn import_prices(
        &self,
        origin: &ImportOrigin,
        sha256: &str,
        effective_from: DateTime<Utc>,
        prices: Vec<(String, Price)>,
    ) -> Result<Vec<PriceRow>, StoreError> {
        let import = NewImport::new(origin, sha256, effective_from, prices.len())?;
        self.write_prices(PriceSource::Imported, effective_from, prices, Some(import)).await
    }

    async fn write_prices(
        &self,
        source: PriceSource,
        effective_from: DateTime<Utc>,
        prices: Vec<(String, Price)>,
        import: Option<NewImport>,
    ) -> Result<Vec<PriceRow>, StoreError> {
        let new = |(model, price): &(String, Price)| NewRow::new(model, source, effective_from, price);
        let new: Vec<NewRow> = prices.iter().map(new).collect::<Result<_, _>>()?;
        let author = self.author();
        let rows: Vec<Row> = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let imported = import.is_some();
                if let Some(import) = import {
                    tell!(conn, author.clone(), "price.import", "prices".to_owned(), NOTHING, Some(&import));
                    diesel::insert_into(price_imports::table).values(import).execute(conn).await?;
                }
                let mut rows = Vec::with_capacity(new.len());
                for new in new {
                    let before: Option<Row> = model_prices::table
                        .filter(model_prices::model.eq(new.model()))
                        .filter(model_prices::source.eq(source.name()))
                        .order(model_prices::effective_from.desc())
                        .select(Row::as_select())
                        .first(conn)
                        .await
                        .optional()?;
                    let row: Row = diesel::insert_into(model_prices::table)
                        .values(new)
                        .on_conflict((model_prices::model, model_prices::source, model_prices::effective_from))
                        .do_update()
                        .set((
                            model_prices::input_usd_per_mtok.eq(excluded(model_prices::input_usd_per_mtok)),
                            model_prices::output_usd_per_mtok.eq(excluded(model_prices::output_usd_per_mtok)),
                            model_prices::cache_write_5m_usd_per_mtok
                                .eq(excluded(model_prices::cache_write_5m_usd_per_mtok)),
                            model_prices::cache_write_1h_usd_per_mtok
                                .eq(excluded(model_prices::cache_write_1h_usd_per_mtok)),
                            model_prices::cache_read_usd_per_mtok
                                .eq(excluded(model_prices::cache_read_usd_per_mtok)),
                            model_prices::terms.eq(excluded(model_prices::terms)),
                        ))
                        .returning(Row::as_returning())
                        .get_result(conn)
                        .await?;
                    if !imported {
                        let subject = subject(row.model.as_str());
                        tell!(conn, author.clone(), "price.set", subject, before.as_ref(), Some(&row));
                    }
                    rows.push(row);
                }
                Ok::<_, StoreError>(rows)
            })
            .await?
        })?;
        rows.into_iter().map(PriceRow::try_from).collect()
    }

    /// What may be in effect from `at` on: of each model and source the latest price that is not in the
    /// future, and all that are. By model, the source that wins first, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price_schedule(&self, at: DateTime<Utc>) -> Result<Vec<PriceRow>, StoreError> {
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            model_prices::table.select(Row::as_select()).load(conn).await?
        })?;
        let mut rows: Vec<PriceRow> = rows.into_iter().map(PriceRow::try_from).collect::<Result<_, _>>()?;
        rows.sort_by(|a, b| {
            (&a.model, a.source, b.effective_from).cmp(&(&b.model, b.source, a.effective_from))
        });
        let mut current = HashSet::new();
        rows.retain(|row| row.effective_from > at || current.insert((row.model.clone(), row.source)));
        Ok(rows)
    }

    /// The price of each model that is in effect at `at`, ordered by model: the latest of the
    /// first source that has one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price_table(&self, at: DateTime<Utc>) -> Result<Vec<PriceRow>, StoreError> {
        let mut rows = self.price_schedule(at).await?;
        rows.retain(|row| row.effective_from <= at);
        rows.dedup_by(|later, first| later.model == first.model);
        Ok(rows)
    }

    /// Every price a model ever had, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price_history(&self, model: &str) -> Result<Vec<PriceRow>, StoreError> {
        let model = model.to_owned();
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            model_prices::table
                .filter(model_prices::model.eq(model))
                .order((model_prices::effective_from.desc(), model_prices::id.desc()))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        rows.into_iter().map(PriceRow::try_from).collect()
    }

    /// Takes away all prices of one source for a model, so that the next source counts again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there are none.
    pub async fn delete_prices(&self, model: &str, source: PriceSource) -> Result<(), StoreError> {
        let (model, author) = (model.to_owned(), self.author());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let old = model_prices::table
                    .filter(model_prices::model.eq(&model))
                    .filter(model_prices::source.eq(source.name()));
                let before: Vec<Row> =
                    diesel::delete(old).returning(Row::as_returning()).get_results(conn).await?;
                if before.is_empty() {
                    return Err(StoreError::NotFound { what: "price" });
                }
                tell!(conn, author, "price.delete", subject(&model), Some(&before), NOTHING);
                Ok(())
            })
            .await?;
        })
    }
}

/// How the audit log names the price of a model.
fn subject(model: &str) -> String {
    format!("price/{model}")
}
