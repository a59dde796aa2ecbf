//! The models that were served without a price: each is counted, and warned of once (I-07).
//!
//! Only a request without a price comes here, so the lock is not on the way of the others.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The most models that are told apart; callers choose the names.
const MOST: usize = 1_000;
/// What all others are counted as.
const OTHERS: &str = "(others)";

/// How often each model was served without a price since the start.
#[derive(Debug, Default)]
pub struct Unpriced(Mutex<BTreeMap<String, u64>>);

impl Unpriced {
    /// Counts a request for `model`. Returns whether it is the first.
    pub fn note(&self, model: &str) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let model = if counts.len() < MOST || counts.contains_key(model) { model } else { OTHERS };
        let count = counts.entry(model.to_owned()).or_default();
        *count += 1;
        let first = *count == 1;
        drop(counts);
        if first {
            log::warn!(model; "no price is known for model {model}: it is served, and its cost is unknown");
        }
        first
    }

    /// Every such model with its count, by name.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(model, count)| (model.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i07_each_model_is_warned_of_once_and_counted_always() {
        let unpriced = Unpriced::default();
        assert_eq!([(); 3].map(|()| unpriced.note("m")), [true, false, false]);
        assert!(unpriced.note("n"));
        assert_eq!(unpriced.counts(), [("m".to_owned(), 3), ("n".to_owned(), 1)]);
    }

    #[test]
    fn names_that_callers_make_up_do_not_fill_the_memory() {
        let unpriced = Unpriced::default();
        for number in 0..2 * MOST {
            unpriced.note(&format!("m{number}"));
        }
        unpriced.note("m1");
        let counts = unpriced.counts();
        assert_eq!(counts.len(), MOST + 1);
        assert_eq!(counts[0], (OTHERS.to_owned(), MOST as u64));
        assert!(counts.contains(&("m1".to_owned(), 2)));
    }
}
