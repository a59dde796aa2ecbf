//! What a request can cost at most, said before it is sent: for reservations (I-01).
//!
//! Nobody knows yet what caches will do, how urgently the upstream will serve and how long the input is by
//! its own count; so of all that the price provides for, the dearest counts. Pictures and searches can't
//! be bounded beforehand and are not in it.

use super::{
    cost::product,
    price::{Price, Rates},
};
use crate::money::Money;

impl Price {
    /// The most that `tokens` of input can cost.
    #[must_use]
    pub fn input_bound(&self, tokens: u64) -> Money {
        product([(self.dearest(tokens, Rates::dearest_input), tokens)], [], &Money::one())
    }

    /// The most that one token of output can cost behind an input of at most `input_tokens`.
    #[must_use]
    pub fn per_output_token(&self, input_tokens: u64) -> Money {
        product([(self.dearest_output(input_tokens), 1)], [], &Money::one())
    }

    /// The most that a request can cost with at most so much input and output, at a provider whose prices
    /// carry `multiplier`.
    #[must_use]
    pub fn bound(&self, input_tokens: u64, output_tokens: u64, multiplier: &Money) -> Money {
        let tokens = [
            (self.dearest(input_tokens, Rates::dearest_input), input_tokens),
            (self.dearest_output(input_tokens), output_tokens),
        ];
        product(tokens, [(&self.terms.per_request_usd, 1)], multiplier)
    }

    fn dearest_output(&self, input_tokens: u64) -> &Money {
        self.dearest(input_tokens, |rates| &rates.output_usd_per_mtok)
    }

    /// The dearest of the usual rates and of all tiers that so much input can reach.
    fn dearest<'a>(&'a self, input_tokens: u64, kind: impl Fn(&'a Rates) -> &'a Money) -> &'a Money {
        let reached = self.terms.tiers.iter().filter(|tier| tier.is_met(input_tokens));
        reached.map(|tier| kind(&tier.rates)).fold(kind(&self.rates), Ord::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{Service, Terms, Tier};

    fn usd(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn rates(input: &str, output: &str, write_1h: &str) -> Rates {
        Rates {
            input_usd_per_mtok: usd(input),
            output_usd_per_mtok: usd(output),
            cache_write_5m_usd_per_mtok: usd(input),
            cache_write_1h_usd_per_mtok: usd(write_1h),
            cache_read_usd_per_mtok: usd("0"),
        }
    }

    #[test]
    fn i01_a_bound_takes_the_dearest_that_can_be_reached() {
        let long =
            Tier { service: Service::Standard, above_input_tokens: 200_000, rates: rates("6", "22.5", "12") };
        let urgent = Tier { service: Service::Priority, above_input_tokens: 0, rates: rates("4", "20", "4") };
        let terms = Terms { tiers: vec![long, urgent], per_request_usd: usd("1"), ..Terms::default() };
        let price = Price { rates: rates("3", "15", "6"), terms };
        assert_eq!(price.input_bound(200_000).to_string(), "1.2", "written for an hour");
        assert_eq!(price.input_bound(200_001).to_string(), "2.400012");
        assert_eq!(price.per_output_token(200_000).to_string(), "0.00002");
        assert_eq!(price.per_output_token(200_001).to_string(), "0.0000225");
        assert_eq!(price.bound(1_000_000, 100_000, &usd("0.5")).to_string(), "7.625");
    }
}
