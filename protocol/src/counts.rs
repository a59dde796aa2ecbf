//! Numbers and small objects out of upstream answers, without trusting them.
//!
//! One field of the wrong type must not cost the reading of its neighbours, and a count that no
//! model could reach must not reach the ledger.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::body::MAX_COUNT;

/// A count as an upstream gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Count {
    #[default]
    Absent,
    Good(u64),
    /// Negative, a fraction, beyond the bound, or no number at all.
    Absurd,
}

impl Count {
    /// The count, if it is there and good; an absurd one leaves a mark in `suspect`.
    pub(crate) fn get(self, suspect: &mut bool) -> Option<u64> {
        match self {
            Self::Good(count) => Some(count),
            Self::Absent => None,
            Self::Absurd => {
                *suspect = true;
                None
            }
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text == "null" {
            return Ok(Self::Absent);
        }
        // Some vendors write whole numbers as floats.
        let count = text.parse::<u64>().ok().or_else(|| {
            let number = text.parse::<f64>().ok()?;
            (number >= 0.0 && number.fract() == 0.0 && number <= MAX_COUNT as f64).then_some(number as u64)
        });
        Ok(count.filter(|count| *count <= MAX_COUNT).map_or(Self::Absurd, Self::Good))
    }
}

/// Reads a value, or nothing if it is of another type.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(serde_json::from_str(<&RawValue>::deserialize(deserializer)?.get()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_that_can_be_are_good() {
        let read = |json: &str| serde_json::from_str::<Count>(json).unwrap();
        assert_eq!(read("0"), Count::Good(0));
        assert_eq!(read("12.0"), Count::Good(12));
        assert_eq!(read("1e3"), Count::Good(1000));
        assert_eq!(read("1000000000000"), Count::Good(MAX_COUNT));
        assert_eq!(read("null"), Count::Absent);
        for absurd in
            ["-1", "1.5", "1000000000001", "1e400", "99999999999999999999999", "\"7\"", "true", "{}"]
        {
            assert_eq!(read(absurd), Count::Absurd, "{absurd}");
        }
    }
}
