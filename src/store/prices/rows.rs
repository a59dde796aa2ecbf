//! Rows of `model_prices`.

use actors::pricing::{Price, Rates, Terms};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use super::{PriceRow, PriceSource};
use crate::store::{
    error::StoreError,
    schema::model_prices,
    text::Clean,
    types::{Amount, At, Json},
};

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = model_prices)]
pub(super) struct Row {
    id: i64,
    pub(super) model: Clean,
    source: Clean,
    effective_from: At,
    input_usd_per_mtok: Amount,
    output_usd_per_mtok: Amount,
    cache_write_5m_usd_per_mtok: Amount,
    cache_write_1h_usd_per_mtok: Amount,
    cache_read_usd_per_mtok: Amount,
    terms: Option<Json<Terms>>,
}

#[derive(Insertable)]
#[diesel(table_name = model_prices)]
pub(super) struct NewRow {
    model: Clean,
    source: &'static str,
    effective_from: At,
    input_usd_per_mtok: Amount,
    output_usd_per_mtok: Amount,
    cache_write_5m_usd_per_mtok: Amount,
    cache_write_1h_usd_per_mtok: Amount,
    cache_read_usd_per_mtok: Amount,
    terms: Option<Json<Terms>>,
}

impl NewRow {
    pub(super) fn model(&self) -> Clean {
        self.model.clone()
    }

    pub(super) fn new(
        model: &str,
        source: PriceSource,
        effective_from: DateTime<Utc>,
        price: &Price,
    ) -> Result<Self, StoreError> {
        let Price { rates, terms } = price;
        check_terms(terms)?;
        Ok(Self {
            model: Clean::name(model, "model")?,
            source: source.name(),
            effective_from: At(effective_from),
            input_usd_per_mtok: Amount::exact(&rates.input_usd_per_mtok, "input_usd_per_mtok")?,
            output_usd_per_mtok: Amount::exact(&rates.output_usd_per_mtok, "output_usd_per_mtok")?,
            cache_write_5m_usd_per_mtok: Amount::exact(
                &rates.cache_write_5m_usd_per_mtok,
                "cache_write_5m_usd_per_mtok",
            )?,
            cache_write_1h_usd_per_mtok: Amount::exact(
                &rates.cache_write_1h_usd_per_mtok,
                "cache_write_1h_usd_per_mtok",
            )?,
            cache_read_usd_per_mtok: Amount::exact(
                &rates.cache_read_usd_per_mtok,
                "cache_read_usd_per_mtok",
            )?,
            terms: (*terms != Terms::default()).then(|| Json(terms.clone())),
        })
    }
}

/// Refuses rates that cannot be kept exactly, wherever they are kept.
pub(super) fn check_rates(rates: &Rates) -> Result<(), StoreError> {
    rates.named().into_iter().try_for_each(|(name, rate)| Amount::exact(rate, name).map(drop))
}

/// Refuses terms of which an amount cannot be kept exactly, though documents would keep it.
pub(super) fn check_terms(terms: &Terms) -> Result<(), StoreError> {
    terms.tiers.iter().try_for_each(|tier| check_rates(&tier.rates))?;
    let fees = [
        ("per_request_usd", &terms.per_request_usd),
        ("per_image_usd", &terms.per_image_usd),
        ("per_web_search_usd", &terms.per_web_search_usd),
    ];
    fees.into_iter().try_for_each(|(name, fee)| Amount::exact(fee, name).map(drop))
}

impl TryFrom<Row> for PriceRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let source = PriceSource::from_name(row.source.as_str())
            .ok_or_else(|| StoreError::Corrupt(format!("model_prices.source: `{}`", row.source.as_str())))?;
        Ok(Self {
            id: row.id,
            model: row.model.into_string(),
            source,
            effective_from: row.effective_from.0,
            price: Price {
                rates: Rates {
                    input_usd_per_mtok: row.input_usd_per_mtok.money(),
                    output_usd_per_mtok: row.output_usd_per_mtok.money(),
                    cache_write_5m_usd_per_mtok: row.cache_write_5m_usd_per_mtok.money(),
                    cache_write_1h_usd_per_mtok: row.cache_write_1h_usd_per_mtok.money(),
                    cache_read_usd_per_mtok: row.cache_read_usd_per_mtok.money(),
                },
                terms: row.terms.map(|Json(terms)| terms).unwrap_or_default(),
            },
        })
    }
}
