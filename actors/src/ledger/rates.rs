//! How much came in over the last sixty seconds, as a plain value.
//!
//! It counts by whole seconds and lets a second go when all of it is out of the span, so that no sixty
//! seconds, wherever they begin, hold more than was allowed.

use std::{collections::VecDeque, time::Duration};

/// Seconds that count, the present one and the one that is only half out included.
const SECONDS: u64 = 61;

/// Requests or tokens of the last minute. Times are told as spans since one fixed moment.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    seconds: VecDeque<(u64, u64)>,
    total: u64,
}

impl Rate {
    /// Lets time pass, and answers what counts now.
    pub fn roll(&mut self, now: Duration) -> u64 {
        while let Some((_, count)) =
            self.seconds.front().filter(|(second, _)| second + SECONDS <= now.as_secs())
        {
            self.total = self.total.saturating_sub(*count);
            self.seconds.pop_front();
        }
        self.total
    }

    /// What counts, as of the last roll.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counts so many more now.
    pub fn add(&mut self, now: Duration, count: u64) {
        self.total = self.total.saturating_add(count);
        match self.seconds.back_mut() {
            Some((second, counted)) if *second == now.as_secs() => *counted = counted.saturating_add(count),
            _ => self.seconds.push_back((now.as_secs(), count)),
        }
    }

    /// What was counted at `then` as `from` turns out to be `to`. Too late, it changes nothing.
    pub fn correct(&mut self, then: Duration, from: u64, to: u64) {
        let Ok(place) = self.seconds.binary_search_by_key(&then.as_secs(), |(second, _)| *second) else {
            return;
        };
        let (_, counted) = &mut self.seconds[place];
        let corrected = counted.saturating_sub(from).saturating_add(to);
        self.total = (self.total - *counted).saturating_add(corrected);
        *counted = corrected;
    }

    /// How long until `asked` more fit under `limit`; none when they never will.
    #[must_use]
    pub fn fits_in(&self, now: Duration, asked: u64, limit: u64) -> Option<Duration> {
        let mut excess = self.total.saturating_add(asked).saturating_sub(limit);
        if asked > limit {
            return None;
        }
        if excess == 0 {
            return Some(Duration::ZERO);
        }
        let (second, _) = self.seconds.iter().find(|(_, count)| {
            excess = excess.saturating_sub(*count);
            excess == 0
        })?;
        Some(Duration::from_secs(second + SECONDS).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_refused_now_fits_when_it_was_said_to() {
        let mut rate = Rate::default();
        let at = Duration::from_millis;
        rate.add(at(900), 3);
        rate.add(at(20_000), 2);
        assert_eq!(rate.roll(at(30_000)), 5);
        assert_eq!(rate.fits_in(at(30_000), 1, 5), Some(at(31_000)));
        assert_eq!(rate.fits_in(at(30_000), 4, 5), Some(at(51_000)));
        assert_eq!(rate.fits_in(at(30_000), 6, 5), None);
        assert_eq!(rate.roll(at(60_999)), 5);
        assert_eq!(rate.roll(at(61_000)), 2);
    }

    #[test]
    fn an_estimate_is_put_right_where_it_was_counted_or_not_at_all() {
        let mut rate = Rate::default();
        rate.add(Duration::from_secs(1), 100);
        rate.add(Duration::from_secs(2), 10);
        rate.correct(Duration::from_secs(1), 100, 7);
        assert_eq!(rate.total(), 17);
        assert_eq!(rate.roll(Duration::from_secs(62)), 10);
        rate.correct(Duration::from_secs(1), 7, 1_000);
        assert_eq!(rate.total(), 10);
    }

    proptest! {
        #[test]
        fn no_sixty_seconds_hold_more_than_was_allowed(
            steps in proptest::collection::vec((0u64..9_000, 1u64..4), 1..300), limit in 3u64..12
        ) {
            let (mut rate, mut now) = (Rate::default(), Duration::ZERO);
            let mut admitted: Vec<(Duration, u64)> = Vec::new();
            for (wait, count) in steps {
                now += Duration::from_millis(wait);
                let wait = (rate.roll(now) + count > limit).then(|| rate.fits_in(now, count, limit));
                match wait {
                    None => { rate.add(now, count); admitted.push((now, count)); }
                    // What the refusal says is true: not a moment later it fits.
                    Some(Some(wait)) => prop_assert!(rate.clone().roll(now + wait) + count <= limit),
                    Some(None) => prop_assert!(count > limit),
                }
                let held: u64 = admitted.iter().filter(|(at, _)| now - *at < MINUTE).map(|(_, n)| n).sum();
                prop_assert!(held <= limit, "{held} of {limit}");
            }
        }
    }
}
