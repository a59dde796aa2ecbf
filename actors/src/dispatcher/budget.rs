//! The retry budget: failovers must not multiply the load on providers that are failing (I-21).
//!
//! A failover to a provider that has not failed lately is free: it takes nothing from one in trouble.
//! One to a provider that has is charged, and over any ten seconds there are at most a fifth as many of
//! these as requests, plus three.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(10);
const BUCKET: Duration = Duration::from_millis(500);
/// Charged failovers that are allowed however few requests there are.
const FLOOR: u64 = 3;
/// One charged failover per so many requests.
const REQUESTS_PER_RETRY: u64 = 5;

/// Requests and charged failovers of the last ten seconds.
#[derive(Debug, Default)]
pub struct RetryBudget {
    buckets: VecDeque<Bucket>,
    requests: u64,
    retries: u64,
}

#[derive(Debug)]
struct Bucket {
    opened: Instant,
    requests: u64,
    retries: u64,
}

impl RetryBudget {
    /// Notes a request's first attempt.
    pub fn request(&mut self, now: Instant) {
        self.bucket(now).requests += 1;
        self.requests += 1;
    }

    /// Charges one failover to a provider in trouble. False when the budget is spent.
    pub fn charge(&mut self, now: Instant) -> bool {
        self.forget(now);
        if self.retries >= self.requests / REQUESTS_PER_RETRY + FLOOR {
            return false;
        }
        self.bucket(now).retries += 1;
        self.retries += 1;
        true
    }

    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        self.forget(now);
        if self.buckets.back().is_none_or(|last| now.duration_since(last.opened) >= BUCKET) {
            self.buckets.push_back(Bucket { opened: now, requests: 0, retries: 0 });
        }
        let last = self.buckets.len() - 1;
        &mut self.buckets[last]
    }

    fn forget(&mut self, now: Instant) {
        // A bucket leaves when its youngest entry must be out of the window.
        while self.buckets.front().is_some_and(|first| now.duration_since(first.opened) >= WINDOW + BUCKET) {
            if let Some(gone) = self.buckets.pop_front() {
                self.requests -= gone.requests;
                self.retries -= gone.retries;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_are_free_and_a_fifth_of_the_requests_on_top() {
        let now = Instant::now();
        let mut budget = RetryBudget::default();
        let granted = |budget: &mut RetryBudget| (0..100).filter(|_| budget.charge(now)).count();
        assert_eq!(granted(&mut budget), 3);
        for _ in 0..50 {
            budget.request(now);
        }
        assert_eq!(granted(&mut budget), 10);
    }

    #[test]
    fn the_budget_is_whole_again_when_the_window_has_passed() {
        let now = Instant::now();
        let mut budget = RetryBudget::default();
        while budget.charge(now) {}
        assert!(!budget.charge(now + WINDOW));
        assert!(budget.charge(now + WINDOW + BUCKET));
    }

    proptest! {
        #[test]
        fn i21_charged_failovers_stay_within_a_fifth_and_three_in_every_window(
            steps in proptest::collection::vec((any::<bool>(), 0u64..2_000), 1..400)
        ) {
            let mut now = Instant::now();
            let mut budget = RetryBudget::default();
            let mut requests = Vec::new();
            let mut retries = Vec::new();
            for (is_request, wait) in steps {
                now += Duration::from_millis(wait);
                if is_request {
                    budget.request(now);
                    requests.push(now);
                } else if budget.charge(now) {
                    retries.push(now);
                    // Two buckets of grace at the far end, because requests are counted in buckets.
                    let within = |times: &[Instant], span| times.iter().filter(|at| now.duration_since(**at) < span).count();
                    let allowed = within(&requests, WINDOW + BUCKET * 2) / 5 + 3;
                    prop_assert!(within(&retries, WINDOW) <= allowed);
                }
            }
        }
    }
}
