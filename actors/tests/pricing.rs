//! Costs against a second reckoning in fractions, and the intake of amounts under hostile text (I-06).
//!
//! The second reckoning shares no arithmetic with the first: it reads the digits of each amount itself,
//! picks the rates by walking all tiers, and divides by a million as a fraction does.
//! `PRICING_CASES` sets the number of cases; a release is checked with a million.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::time::{Duration, Instant};

use actors::{
    money::{AmountError, Money},
    pricing::{
        Consumed, Price, Rates, Service, Terms, Tier,
        bounds::{Bounds, Size},
    },
};
use bigdecimal::num_bigint::BigInt;
use num_rational::BigRational;
use protocol::Usage;
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

const CASES: u64 = 25_000;
const THRESHOLDS: [u64; 4] = [0, 128_000, 200_000, 1_000_000];

fn cases() -> u64 {
    std::env::var("PRICING_CASES").ok().map_or(CASES, |cases| cases.parse().unwrap())
}

/// An amount as it may be typed: up to `digits` digits before the point and 12 behind, or a plain one.
fn amount(random: &mut SmallRng, digits: u32) -> String {
    match random.random_range(0..8) {
        0 => "0".to_owned(),
        1 => format!("{}e-{}", random.random_range(0..1_000), random.random_range(0..9)),
        2 => format!("{}", random.random_range(0..10_u64.pow(digits))),
        _ => {
            let behind = random.random_range(1..=12);
            let (whole, part) =
                (random.random_range(0..10_u64.pow(digits)), random.random_range(0..10_u64.pow(behind)));
            format!("{whole}.{part:0width$}", width = behind as usize)
        }
    }
}

/// The value of a typed amount, read digit by digit.
fn fraction(text: &str) -> BigRational {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = BigInt::from(0);
    for digit in whole.bytes().chain(part.bytes()) {
        digits = digits * 10 + (digit - b'0');
    }
    let behind = i32::try_from(part.len()).unwrap() - exponent.parse::<i32>().unwrap();
    let ten_to = |power: i32| BigInt::from(10).pow(u32::try_from(power.max(0)).unwrap());
    // Not reduced: equality does not need it, and it takes most of the time.
    BigRational::new_raw(digits * ten_to(-behind), ten_to(behind))
}

/// So often the value.
fn often(value: &BigRational, count: u64) -> BigRational {
    BigRational::new_raw(value.numer() * count, value.denom().clone())
}

/// A price as text, so that both sides read it for themselves.
struct Typed {
    rates: [String; 5],
    tiers: Vec<(Service, u64, [String; 5])>,
    fees: [String; 3],
    multiplier: String,
}

impl Typed {
    fn random(random: &mut SmallRng) -> Self {
        let mut tiers = Vec::new();
        for service in Service::ALL {
            for above in THRESHOLDS {
                // The usual service at any input is the price itself.
                if random.random_range(0..4) == 0 && (service, above) != (Service::Standard, 0) {
                    tiers.push((service, above, [(); 5].map(|()| amount(random, 5))));
                }
            }
        }
        Self {
            rates: [(); 5].map(|()| amount(random, 5)),
            tiers: if random.random_range(0..2) == 0 { tiers } else { Vec::new() },
            fees: [(); 3]
                .map(|()| if random.random_range(0..3) == 0 { amount(random, 2) } else { "0".into() }),
            multiplier: if random.random_range(0..2) == 0 { "1".into() } else { amount(random, 3) },
        }
    }

    fn price(&self) -> Price {
        let [per_request_usd, per_image_usd, per_web_search_usd] =
            self.fees.each_ref().map(|text| Money::parse(text).unwrap());
        let tiers = self.tiers.iter().map(|(service, above, texts)| Tier {
            service: *service,
            above_input_tokens: *above,
            rates: rates(texts),
        });
        let tiers = tiers.collect();
        let terms =
            Terms { tiers, per_request_usd, per_image_usd, per_web_search_usd, max_output_tokens: None };
        Price { rates: rates(&self.rates), terms }
    }

    fn cost(&self, consumed: &Consumed) -> BigRational {
        let usage = consumed.usage;
        let counts = [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
        ];
        let input = counts[0] + counts[2] + counts[3] + counts[4];
        let mut chosen = None;
        for wanted in [Service::Standard, consumed.service] {
            let mut highest = None;
            for (service, above, rates) in &self.tiers {
                let met = *above == 0 || input > *above;
                if *service == wanted && met && highest.is_none_or(|highest| highest < *above) {
                    (highest, chosen) = (Some(*above), Some(rates));
                }
            }
        }
        let mut cost = BigRational::from_integer(BigInt::from(0));
        for (rate, count) in chosen.unwrap_or(&self.rates).iter().zip(counts) {
            let million = BigRational::new_raw(BigInt::from(1), BigInt::from(1_000_000));
            if count > 0 {
                cost += often(&fraction(rate), count) * million;
            }
        }
        for (fee, count) in self.fees.iter().zip([1, consumed.images, consumed.web_searches]) {
            cost += often(&fraction(fee), count);
        }
        cost * fraction(&self.multiplier)
    }
}

