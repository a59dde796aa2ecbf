//! The watch over one provider: what may happen to it next, by rules of its own.
//!
//! At each quiet moment it looks at the provider's picture. Between two of them it counts what the world
//! did, and so knows how many requests the breaker may let out (I-14), which changes of its state have a
//! cause (I-16, I-17), and what the gauge must show (I-10).

use chrono::{DateTime, Utc};

use super::seen::{Seen, Standing};
use crate::provider::outcome::Outcome;

/// Good probes that close a simulated breaker, and failures that open it.
pub(super) const GOOD_PROBES: u32 = 2;
pub(super) const THRESHOLD: u32 = 3;

/// One provider under watch.
#[derive(Debug)]
pub(super) struct Watch {
    /// Grants that the world holds.
    pub(super) live: u32,
    /// The last picture; none before the first, and while the actor rests.
    pub(super) seen: Option<Seen>,
    /// Something other than requests moved it since: an operator, a new card, a panic.
    pub(super) disturbed: bool,
    /// Requests began or ended there since.
    pub(super) touched: bool,
    /// Its next questions will be lost to panics.
    pub(super) fused: bool,
    /// The rest it takes after too many panics.
    pub(super) rests_until: Option<DateTime<Utc>>,
    restarts: u64,
    gate: Gate,
    failures: u32,
    successes: u32,
    probes_moved: bool,
    good_probes: u32,
}

/// What the breaker may let out until the next quiet moment.
#[derive(Debug, Clone, Copy)]
enum Gate {
    /// It is closed, as in wiring: everything.
    Free,
    /// One by one, and one more from then on.
    Probes { now: u32, next_at: Option<DateTime<Utc>> },
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            live: 0,
            seen: None,
            disturbed: true,
            touched: false,
            fused: false,
            rests_until: None,
            restarts: 0,
            gate: Gate::Free,
            failures: 0,
            successes: 0,
            probes_moved: false,
            good_probes: 0,
        }
    }

    /// A grant came. Answers whether it must be a probe.
    pub(super) fn granted(&mut self, now: DateTime<Utc>) -> Result<bool, String> {
        self.live += 1;
        self.touched = true;
        if self.rests_until.is_some_and(|until| until > now) {
            return Err("I-34: sent to an actor that rests".to_owned());
        }
        let (was, probe) = (self.gate, true);
        match &mut self.gate {
            Gate::Free => return Ok(false),
            Gate::Probes { now: slots @ 1.., .. } => *slots -= 1,
            Gate::Probes { next_at, .. } if next_at.is_some_and(|at| at <= now) => *next_at = None,
            Gate::Probes { .. } if self.disturbed => {}
            Gate::Probes { .. } => return Err(format!("I-14: sent although the gate was {was:?}")),
        }
        self.probes_moved = true;
        Ok(probe)
    }

    /// The first frame of an answer came.
    pub(super) fn began(&mut self, probe: bool) {
        self.touched = true;
        if probe {
            self.probe_was_good();
        }
    }

    /// An attempt is over. `decided` says whether its first frame had come.
    pub(super) fn ended(&mut self, probe: bool, decided: bool, outcome: Outcome) {
        self.live -= 1;
        self.touched = true;
        let failed = is_failure(outcome);
        self.failures += u32::from(failed);
        self.successes += u32::from(outcome == Outcome::Answered);
        if !probe || decided {
            return;
        }
        match outcome {
            Outcome::Answered => self.probe_was_good(),
            _ if failed => self.probes_moved = true,
            _ => self.next_probe(),
        }
    }

    fn probe_was_good(&mut self) {
        self.good_probes += 1;
        if self.good_probes >= GOOD_PROBES {
            self.probes_moved = true;
            self.gate = Gate::Free;
        } else {
            self.next_probe();
        }
    }

    fn next_probe(&mut self) {
        self.probes_moved = true;
        if let Gate::Probes { now, .. } = &mut self.gate {
            *now += 1;
        }
    }

    /// The actor rests: what it comes back as is fresh.
    pub(super) fn found_resting(&mut self, until: DateTime<Utc>, restarts: u64) {
        self.rests_until = Some(until);
        self.restarts = restarts;
        self.seen = None;
        self.gate = Gate::Free;
        self.good_probes = 0;
        self.settle();
    }

    /// Nobody has work, and this is the provider's picture.
    pub(super) fn found(&mut self, seen: Seen, restarts: u64, now: DateTime<Utc>) -> Result<(), String> {
        let panicked = restarts != self.restarts;
        if seen.in_flight != self.live {
            return Err(format!("I-10: {} in flight, but {} grants live", seen.in_flight, self.live));
        }
        if let Some(before) = self.seen.as_ref().filter(|_| !self.disturbed && !panicked) {
            self.explain(&before.breaker, &seen.breaker, now)?;
        }
        if !matches!(seen.breaker, Standing::HalfOpen { .. }) {
            self.good_probes = 0;
        }
        self.gate = match &seen.breaker {
            Standing::Closed { .. } => Gate::Free,
            Standing::Open { until } => Gate::Probes { now: 0, next_at: Some(*until) },
            Standing::HalfOpen { probe_until: Some(until) } => Gate::Probes { now: 0, next_at: Some(*until) },
            Standing::HalfOpen { probe_until: None } => Gate::Probes { now: 1, next_at: None },
        };
        self.restarts = restarts;
        self.rests_until = None;
        self.seen = Some(seen);
        self.settle();
        Ok(())
    }

    /// Whether what the world did can have led from one state to the other.
    fn explain(&self, before: &Standing, after: &Standing, now: DateTime<Utc>) -> Result<(), String> {
        let fair = match (before, after) {
            (Standing::Open { until }, _) if *until > now => before == after,
            (Standing::HalfOpen { probe_until: Some(until) }, _) if *until > now => {
                before == after || self.probes_moved
            }
            (Standing::Closed { failures_in_a_row: a }, Standing::Closed { failures_in_a_row: b }) => {
                *b <= a + self.failures && (b >= a || self.successes > 0)
            }
            (Standing::Closed { failures_in_a_row: streak }, _) => streak + self.failures >= THRESHOLD,
            (Standing::Open { .. } | Standing::HalfOpen { .. }, _) => true,
        };
        if fair {
            return Ok(());
        }
        Err(format!("I-16, I-17: {before:?} became {after:?} after {} failures", self.failures))
    }

    /// Whether its picture may have changed.
    pub(super) fn is_due(&self) -> bool {
        self.touched || self.disturbed || self.fused || self.rests_until.is_some()
    }

    fn settle(&mut self) {
        self.disturbed = false;
        self.touched = false;
        self.failures = 0;
        self.successes = 0;
        self.probes_moved = false;
    }

    /// Whether it was ailing at the last quiet moment and has not answered since.
    pub(super) fn is_surely_ailing(&self) -> bool {
        self.successes == 0 && !self.disturbed && self.seen.as_ref().is_some_and(Seen::is_ailing)
    }

    /// Whether a bound conversation must be welcome: well at the last quiet moment, and left alone since.
    pub(super) fn is_surely_well(&self) -> bool {
        !self.disturbed
            && !self.touched
            && !self.fused
            // One with a limit may be filled by others in this very moment.
            && self.seen.as_ref().is_some_and(|seen| seen.is_well() && seen.concurrency.is_none())
    }
}

/// The provider's own failures, as the promises name them (I-16).
fn is_failure(outcome: Outcome) -> bool {
    use Outcome::{ConnectFailed, Cut, FirstByteTimeout, ProviderFailed};
    matches!(outcome, ConnectFailed | Cut | FirstByteTimeout | ProviderFailed)
}
