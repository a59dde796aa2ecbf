//! The exact cost of what was consumed.
//!
//! A price is kept to 10⁻¹² dollars per million tokens, so a cost is a whole number of 10⁻¹⁸ dollars: as
//! long as that fits a machine word of 128 bits it is reckoned in one, and in decimals of any length
//! otherwise. Both are exact; only the speed differs.

use bigdecimal::{BigDecimal, ToPrimitive, num_bigint::BigInt};

use super::{consumed::Consumed, price::Price};
use crate::money::Money;

/// Digits after the point of prices, fees and factors.
const SCALE: i64 = 12;
/// Digits that the division by a million adds.
const PER_MILLION: i64 = 6;
/// A factor of one, in whole 10⁻¹².
const ONE: i128 = POWERS[SCALE as usize];

const POWERS: [i128; 13] = {
    let mut powers = [1; 13];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Amounts and how often each is due.
type Lines<'a, const N: usize> = [(&'a Money, u64); N];

impl Price {
    /// What `consumed` costs at a provider whose prices carry `multiplier`. Exact; never rounded.
    #[must_use]
    pub fn cost(&self, consumed: &Consumed, multiplier: &Money) -> Money {
        let Consumed { usage, images, web_searches, service } = consumed;
        let rates = match self.terms.tiers.as_slice() {
            [] => &self.rates,
            _ => self.rates_for(*service, usage.total_input()),
        };
        let tokens = [
            (&rates.input_usd_per_mtok, usage.input_tokens),
            (&rates.output_usd_per_mtok, usage.output_tokens),
            (&rates.cache_write_5m_usd_per_mtok, usage.cache_write_5m_tokens),
            (&rates.cache_write_1h_usd_per_mtok, usage.cache_write_1h_tokens),
            (&rates.cache_read_usd_per_mtok, usage.cache_read_tokens),
        ];
        let fees = [
            (&self.terms.per_request_usd, 1),
            (&self.terms.per_image_usd, *images),
            (&self.terms.per_web_search_usd, *web_searches),
        ];
        product(tokens, fees, multiplier)
    }
}

/// (tokens at their prices per million + fees) x multiplier.
pub(super) fn product<const T: usize, const F: usize>(
    tokens: Lines<'_, T>,
    fees: Lines<'_, F>,
    multiplier: &Money,
) -> Money {
    in_a_word(&tokens, &fees, multiplier).unwrap_or_else(|| in_decimals(&tokens, &fees, multiplier))
}

fn in_a_word(tokens: &[(&Money, u64)], fees: &[(&Money, u64)], multiplier: &Money) -> Option<Money> {
    let per_unit = sum(fees)?.checked_mul(POWERS[PER_MILLION as usize])?;
    let attodollars = sum(tokens)?.checked_add(per_unit)?;
    let (digits, scale) = match whole(multiplier)? {
        ONE => (attodollars, SCALE + PER_MILLION),
        factor => (attodollars.checked_mul(factor)?, SCALE + PER_MILLION + SCALE),
    };
    Some(Money::from_decimal(BigDecimal::new(BigInt::from(digits), scale)))
}

fn sum(lines: &[(&Money, u64)]) -> Option<i128> {
    let due = lines.iter().filter(|(_, count)| *count > 0);
    due.into_iter().try_fold(0_i128, |sum, (amount, count)| {
        sum.checked_add(whole(amount)?.checked_mul(i128::from(*count))?)
    })
}

/// The amount as a whole number of 10⁻¹², where it is one.
fn whole(amount: &Money) -> Option<i128> {
    let (digits, scale) = amount.as_decimal().as_bigint_and_scale();
    let missing = usize::try_from(SCALE.checked_sub(scale)?).ok()?;
    digits.to_i128()?.checked_mul(*POWERS.get(missing)?)
}

fn in_decimals(tokens: &[(&Money, u64)], fees: &[(&Money, u64)], multiplier: &Money) -> Money {
    let sum =
        |lines: &[(&Money, u64)]| lines.iter().map(|(amount, count)| amount.times(*count)).sum::<Money>();
    (sum(tokens).per_million() + sum(fees)) * multiplier
}

#[cfg(test)]
mod tests {
    use protocol::Usage;

    use super::*;
    use crate::pricing::{Rates, Terms};

    fn usd(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn rates() -> Rates {
        Rates {
            input_usd_per_mtok: usd("3"),
            output_usd_per_mtok: usd("15"),
            cache_write_5m_usd_per_mtok: usd("3.75"),
            cache_write_1h_usd_per_mtok: usd("6"),
            cache_read_usd_per_mtok: usd("0.3"),
        }
    }

    fn usage() -> Usage {
        Usage {
            input_tokens: 1,
            output_tokens: 10,
            cache_write_5m_tokens: 100,
            cache_write_1h_tokens: 1_000,
            cache_read_tokens: 10_000,
            reasoning_tokens: 7,
        }
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let (price, consumed) = (Price::from(rates()), Consumed::tokens(usage()));
        assert_eq!(price.cost(&consumed, &usd("1")).to_string(), "0.009528");
        assert_eq!(price.cost(&consumed, &usd("0.5")).to_string(), "0.004764");
        assert_eq!(price.cost(&consumed, &usd("0")).to_string(), "0");
    }

    #[test]
    fn fees_are_due_once_for_each_of_what_they_are_for() {
        let terms = Terms {
            per_request_usd: usd("1"),
            per_image_usd: usd("0.04"),
            per_web_search_usd: usd("0.01"),
            ..Terms::default()
        };
        let price = Price { rates: rates(), terms };
        let consumed = Consumed { images: 2, web_searches: 3, ..Consumed::tokens(usage()) };
        assert_eq!(price.cost(&consumed, &usd("1")).to_string(), "1.119528");
        assert_eq!(price.cost(&consumed, &usd("2")).to_string(), "2.239056");
    }

    #[test]
    fn i06_what_does_not_fit_a_word_is_reckoned_in_decimals() {
        let most = usd("9223372.036854775807");
        let tokens = [(&most, u64::MAX); 5];
        let fees = [(&most, u64::MAX); 3];
        let factor = usd("999.999999999999");
        assert_eq!(in_a_word(&tokens, &fees, &factor), None);
        let cost = product(tokens, fees, &factor).to_string();
        assert_eq!(cost, "510424401087324487033808995576.899903303808623102638486108475");
        let fine = usd("1e-13");
        assert_eq!(product([(&fine, 1)], [], &Money::one()).to_string(), "0.0000000000000000001");
    }
}