fn rates(texts: &[String; 5]) -> Rates {
    let [input, output, write_5m, write_1h, read] = texts.each_ref().map(|text| Money::parse(text).unwrap());
    Rates {
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        cache_write_5m_usd_per_mtok: write_5m,
        cache_write_1h_usd_per_mtok: write_1h,
        cache_read_usd_per_mtok: read,
    }
}

/// Mostly of the usual size, sometimes none, sometimes as many as are believed at all.
fn count(random: &mut SmallRng) -> u64 {
    match random.random_range(0..8) {
        0..=1 => 0,
        2 => random.random_range(0..=1_000_000_000_000),
        _ => random.random_range(0..400_000),
    }
}

fn consumed(random: &mut SmallRng) -> Consumed {
    let usage = Usage {
        input_tokens: count(random),
        cache_read_tokens: count(random),
        cache_write_5m_tokens: count(random),
        cache_write_1h_tokens: count(random),
        output_tokens: count(random),
        reasoning_tokens: 0,
    };
    let service = Service::ALL[random.random_range(0..3)];
    Consumed { usage, images: random.random_range(0..4), web_searches: random.random_range(0..9), service }
}

#[test]
fn i06_every_cost_is_the_one_that_fractions_give() {
    let mut random = SmallRng::seed_from_u64(6);
    let mut in_decimals = 0;
    for case in 0..cases() {
        let (typed, consumed) = (Typed::random(&mut random), consumed(&mut random));
        let cost = typed.price().cost(&consumed, &Money::parse(&typed.multiplier).unwrap());
        let (digits, scale) = cost.as_decimal().as_bigint_and_scale();
        let told =
            BigRational::new_raw(digits.into_owned(), BigInt::from(10).pow(u32::try_from(scale).unwrap()));
        assert_eq!(told, typed.cost(&consumed), "case {case}: {consumed:?}");
        in_decimals += u64::from(scale != 18 && scale != 30);
    }
    assert!(in_decimals > cases() / 1_000, "the slow road was hardly gone: {in_decimals}");
}

#[test]
fn i01_no_cost_is_above_its_bound() {
    let mut random = SmallRng::seed_from_u64(1);
    for case in 0..cases() / 10 {
        let (typed, consumed) = (Typed::random(&mut random), consumed(&mut random));
        let consumed = Consumed { images: 0, web_searches: 0, ..consumed };
        let (price, multiplier) = (typed.price(), Money::parse(&typed.multiplier).unwrap());
        let (input, output) = (consumed.usage.total_input(), consumed.usage.output_tokens);
        let cost = price.cost(&consumed, &multiplier);
        // A token has at least one byte.
        let size = Size { body_bytes: input, max_output_tokens: Some(output), answers: 1 };
        let estimate = Bounds::of(&price).estimate(&size, &multiplier);
        let bound = estimate.worst_input + estimate.per_output_token.times(estimate.worst_output);
        let cost = cost.to_pico();
        assert!(cost <= bound, "case {case}: {cost} is more than {bound}");
    }
}

#[test]
fn i06_hostile_amounts_are_refused_within_ten_milliseconds() {
    let long = |text: &str| text.repeat(1 << 20);
    let hostile = [
        "1e50000000".to_owned(),
        "1e-50000000".to_owned(),
        "1e99999999999999999999".to_owned(),
        "-1".to_owned(),
        "-1e-30".to_owned(),
        "NaN".to_owned(),
        "inf".to_owned(),
        "0x10".to_owned(),
        long("9"),
        long("0"),
        long("-"),
        long("."),
        long(" "),
        format!("0.{}1", long("0")),
        format!("1e{}1", long("0")),
        format!("{}1e-30", "9".repeat(41)),
    ];
    for text in hostile {
        let begin = Instant::now();
        let told = Money::parse(&text);
        let took = begin.elapsed();
        let refused = [AmountError::NotANumber, AmountError::Negative, AmountError::OutOfRange];
        assert!(told.as_ref().is_err_and(|error| refused.contains(error)), "{told:?}");
        assert!(took < Duration::from_millis(10), "{} bytes took {took:?}", text.len());
    }
}
