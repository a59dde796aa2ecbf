//! Money: exact decimal dollars, bounded where they enter.
//!
//! No float ever stands between a token count and a ledger (I-06). Numbers come in through
//! [`Money::parse`], which refuses what would make exact arithmetic slow or meaningless.

use std::{fmt, ops, str::FromStr};

use bigdecimal::{BigDecimal, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most digits an amount may be written with.
const MAX_DIGITS: usize = 40;
/// The largest exponent, of either sign.
const MAX_EXPONENT: i64 = 30;

/// An amount of US dollars, or a factor applied to one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(BigDecimal);

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
        let text = raw.get();
        let amount = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(inner) => Self::parse(inner),
            None => Self::parse(text),
        };
        amount.map_err(serde::de::Error::custom)
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
}
