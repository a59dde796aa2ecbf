//! Money: exact decimal dollars, bounded where they enter, and the whole picodollars that ledgers count.
//!
//! No float ever stands between a token count and a ledger (I-06). Numbers come in through
//! [`Money::parse`], which refuses what would make exact arithmetic slow or meaningless. A cost is computed
//! exactly and rounded once, when it is settled: row, journal and ledger then hold the same [`Pico`].

use std::{fmt, ops, str::FromStr};

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most digits an amount may be written with.
const MAX_DIGITS: usize = 40;
/// The longest text that is looked at; digits, point, signs and exponent need less.
const MAX_BYTES: usize = 100;
/// The largest exponent, of either sign.
const MAX_EXPONENT: i64 = 30;

/// An amount of US dollars, or a factor applied to one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(BigDecimal);

/// An amount in whole picodollars (10⁻¹² dollars), as ledgers and rows hold it.
///
/// Sums stop at the ends of the scale instead of wrapping; those lie 10²⁶ dollars away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pico(pub i128);

/// Why a text is not an acceptable amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotANumber,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// More than 40 digits, or an exponent beyond ±30.
    #[error("too many digits or too large an exponent")]
    OutOfRange,
}

impl Money {
    /// Nothing.
    #[must_use]
    pub fn zero() -> Self {
        Self(BigDecimal::zero())
    }

    /// One dollar; as a factor, no change.
    #[must_use]
    pub fn one() -> Self {
        Self(BigDecimal::from(1))
    }

    /// Reads a decimal number, with or without exponent.
    ///
    /// # Errors
    /// Refuses anything that is no number, is negative, has more than 40 digits, or an exponent
    /// beyond ±30. The text is measured before it is parsed, so the check itself is cheap (S16).
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if text.len() > MAX_BYTES {
            return Err(AmountError::OutOfRange);
        }
        let text = text.trim();
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().map_err(|_| AmountError::NotANumber)?),
            None => (text, 0),
        };
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
        if digits == 0 || !mantissa.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+')) {
            return Err(AmountError::NotANumber);
        }
        if digits > MAX_DIGITS || exponent.abs() > MAX_EXPONENT {
            return Err(AmountError::OutOfRange);
        }
        let value = BigDecimal::from_str(text).map_err(|_| AmountError::NotANumber)?;
        if value < BigDecimal::zero() {
            return Err(AmountError::Negative);
        }
        Ok(Self(value))
    }

    /// Wraps a value that is already known to be sound, such as a column of our own.
    #[must_use]
    pub fn from_decimal(value: BigDecimal) -> Self {
        Self(value)
    }

    /// The value as a decimal.
    #[must_use]
    pub fn as_decimal(&self) -> &BigDecimal {
        &self.0
    }

    /// Whether this is exactly nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// This amount once per token.
    #[must_use]
    pub fn times(&self, count: u64) -> Self {
        Self(&self.0 * BigDecimal::from(count))
    }

    /// The price of one out of a million.
    #[must_use]
    pub fn per_million(&self) -> Self {
        Self(BigDecimal::new(1.into(), 6) * &self.0)
    }
}

/// Decimals of a dollar that a ledger keeps.
const PICO_SCALE: i64 = 12;
/// Picodollars in a dollar.
const PICOS: u128 = 1_000_000_000_000;

impl Money {
    /// This amount in whole picodollars, halves rounded up. What is beyond the scale becomes its end.
    #[must_use]
    pub fn to_pico(&self) -> Pico {
        let rounded = self.0.with_scale_round(PICO_SCALE, RoundingMode::HalfUp);
        let (count, _) = rounded.as_bigint_and_exponent();
        Pico(count.to_i128().unwrap_or(if self.0 < BigDecimal::zero() { i128::MIN } else { i128::MAX }))
    }
}

impl Pico {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The end of the scale.
    pub const MAX: Self = Self(i128::MAX);

    /// Reads a decimal number of dollars. Unlike [`Money::parse`] it takes a sign: what is free of a limit
    /// may be less than nothing, and corrections go both ways.
    ///
    /// # Errors
    /// As [`Money::parse`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        match text.trim().strip_prefix('-') {
            Some(unsigned) if !unsigned.starts_with(['+', '-']) => Ok(-Money::parse(unsigned)?.to_pico()),
            _ => Ok(Money::parse(text)?.to_pico()),
        }
    }

    /// The same amount in dollars.
    #[must_use]
    pub fn to_money(self) -> Money {
        Money(BigDecimal::new(self.0.into(), PICO_SCALE))
    }

    /// This amount so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// The `part`-th of `whole` parts of this amount, rounded up; all of it when there are no parts.
    #[must_use]
    pub fn share(self, part: u64, whole: u64) -> Self {
        if whole == 0 {
            return self;
        }
        let whole = i128::from(whole);
        let product = self.0.saturating_mul(i128::from(part));
        Self(product.div_euclid(whole).saturating_add(i128::from(product.rem_euclid(whole) > 0)))
    }

    /// Whether this is less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// This amount, or nothing when it is less than that.
    #[must_use]
    pub fn or_nothing(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl ops::Add for Pico {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ops::Sub for Pico {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl ops::Neg for Pico {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl ops::AddAssign for Pico {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl ops::SubAssign for Pico {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Pico {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, ops::Add::add)
    }
}

impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0.unsigned_abs() / PICOS, self.0.unsigned_abs() % PICOS);
        let sign = if self.is_negative() { "-" } else { "" };
        let decimals = format!("{rest:012}");
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{sign}{dollars}"),
            decimals => write!(f, "{sign}{dollars}.{decimals}"),
        }
    }
}

