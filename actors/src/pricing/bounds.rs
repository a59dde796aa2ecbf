//! What a request can cost at most, said before it is sent: for reservations (I-01).
//!
//! Nobody knows yet what caches will do, how urgently the upstream will serve and how long the input is by
//! its own count; so of all that the price provides for, the dearest counts. Pictures and searches can't
//! be bounded beforehand and are not in it. All of it is in whole picodollars per token, rounded up and
//! read off the price once, so that a reservation takes no decimals on the way of every request.

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive};

use super::price::{Price, Rates};
use crate::{
    ledger::claim::Estimate,
    money::{Money, Pico},
};

/// A token has at least one byte; likely it has four.
const LIKELY_BYTES_PER_TOKEN: u64 = 4;
/// The most output a model is taken to give where its price says nothing: the most any vendor offers.
const MOST_OUTPUT: u64 = 128_000;
/// Picodollars a token costs for each dollar a million of them costs.
const PICO_PER_TOKEN: i64 = 1_000_000;

/// Picodollars in a dollar.
const PICO_PER_USD: i64 = 1_000_000_000_000;

/// The bounds that a price sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// By the input from which they hold, the usual ones first.
    steps: Vec<Step>,
    per_request: Pico,
    max_output_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    above_input_tokens: u64,
    input: Pico,
    dearest_input: Pico,
    output: Pico,
}

/// How much a request asks for, as its body tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Length of the body.
    pub body_bytes: u64,
    /// The bound the caller set on the tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// How many answers are asked for.
    pub answers: u64,
}

impl Bounds {
    /// Those of `price`.
    #[must_use]
    pub fn of(price: &Price) -> Self {
        let step = |above, rates: &Rates| Step {
            above_input_tokens: above,
            input: per_token(&rates.input_usd_per_mtok),
            dearest_input: per_token(rates.dearest_input()),
            output: per_token(&rates.output_usd_per_mtok),
        };
        let tiers = price.terms.tiers.iter().map(|tier| step(tier.above_input_tokens, &tier.rates));
        Self {
            steps: std::iter::once(step(0, &price.rates)).chain(tiers).collect(),
            per_request: rounded_up(
                &(price.terms.per_request_usd.as_decimal() * BigDecimal::from(PICO_PER_USD)),
            ),
            max_output_tokens: price.terms.max_output_tokens.unwrap_or(MOST_OUTPUT),
        }
    }

    /// What a request of that size is likely to use, and can use at most, at a factor on all prices.
    #[must_use]
    pub fn estimate(&self, size: &Size, multiplier: &Money) -> Estimate {
        let Size { body_bytes, max_output_tokens, answers } = *size;
        let input_tokens = body_bytes.div_ceil(LIKELY_BYTES_PER_TOKEN);
        let max_output = max_output_tokens.map(|tokens| tokens.saturating_mul(answers));
        let dearest = |input_tokens, rate: fn(&Step) -> Pico| self.dearest(input_tokens, rate);
        let input = self.per_request + dearest(input_tokens, |step| step.input).times(input_tokens);
        let worst_input = self.per_request + dearest(body_bytes, |step| step.dearest_input).times(body_bytes);
        let factor = |amount| multiplied(amount, multiplier);
        Estimate {
            input: factor(input),
            input_tokens,
            per_output_token: factor(dearest(body_bytes, |step| step.output)),
            max_output,
            worst_input: factor(worst_input),
            worst_output: max_output.unwrap_or_else(|| self.max_output_tokens.saturating_mul(answers)),
        }
    }

    fn dearest(&self, input_tokens: u64, rate: fn(&Step) -> Pico) -> Pico {
        let reached = |step: &&Step| step.above_input_tokens == 0 || input_tokens > step.above_input_tokens;
        self.steps.iter().filter(reached).map(rate).max().unwrap_or(Pico::ZERO)
    }
}

fn per_token(usd_per_mtok: &Money) -> Pico {
    rounded_up(&(usd_per_mtok.as_decimal() * BigDecimal::from(PICO_PER_TOKEN)))
}

fn multiplied(amount: Pico, multiplier: &Money) -> Pico {
    if *multiplier == Money::one() {
        return amount;
    }
    rounded_up(&(BigDecimal::from(amount.0) * multiplier.as_decimal()))
}

fn rounded_up(picos: &BigDecimal) -> Pico {
    let (whole, _) = picos.with_scale_round(0, RoundingMode::Ceiling).into_bigint_and_exponent();
    whole.to_i128().map_or(Pico::MAX, Pico)
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
            cache_write_1h_usd_per_mtok: usd(write_1h),
            ..Rates::default()
        }
    }

    fn price() -> Price {
        let above_input_tokens = 1_000;
        let long = Tier { service: Service::Standard, above_input_tokens, rates: rates("6", "30", "12") };
        let terms = Terms { tiers: vec![long], per_request_usd: usd("0.5"), ..Terms::default() };
        Price { rates: rates("3", "15", "6"), terms }
    }

    #[test]
    fn i02_the_worst_case_takes_each_byte_for_a_token_at_the_dearest_rate_it_can_reach() {
        let size = Size { body_bytes: 2_000, max_output_tokens: Some(100), answers: 2 };
        let estimate = Bounds::of(&price()).estimate(&size, &Money::one());
        assert_eq!(estimate.input_tokens, 500);
        assert_eq!(estimate.input.to_string(), "0.5015");
        assert_eq!(estimate.worst_input.to_string(), "0.524", "2,000 tokens of the long tier, for an hour");
        assert_eq!(estimate.per_output_token.to_string(), "0.00003");
        assert_eq!((estimate.max_output, estimate.worst_output), (Some(200), 200));
    }

    #[test]
    fn without_a_bound_of_the_callers_the_models_own_holds() {
        let size = Size { body_bytes: 4, max_output_tokens: None, answers: 1 };
        let estimate = Bounds::of(&price()).estimate(&size, &Money::one());
        assert_eq!((estimate.max_output, estimate.worst_output), (None, MOST_OUTPUT));
        let mut short = price();
        short.terms.max_output_tokens = Some(8_192);
        assert_eq!(Bounds::of(&short).estimate(&size, &Money::one()).worst_output, 8_192);
    }

    #[test]
    fn i06_what_is_no_whole_picodollar_is_rounded_against_the_caller() {
        let size = Size { body_bytes: 1, max_output_tokens: Some(1), answers: 1 };
        let odd = Price { rates: rates("0.0000001", "0.0000019", "0"), terms: Terms::default() };
        let estimate = Bounds::of(&odd).estimate(&size, &usd("0.3"));
        assert_eq!((estimate.input, estimate.per_output_token), (Pico(1), Pico(1)));
        let absurd = Price { rates: rates("1e30", "0", "0"), terms: Terms::default() };
        assert_eq!(Bounds::of(&absurd).estimate(&size, &usd("1e30")).input, Pico::MAX);
    }
}
