//! Whole numbers and ids in bodies.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::admin::{
    body::{Flaws, FromJson},
    error::FlawCode,
};

/// A whole number between two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Whole<const MIN: i32, const MAX: i32>(i32);

impl<const MIN: i32, const MAX: i32> Whole<MIN, MAX> {
    /// The number.
    pub(in crate::admin) const fn get(self) -> i32 {
        self.0
    }

    /// The number, where it has eight bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked as it is compiled")]
    pub(in crate::admin) const fn small(self) -> u8 {
        const { assert!(MIN >= 0 && MAX <= u8::MAX as i32, "has eight bits") };
        self.0 as u8
    }

    /// The number, where [`MIN`] is not below zero.
    pub(in crate::admin) const fn unsigned(self) -> u32 {
        const { assert!(MIN >= 0, "bounded by zero from below") };
        self.0.unsigned_abs()
    }
}

impl<const MIN: i32, const MAX: i32> FromJson for Whole<MIN, MAX> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        whole(raw, field, flaws, MIN, MAX).map(Self)
    }
}

/// A count from zero up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Count<const MAX: u64>(u64);

impl<const MAX: u64> Count<MAX> {
    /// The count.
    pub(in crate::admin) const fn get(self) -> u64 {
        self.0
    }

    /// The count, where [`MAX`] has 32 bits at most.
    #[expect(clippy::cast_possible_truncation, reason = "MAX is checked where this is compiled")]
    pub(in crate::admin) const fn small(self) -> u32 {
        const { assert!(MAX <= u32::MAX as u64, "has 32 bits at most") };
        self.0 as u32
    }
}

impl<const MAX: u64> FromJson for Count<MAX> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        whole(raw, field, flaws, 0, MAX).map(Self)
    }
}

/// A whole number between two bounds, both included.
fn whole<T>(raw: &RawValue, field: &str, flaws: &mut Flaws, min: T, max: T) -> Option<T>
where
    T: DeserializeOwned + PartialOrd + Display,
{
    let read = integer::<T>(raw).filter(|number| (&min..=&max).contains(&number));
    if read.is_none() {
        // Whether it is another type or just too large, the same sentence tells what to write.
        let digits = raw.get().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let code = if digits { FlawCode::OutOfRange } else { FlawCode::WrongType };
        flaws.add(field, code, format!("must be a whole number from {min} to {max}"));
    }
    read
}

/// A whole number; in JSON `3.0` is one, and some languages write it so.
pub(super) fn integer<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    let written = raw.get();
    let whole = written.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
    serde_json::from_str(whole.map_or(written, |(whole, _)| whole)).ok()
}

/// The number of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct RowId(pub(in crate::admin) i64);

impl FromJson for RowId {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = integer(raw);
        if read.is_none() {
            flaws.add(field, FlawCode::WrongType, "must be an id, which is a number");
        }
        read.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point_and_nothing_behind_it() {
        let read = |json: &str| integer::<u32>(serde_json::from_str(json).unwrap());
        assert_eq!([read("3"), read("3.0"), read("0.000")], [Some(3), Some(3), Some(0)]);
        assert_eq!([read("3.5"), read("3e2"), read(r#""3.0""#), read("-3.0"), read("[3.0]")], [None; 5]);
    }
}