impl fmt::Debug for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl FromStr for Pico {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text)
    }
}

impl Serialize for Pico {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Accepts a decimal string or a JSON number; a number is read by its digits, never as a float.
impl<'de> Deserialize<'de> for Pico {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(from)?;
        Self::parse(unquoted(raw.get())).map_err(serde::de::Error::custom)
    }
}

/// What stands between the quotes of a JSON string without escapes; a number as it is.
fn unquoted(json: &str) -> &str {
    json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json)
}

impl ops::Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl ops::Mul<&Money> for Money {
    type Output = Self;
    fn mul(self, factor: &Money) -> Self {
        Self(self.0 * &factor.0)
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::zero(), ops::Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.normalized().to_plain_string())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl FromStr for Money {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Accepts a decimal string or a JSON number; a number is read by its digits, never as a float.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(from)?;
        Self::parse(unquoted(raw.get())).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn sums_are_exact_and_written_plainly() {
        assert_eq!((usd("0.1") + usd("0.2")).to_string(), "0.3");
        assert_eq!(usd("3").per_million().times(1).to_string(), "0.000003");
        assert_eq!(usd("3e-06").to_string(), "0.000003");
        assert_eq!(usd("1e3").to_string(), "1000");
        assert_eq!(Money::zero().to_string(), "0");
    }

    #[test]
    fn absurd_amounts_are_refused_at_the_door() {
        assert_eq!(Money::parse("1e50000000"), Err(AmountError::OutOfRange));
        assert_eq!(Money::parse(&"9".repeat(41)), Err(AmountError::OutOfRange));
        assert_eq!(Money::parse("-0.01"), Err(AmountError::Negative));
        for text in ["", "NaN", "inf", "0x10", "1_000", "--1", ".", "1e", "\"1\""] {
            assert_eq!(Money::parse(text), Err(AmountError::NotANumber), "{text}");
        }
    }

    #[test]
    fn json_numbers_are_read_by_their_digits() {
        let amount: Money = serde_json::from_str("0.30000000000000004").unwrap();
        assert_eq!(amount.to_string(), "0.30000000000000004");
        let amount: Money = serde_json::from_str("\"15\"").unwrap();
        assert_eq!(serde_json::to_string(&amount).unwrap(), "\"15\"");
    }

    #[test]
    fn i06_a_cost_is_rounded_once_to_picodollars_halves_up() {
        let check = |text: &str, picos: i128| assert_eq!(usd(text).to_pico(), Pico(picos), "{text}");
        check("0", 0);
        check("1", 1_000_000_000_000);
        check("0.0000000000004999999", 0);
        check("0.0000000000005", 1);
        check("0.0000000000015", 2);
        check("12.3456789012344999", 12_345_678_901_234);
        check("1e30", i128::MAX);
    }

    #[test]
    fn picodollars_are_written_as_plain_dollars_and_read_back() {
        let check = |picos: i128, text: &str| {
            assert_eq!(Pico(picos).to_string(), text);
            assert_eq!(Pico::parse(text), Ok(Pico(picos)));
            assert_eq!(serde_json::to_string(&Pico(picos)).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Pico>(text).unwrap(), Pico(picos));
        };
        check(0, "0");
        check(1, "0.000000000001");
        check(-1_500_000_000_000, "-1.5");
        check(42_000_000_000_000, "42");
        assert_eq!(Pico::parse("--1"), Err(AmountError::NotANumber));
        assert_eq!(Pico(-5).to_money().as_decimal(), &BigDecimal::from_str("-5e-12").unwrap());
    }

    #[test]
    fn a_sum_beyond_the_scale_stops_at_its_end() {
        assert_eq!(Pico::MAX + Pico(1), Pico::MAX);
        assert_eq!(Pico(2).times(u64::MAX), Pico(2 * i128::from(u64::MAX)));
        assert_eq!(Pico::MAX.times(2), Pico::MAX);
        assert_eq!(Pico(10).share(1, 3), Pico(4));
        assert_eq!(Pico(10).share(1, 0), Pico(10));
        assert_eq!(-Pico(i128::MIN), Pico::MAX);
    }
}
