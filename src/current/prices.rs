//! The price list: what each model costs, by its name.

use std::collections::HashMap;

use actors::money::Money;
use serde_json::json;

use crate::{journal::record::Document, store::PriceRow};

/// Prices in force, one per model.
#[derive(Debug, Default)]
pub struct PriceList(HashMap<String, Listed>);

/// One model's price in force.
#[derive(Debug)]
pub struct Listed {
    /// The price row.
    pub row: PriceRow,
    /// How a cost is computed where no multiplier changes it: nearly always, so it is written down once.
    unchanged: Option<Document>,
}

impl PriceList {
    /// A list of these prices; of several for one model, the last counts.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = PriceRow>) -> Self {
        let listed = rows.into_iter().map(|row| {
            let unchanged = formula(&row, &Money::one());
            (row.model.clone(), Listed { row, unchanged })
        });
        Self(listed.collect())
    }

    /// What `model` costs, if that is known.
    #[must_use]
    pub fn find(&self, model: &str) -> Option<&Listed> {
        self.0.get(model)
    }

    /// Every priced model.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Listed {
    /// How a cost was computed, as it is kept with the request's row.
    #[must_use]
    pub fn formula(&self, multiplier: &Money) -> Option<Document> {
        if *multiplier == Money::one() { self.unchanged.clone() } else { formula(&self.row, multiplier) }
    }
}

fn formula(row: &PriceRow, multiplier: &Money) -> Option<Document> {
    let formula = json!({
        "price_id": row.id,
        "model": row.model,
        "source": row.source.name(),
        "price": row.price,
        "multiplier": multiplier,
        "formula": "(sum of tokens of each kind x its price) / 1,000,000 x multiplier",
    });
    Document::of(&formula).ok()
}
