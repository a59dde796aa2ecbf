//! The pause a vendor asked for, with `retry-after` or its reset headers, as a plain value.

use std::time::{Duration, Instant};

/// The shortest pause that is worth keeping.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause one hint may impose: a vendor's mistake must not close a provider for a day.
const LONGEST: Duration = Duration::from_secs(300);
/// The pause when a vendor refuses for its limits and names no time.
const UNNAMED: Duration = Duration::from_secs(5);

/// Until when one provider wants to be left alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cooldown {
    until: Option<Instant>,
}

impl Cooldown {
    /// Notes a refusal for limits, with the vendor's own hint where it gave one. Bounded to
    /// between 1 s and 5 min (I-25); a shorter hint does not cut a longer one short.
    pub fn ask(&mut self, hint: Option<Duration>, now: Instant) -> Instant {
        let until = now + hint.unwrap_or(UNNAMED).clamp(SHORTEST, LONGEST);
        let until = self.until.map_or(until, |standing| standing.max(until));
        self.until = Some(until);
        until
    }

    /// Until when, if it is not over.
    #[must_use]
    pub fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Forgets it, on an operator's word.
    pub fn clear(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i25_hints_are_honoured_within_bounds() {
        let now = Instant::now();
        let check = |hint: Option<u64>, seconds: u64| {
            let until = Cooldown::default().ask(hint.map(Duration::from_secs), now);
            assert_eq!(until, now + Duration::from_secs(seconds));
        };
        check(Some(0), 1);
        check(Some(30), 30);
        check(Some(31_536_000), 300);
        check(None, 5);
    }

    #[test]
    fn a_shorter_hint_does_not_cut_a_longer_one_short() {
        let now = Instant::now();
        let mut cooldown = Cooldown::default();
        let long = cooldown.ask(Some(Duration::from_secs(60)), now);
        assert_eq!(cooldown.ask(Some(Duration::from_secs(2)), now), long);
        assert_eq!(cooldown.until(long), None);
    }
}
