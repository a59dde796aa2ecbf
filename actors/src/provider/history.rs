//! The last few hundred attempts at one provider: how they ended and how fast, as a plain value.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::outcome::{Outcome, Verdict};

/// Attempts that are remembered.
const CAPACITY: usize = 256;
/// Attempts older than this are left out of the summary.
const SPAN: Duration = Duration::from_secs(300);

/// Recent attempts, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    attempts: VecDeque<Attempt>,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    at: Instant,
    outcome: Outcome,
    first_byte: Option<Duration>,
}

/// Recent attempts in figures. Latencies are to the first meaningful frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Attempts within the last five minutes, at most 256.
    pub attempts: usize,
    /// Those that went well.
    pub answered: usize,
    /// Those that failed by the provider's fault.
    pub failed: usize,
    /// Those that it refused for its limits.
    pub limited: usize,
    /// Median latency in milliseconds.
    pub first_byte_ms_p50: Option<u64>,
    /// 95th percentile of latency in milliseconds.
    pub first_byte_ms_p95: Option<u64>,
}

impl History {
    /// Adds an attempt that ended at `at`.
    pub fn add(&mut self, at: Instant, outcome: Outcome, first_byte: Option<Duration>) {
        if self.attempts.len() == CAPACITY {
            self.attempts.pop_front();
        }
        self.attempts.push_back(Attempt { at, outcome, first_byte });
    }

    /// The figures of the last five minutes.
    #[must_use]
    pub fn summary(&self, now: Instant) -> Summary {
        let recent = || self.attempts.iter().filter(|attempt| now.duration_since(attempt.at) <= SPAN);
        let mut latencies: Vec<_> = recent().filter_map(|attempt| attempt.first_byte).collect();
        latencies.sort_unstable();
        let percentile = |percent: usize| {
            let last = latencies.len().checked_sub(1)?;
            let at = (last * percent).div_ceil(100);
            u64::try_from(latencies[at].as_millis()).ok()
        };
        Summary {
            attempts: recent().count(),
            answered: recent().filter(|attempt| attempt.outcome == Outcome::Answered).count(),
            failed: recent().filter(|attempt| attempt.outcome.verdict() == Verdict::Failure).count(),
            limited: recent()
                .filter(|attempt| matches!(attempt.outcome, Outcome::RateLimited | Outcome::Overloaded))
                .count(),
            first_byte_ms_p50: percentile(50),
            first_byte_ms_p95: percentile(95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_the_last_five_minutes_only() {
        let now = Instant::now();
        let mut history = History::default();
        history.add(now, Outcome::Cut, None);
        let later = now + SPAN + Duration::from_secs(1);
        for ms in 1..=100 {
            history.add(later, Outcome::Answered, Some(Duration::from_millis(ms)));
        }
        history.add(later, Outcome::Overloaded, None);
        let summary = history.summary(later);
        assert_eq!((summary.attempts, summary.answered, summary.failed, summary.limited), (101, 100, 0, 1));
        assert_eq!((summary.first_byte_ms_p50, summary.first_byte_ms_p95), (Some(51), Some(96)));
    }

    #[test]
    fn it_never_remembers_more_than_its_capacity() {
        let mut history = History::default();
        for _ in 0..10_000 {
            history.add(Instant::now(), Outcome::Answered, None);
        }
        assert_eq!(history.attempts.len(), CAPACITY);
    }
}
