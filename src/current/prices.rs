//! The price list: what each model costs, by its name.

use std::collections::HashMap;

use actors::money::Money;
use serde_json::{Value, json};

use crate::store::PriceRow;

/// Prices in force, one per model.
#[derive(Debug, Default)]
pub struct PriceList(HashMap<String, PriceRow>);

impl PriceList {
    /// A list of these prices; of several for one model, the last counts.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = PriceRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.model.clone(), row)).collect())
    }

    /// What `model` costs, if that is known.
    #[must_use]
    pub fn find(&self, model: &str) -> Option<&PriceRow> {
        self.0.get(model)
    }

    /// Every priced model.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// How a cost was computed, as it is kept with the request's row.
#[must_use]
pub fn formula(row: &PriceRow, multiplier: &Money) -> Value {
    json!({
        "price_id": row.id,
        "model": row.model,
        "source": row.source.name(),
        "price": row.price,
        "multiplier": multiplier,
        "formula": "(sum of tokens of each kind x its price) / 1,000,000 x multiplier",
    })
}
