//! What usage costs: a price row, and the exact product of the two.

use protocol::Usage;
use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The price of one model, in dollars per million tokens of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Input that no cache had a part in.
    pub input_usd_per_mtok: Money,
    /// Output, reasoning included.
    pub output_usd_per_mtok: Money,
    /// Input written to a cache of five minutes.
    pub cache_write_5m_usd_per_mtok: Money,
    /// Input written to a cache of an hour.
    pub cache_write_1h_usd_per_mtok: Money,
    /// Input read from a cache.
    pub cache_read_usd_per_mtok: Money,
}

impl Price {
    /// What `usage` costs at a provider whose prices carry `multiplier`. Exact; never rounded.
    #[must_use]
    pub fn cost(&self, usage: &Usage, multiplier: &Money) -> Money {
        let parts = [
            (&self.input_usd_per_mtok, usage.input_tokens),
            (&self.output_usd_per_mtok, usage.output_tokens),
            (&self.cache_write_5m_usd_per_mtok, usage.cache_write_5m_tokens),
            (&self.cache_write_1h_usd_per_mtok, usage.cache_write_1h_tokens),
            (&self.cache_read_usd_per_mtok, usage.cache_read_tokens),
        ];
        let spent = parts.into_iter().filter(|(_, tokens)| *tokens > 0);
        let per_million: Money = spent.map(|(price, tokens)| price.times(tokens)).sum();
        per_million.per_million() * multiplier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let usd = |text: &str| Money::parse(text).unwrap();
        let price = Price {
            input_usd_per_mtok: usd("3"),
            output_usd_per_mtok: usd("15"),
            cache_write_5m_usd_per_mtok: usd("3.75"),
            cache_write_1h_usd_per_mtok: usd("6"),
            cache_read_usd_per_mtok: usd("0.3"),
        };
        let usage = Usage {
            input_tokens: 1,
            output_tokens: 10,
            cache_write_5m_tokens: 100,
            cache_write_1h_tokens: 1_000,
            cache_read_tokens: 10_000,
            reasoning_tokens: 7,
        };
        assert_eq!(price.cost(&usage, &usd("1")).to_string(), "0.009528");
        assert_eq!(price.cost(&usage, &usd("0.5")).to_string(), "0.004764");
    }
}
