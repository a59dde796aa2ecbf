//! What there are few of, each found by its key without a lock.
//!
//! The map is replaced as a whole when a key is new, which happens a handful of times in the life of a process:
//! whoever counts only reads.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use arc_swap::ArcSwap;

/// What all names beyond the bound are called.
pub(super) const OTHER: &str = "other";

/// A map to which little is ever added.
pub(super) struct Few<K, V>(ArcSwap<HashMap<K, V>>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(HashMap::new()))
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Few<K, V> {
    /// Does `work` with what `key` leads to. The first time it is made; two that do so at once must make the
    /// same.
    pub(super) fn with<Q, R>(&self, key: &Q, make: impl FnOnce() -> V, work: impl FnOnce(&V) -> R) -> R
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let known = self.0.load();
        if let Some(value) = known.get(key) {
            return work(value);
        }
        let value = make();
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(key.to_owned()).or_insert_with(|| value.clone());
            known
        });
        work(&value)
    }
}

/// The same by name, for names that are not ours to choose: those beyond a bound are one.
pub(super) struct Named<V> {
    few: Few<String, V>,
    most: usize,
}

impl<V: Clone> Named<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { few: Few::default(), most }
    }

    /// As [`Few::with`]; `make` is told what the name counts as.
    pub(super) fn with<R>(&self, name: &str, make: impl FnOnce(&str) -> V, work: impl FnOnce(&V) -> R) -> R {
        let name = {
            let known = self.few.0.load();
            if known.len() < self.most || known.contains_key(name) { name } else { OTHER }
        };
        self.few.with(name, || make(name), work)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_key_leads_to_the_same_value_every_time() {
        let few: Few<String, Arc<u32>> = Few::default();
        let made = few.with("a", || Arc::new(1), Arc::clone);
        let found = few.with("a", || unreachable!("it is known"), Arc::clone);
        assert!(Arc::ptr_eq(&made, &found));
        assert_eq!(few.with("b", || Arc::new(2), |value| **value), 2);
    }

    #[test]
    fn names_beyond_the_bound_are_one() {
        let named = Named::new(2);
        let called = |name: &str| named.with(name, ToOwned::to_owned, String::clone);
        assert_eq!(["a", "b", "c", "d", "a"].map(called), ["a", "b", OTHER, OTHER, "a"]);
    }
}
