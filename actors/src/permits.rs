//! Permits: how many requests one provider, user or key has in flight, and room for how many more.
//!
//! A permit counts itself out when it is dropped, wherever that happens: giving one back needs no
//! actor, no message and no live caller (I-10, I-11).

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// All permits of one owner. Taken only by the owner's actor; given back from anywhere.
#[derive(Debug)]
pub struct Permits {
    in_flight: Arc<AtomicU32>,
    limit: Option<u32>,
}

/// One unit of concurrency. Dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    in_flight: Arc<AtomicU32>,
}

impl Permits {
    /// All free. `in_flight` is the gauge others may read.
    #[must_use]
    pub fn new(limit: Option<u32>, in_flight: Arc<AtomicU32>) -> Self {
        Self { in_flight, limit }
    }

    /// Changes the limit; permits that are out stay out.
    pub fn set_limit(&mut self, limit: Option<u32>) {
        self.limit = limit;
    }

    /// Takes one, if one is free.
    pub fn take(&mut self) -> Option<Permit> {
        // Only one thread ever adds, so looking and adding need not be one step.
        if self.limit.is_some_and(|limit| self.in_flight.load(Ordering::Acquire) >= limit) {
            return None;
        }
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Some(Permit { in_flight: Arc::clone(&self.in_flight) })
    }

    /// Requests in flight now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// How many may be in flight at once.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.limit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_no_more_are_out_than_the_limit_and_a_dropped_one_is_free_again() {
        let mut permits = Permits::new(Some(2), Arc::default());
        let first = permits.take().unwrap();
        let _second = permits.take().unwrap();
        assert!(permits.take().is_none());
        drop(first);
        assert_eq!(permits.in_flight(), 1);
        assert!(permits.take().is_some());
    }

    #[test]
    fn a_lowered_limit_takes_nothing_back_and_admits_nothing_new() {
        let mut permits = Permits::new(None, Arc::default());
        let _out = [permits.take().unwrap(), permits.take().unwrap()];
        permits.set_limit(Some(1));
        assert_eq!(permits.in_flight(), 2);
        assert!(permits.take().is_none());
    }

    #[test]
    fn i10_a_permit_dropped_by_a_panic_is_given_back() {
        let mut permits = Permits::new(Some(1), Arc::default());
        let permit = permits.take().unwrap();
        let died = std::thread::spawn(move || {
            let _held = permit;
            panic!("on purpose");
        });
        assert!(died.join().is_err());
        assert_eq!(permits.in_flight(), 0);
    }
}
