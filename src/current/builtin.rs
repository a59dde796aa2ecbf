//! The prices that come with the program, so that the first request is priced.
//!
//! They are the vendors' public list prices on the day that the table names, and lose to whatever was
//! imported or typed. Only models that are in it count: a name that merely begins like one has no price.

use std::sync::LazyLock;

use actors::{
    money::Money,
    pricing::{Price, Rates, Terms, Tier},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Deserialize;

use crate::store::{PriceRow, PriceSource};

const TABLE: &str = include_str!("builtin_prices.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    as_of: NaiveDate,
    models: Vec<Entry>,
}

/// What all of these names cost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    names: Vec<String>,
    input_usd_per_mtok: Money,
    output_usd_per_mtok: Money,
    cache_write_5m_usd_per_mtok: Option<Money>,
    cache_write_1h_usd_per_mtok: Option<Money>,
    cache_read_usd_per_mtok: Option<Money>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    per_web_search_usd: Money,
    max_output_tokens: Option<u64>,
}

static ROWS: LazyLock<Vec<PriceRow>> = LazyLock::new(|| {
    let table: Table = serde_json::from_str(TABLE).expect("the table is read in a test");
    let effective_from = table.as_of.and_time(NaiveTime::MIN).and_utc();
    table.models.into_iter().flat_map(|entry| entry.rows(effective_from)).collect()
});

/// The rows, which have no number: they are in no database.
pub(super) fn rows() -> impl Iterator<Item = PriceRow> {
    ROWS.iter().cloned()
}

impl Entry {
    fn rows(self, effective_from: DateTime<Utc>) -> impl Iterator<Item = PriceRow> {
        let rates = Rates::completed(
            self.input_usd_per_mtok,
            self.output_usd_per_mtok,
            self.cache_write_5m_usd_per_mtok,
            self.cache_write_1h_usd_per_mtok,
            self.cache_read_usd_per_mtok,
        );
        let terms = Terms {
            tiers: self.tiers,
            per_web_search_usd: self.per_web_search_usd,
            max_output_tokens: self.max_output_tokens,
            ..Terms::default()
        };
        let price = Price { rates, terms };
        self.names.into_iter().map(move |model| PriceRow {
            id: 0,
            model,
            source: PriceSource::Builtin,
            effective_from,
            price: price.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_model_stands_in_the_table_once_and_costs_something() {
        let mut names = HashSet::new();
        for row in rows() {
            assert!(names.insert(row.model.clone()), "{} stands twice", row.model);
            assert!(!row.price.is_free(), "{}", row.model);
            let mut places = HashSet::new();
            let tiers = &row.price.terms.tiers;
            assert!(tiers.iter().all(|tier| places.insert((tier.service, tier.above_input_tokens))));
        }
        for family in ["claude-", "gpt-", "gemini-"] {
            assert!(names.iter().any(|name| name.starts_with(family)), "{family}");
        }
    }

    /// The vendors' own rules for what a cache costs, which a slip of a digit would break.
    #[test]
    fn what_caches_cost_follows_from_what_input_costs() {
        let usd = |text: &str| Money::parse(text).unwrap();
        for PriceRow { model, price, .. } in rows() {
            let tiers = price.terms.tiers.iter().map(|tier| &tier.rates);
            for rates in tiers.chain([&price.rates]) {
                let input = &rates.input_usd_per_mtok;
                let (short, long) = (&rates.cache_write_5m_usd_per_mtok, &rates.cache_write_1h_usd_per_mtok);
                if model.starts_with("claude-") && model != "claude-3-haiku-20240307" {
                    assert_eq!(*short, input.clone() * &usd("1.25"), "{model}");
                    assert_eq!(*long, input.clone() * &usd("2"), "{model}");
                    assert_eq!(rates.cache_read_usd_per_mtok, input.clone() * &usd("0.1"), "{model}");
                }
                assert!(rates.cache_read_usd_per_mtok <= *input, "{model}");
                assert!(
                    rates.output_usd_per_mtok >= *input || rates.output_usd_per_mtok.is_zero(),
                    "{model}"
                );
            }
        }
    }
}
