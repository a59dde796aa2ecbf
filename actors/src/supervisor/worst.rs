//! The worst of the last minute or two, noted by many hands without a lock.
//!
//! Two places, for even and odd minutes. A place holds its minute above the value, so that the greatest of both
//! is the greatest value of the latest minute, and a new minute needs no clearing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const VALUE_BITS: u32 = 40;
/// Twelve days in microseconds; what is worse counts as that.
const GREATEST: u64 = (1 << VALUE_BITS) - 1;
const MINUTE_US: u64 = 60_000_000;

/// The worst value lately. Times are microseconds on a clock that its owner chooses and keeps to.
#[derive(Debug, Default)]
pub struct Worst([AtomicU64; 2]);

impl Worst {
    /// Takes a value down.
    pub fn note(&self, now_us: u64, value: u64) {
        let minute = minute(now_us);
        let packed = (minute << VALUE_BITS) | value.min(GREATEST);
        let place = &self.0[(minute & 1) as usize];
        // Looking first is cheaper where many write: nearly no value is the worst.
        if place.load(Relaxed) < packed {
            place.fetch_max(packed, Relaxed);
        }
    }

    /// The worst of this minute and the one before.
    #[must_use]
    pub fn lately(&self, now_us: u64) -> u64 {
        let minute = minute(now_us);
        let of_now = |packed: u64| packed >> VALUE_BITS >= minute.saturating_sub(1);
        let places = self.0.iter().map(|place| place.load(Relaxed));
        places.filter(|packed| of_now(*packed)).map(|packed| packed & GREATEST).max().unwrap_or_default()
    }
}

/// From 1, so that an empty place is older than any minute.
fn minute(now_us: u64) -> u64 {
    (now_us / MINUTE_US + 2) & (u64::MAX >> VALUE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_remembered_for_a_minute_at_least_and_two_at_most() {
        let worst = Worst::default();
        assert_eq!(worst.lately(0), 0);
        let at = |minutes: u64| minutes * MINUTE_US;
        worst.note(at(5), 700);
        worst.note(at(5) + 1, 30);
        assert_eq!(worst.lately(at(5) + 2), 700);
        worst.note(at(6), 10);
        assert_eq!(worst.lately(at(7) - 1), 700, "a minute ago");
        worst.note(at(7), 20);
        assert_eq!(worst.lately(at(7)), 20, "longer ago, and its place is taken");
        assert_eq!(worst.lately(at(9)), 0, "longer ago, and nobody took its place");
    }

    #[test]
    fn what_is_beyond_all_measure_counts_as_the_greatest() {
        let worst = Worst::default();
        worst.note(1, u64::MAX);
        assert_eq!(worst.lately(1), GREATEST);
    }
}
