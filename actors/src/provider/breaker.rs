//! The breaker of one provider, as a plain value: no actor, no clock, no log.
//!
//! ```text
//! Closed --failures in a row--> Open --open time over--> HalfOpen --probes good--> Closed
//!                                ^--------- a probe failed ----------'
//! ```
//!
//! Invariants
//! - Open admits nothing; HalfOpen has at most one probe out (I-14).
//! - Every probe ends: by its verdict, or by its deadline (I-15).
//! - A verdict counts only in the round its pass was given in; stragglers change nothing (I-17).
//! - Each re-opening before health was regained doubles the open time, up to a cap (I-18).
//! - One conversation alone cannot open it (I-16).
//! - Time enters only as `now`: the same calls lead to the same states.

use std::time::{Duration, Instant};

use super::{card::BreakerSettings, outcome::Verdict};

/// The open time is doubled at most this often.
const MAX_DOUBLINGS: u32 = 2;

/// One provider's breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    probe_limit: Duration,
    state: State,
    /// Grows with every transition and every probe, so that a pass names its own moment.
    round: u64,
}

#[derive(Debug, Clone)]
enum State {
    Closed { streak: Streak, since: Option<Instant>, doublings: u32 },
    Open { until: Instant, doublings: u32 },
    HalfOpen { probe: Option<Probe>, good: u32, doublings: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    deadline: Instant,
}

/// The breaker's leave to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    round: u64,
    probe: bool,
}

impl Pass {
    /// Whether this try decides about the breaker's closing.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe
    }
}

/// What a call changed, for the actor to log and count; the breaker itself is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It opened.
    Tripped {
        /// When the first probe may go.
        until: Instant,
    },
    /// It closed.
    Recovered,
}

/// Where the breaker stands, for those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Requests flow; so many failures in a row lately.
    Closed {
        /// Failures since the last success.
        failures_in_a_row: u32,
    },
    /// Nothing flows until then.
    Open {
        /// When the first probe may go.
        until: Instant,
    },
    /// One probe at a time does.
    HalfOpen {
        /// When the probe that is out must have ended; none when the next may go.
        probe_until: Option<Instant>,
        /// Good probes so far.
        good_probes: u32,
    },
}

/// Failures in a row, and how many of them each marked conversation brought.
#[derive(Debug, Clone, Default)]
struct Streak {
    counted: u32,
    by_conversation: Vec<(u64, u32)>,
}

impl Streak {
    /// Counts one failure, unless its conversation has brought its share already.
    fn add(&mut self, conversation: Option<u64>, share: u32) {
        if let Some(conversation) = conversation {
            match self.by_conversation.iter_mut().find(|(known, _)| *known == conversation) {
                Some((_, brought)) if *brought >= share => return,
                Some((_, brought)) => *brought += 1,
                None => self.by_conversation.push((conversation, 1)),
            }
        }
        self.counted += 1;
    }
}

impl Breaker {
    /// A closed breaker. `probe_limit` is how long a probe may take before its place is free again.
    #[must_use]
    pub fn new(settings: BreakerSettings, probe_limit: Duration) -> Self {
        let state = State::Closed { streak: Streak::default(), since: None, doublings: 0 };
        Self { settings, probe_limit, state, round: 0 }
    }

    /// Takes new settings; the state it is in goes on.
    pub fn reconfigure(&mut self, settings: BreakerSettings, probe_limit: Duration) {
        self.settings = settings;
        self.probe_limit = probe_limit;
    }

    /// Leave to try, or none.
    pub fn admit(&mut self, now: Instant) -> Option<Pass> {
        match &mut self.state {
            State::Closed { .. } => Some(Pass { round: self.round, probe: false }),
            State::Open { until, doublings } if *until <= now => {
                let doublings = *doublings;
                Some(self.send_probe(now, 0, doublings))
            }
            State::Open { .. } => None,
            State::HalfOpen { probe: Some(probe), .. } if probe.deadline > now => None,
            State::HalfOpen { good, doublings, .. } => {
                let (good, doublings) = (*good, *doublings);
                Some(self.send_probe(now, good, doublings))
            }
        }
    }

    /// What became of a try. `conversation` tells marked conversations apart (I-16).
    pub fn record(
        &mut self,
        pass: Pass,
        verdict: Verdict,
        conversation: Option<u64>,
        now: Instant,
    ) -> Option<Change> {
        if pass.round != self.round {
            return None;
        }
        let share = self.share_of_one_conversation();
        match (&mut self.state, verdict) {
            (State::Closed { streak, .. }, Verdict::Success) => {
                *streak = Streak::default();
                None
            }
            (State::Closed { streak, since, doublings }, Verdict::Failure) => {
                streak.add(conversation, share);
                if streak.counted < self.settings.failure_threshold {
                    return None;
                }
                let doublings = match *since {
                    Some(since) if now.duration_since(since) < base_open(&self.settings) => *doublings + 1,
                    _ => 0,
                };
                Some(self.trip(doublings, now))
            }
            (State::Closed { .. } | State::Open { .. }, _) => None,
            (State::HalfOpen { good, doublings, .. }, Verdict::Success) => {
                let (good, doublings) = (*good + 1, *doublings);
                if good >= self.settings.half_open_successes {
                    self.enter(State::Closed { streak: Streak::default(), since: Some(now), doublings });
                    return Some(Change::Recovered);
                }
                self.enter(State::HalfOpen { probe: None, good, doublings });
                None
            }
            (State::HalfOpen { doublings, .. }, Verdict::Failure) => {
                let doublings = *doublings + 1;
                Some(self.trip(doublings, now))
            }
            (State::HalfOpen { good, doublings, .. }, Verdict::Neutral) => {
                let (good, doublings) = (*good, *doublings);
                self.enter(State::HalfOpen { probe: None, good, doublings });
                None
            }
        }
    }

    /// Closes it on an operator's word, with a clean record.
    pub fn close(&mut self) {
        self.enter(State::Closed { streak: Streak::default(), since: None, doublings: 0 });
    }

    /// Opens it on an operator's word, for the base open time.
    pub fn open(&mut self, now: Instant) -> Change {
        self.trip(0, now)
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Closed { streak, .. } => Standing::Closed { failures_in_a_row: streak.counted },
            State::Open { until, .. } => Standing::Open { until: *until },
            State::HalfOpen { probe, good, .. } => {
                Standing::HalfOpen { probe_until: probe.map(|probe| probe.deadline), good_probes: *good }
            }
        }
    }

    fn send_probe(&mut self, now: Instant, good: u32, doublings: u32) -> Pass {
        let probe = Probe { deadline: now + self.probe_limit };
        self.enter(State::HalfOpen { probe: Some(probe), good, doublings });
        Pass { round: self.round, probe: true }
    }

    fn trip(&mut self, doublings: u32, now: Instant) -> Change {
        let doublings = doublings.min(MAX_DOUBLINGS);
        let until = now + base_open(&self.settings) * 2u32.pow(doublings);
        self.enter(State::Open { until, doublings });
        Change::Tripped { until }
    }

    fn enter(&mut self, state: State) {
        self.round += 1;
        self.state = state;
    }

    /// Failures one conversation may bring to a streak: three fifths of the threshold, but never all of
    /// it unless the threshold is one.
    fn share_of_one_conversation(&self) -> u32 {
        let threshold = self.settings.failure_threshold;
        // What is left of it without two fifths; in a wider type, since an operator may say "never" in numbers.
        let others = u32::try_from(u64::from(threshold) * 2 / 5).unwrap_or(u32::MAX);
        (threshold - others).min(threshold.saturating_sub(1)).max(1)
    }
}

fn base_open(settings: &BreakerSettings) -> Duration {
    Duration::from_millis(settings.open_ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: Duration = Duration::from_secs(1_800);
    const PROBE: Duration = Duration::from_secs(60);

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings::default(), PROBE)
    }

    fn fail(breaker: &mut Breaker, times: usize, now: Instant) -> Option<Change> {
        let mut last = None;
        for _ in 0..times {
            let pass = breaker.admit(now).expect("closed");
            last = breaker.record(pass, Verdict::Failure, None, now);
        }
        last
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_forgives() {
        let now = Instant::now();
        let mut breaker = breaker();
        assert_eq!(fail(&mut breaker, 4, now), None);
        let pass = breaker.admit(now).unwrap();
        breaker.record(pass, Verdict::Success, None, now);
        assert_eq!(fail(&mut breaker, 4, now), None);
        assert_eq!(fail(&mut breaker, 1, now), Some(Change::Tripped { until: now + OPEN }));
        assert_eq!(breaker.admit(now + OPEN - Duration::from_millis(1)), None);
    }

    #[test]
    fn i14_half_open_lets_one_probe_out_at_a_time() {
        let now = Instant::now();
        let mut breaker = breaker();
        fail(&mut breaker, 5, now);
        let later = now + OPEN;
        let probe = breaker.admit(later).unwrap();
        assert!(probe.is_probe());
        assert_eq!(breaker.admit(later), None);
        assert_eq!(breaker.record(probe, Verdict::Success, None, later), None);
        let second = breaker.admit(later).unwrap();
        assert_eq!(breaker.admit(later), None);
        assert_eq!(breaker.record(second, Verdict::Success, None, later), Some(Change::Recovered));
        assert!(!breaker.admit(later).unwrap().is_probe());
    }

    #[test]
    fn i15_a_probe_that_never_ends_gives_its_place_up_at_its_deadline() {
        let now = Instant::now();
        let mut breaker = breaker();
        fail(&mut breaker, 5, now);
        let lost = breaker.admit(now + OPEN).unwrap();
        assert_eq!(breaker.admit(now + OPEN + PROBE - Duration::from_millis(1)), None);
        let next = breaker.admit(now + OPEN + PROBE).unwrap();
        // The lost one comes back after all: it no longer has a say.
        assert_eq!(breaker.record(lost, Verdict::Failure, None, now + OPEN + PROBE), None);
        assert_eq!(breaker.record(next, Verdict::Success, None, now + OPEN + PROBE), None);
        assert!(matches!(breaker.standing(), Standing::HalfOpen { good_probes: 1, .. }));
    }

    #[test]
    fn i17_a_straggler_from_before_the_trip_does_not_end_the_probe() {
        let now = Instant::now();
        let mut breaker = breaker();
        let straggler = breaker.admit(now).unwrap();
        fail(&mut breaker, 5, now);
        let probe = breaker.admit(now + OPEN).unwrap();
        assert_eq!(breaker.record(straggler, Verdict::Failure, None, now + OPEN), None);
        assert_eq!(breaker.admit(now + OPEN), None, "the probe is still out");
        assert_eq!(breaker.record(probe, Verdict::Success, None, now + OPEN), None);
    }

    #[test]
    fn i18_each_reopening_doubles_the_open_time_up_to_a_cap_and_health_forgets() {
        let mut now = Instant::now();
        let mut breaker = breaker();
        fail(&mut breaker, 5, now);
        for doublings in [1, 2, 2, 2] {
            let Standing::Open { until } = breaker.standing() else { panic!("open") };
            now = until;
            let probe = breaker.admit(now).unwrap();
            let change = breaker.record(probe, Verdict::Failure, None, now);
            assert_eq!(change, Some(Change::Tripped { until: now + OPEN * 2u32.pow(doublings) }));
        }
        let Standing::Open { until } = breaker.standing() else { panic!("open") };
        for _ in 0..2 {
            let probe = breaker.admit(until).unwrap();
            breaker.record(probe, Verdict::Success, None, until);
        }
        let healthy = until + OPEN;
        assert_eq!(fail(&mut breaker, 5, healthy), Some(Change::Tripped { until: healthy + OPEN }));
    }

    #[test]
    fn i16_one_marked_conversation_alone_cannot_open_it() {
        let now = Instant::now();
        let mut breaker = breaker();
        for _ in 0..100 {
            let pass = breaker.admit(now).unwrap();
            assert_eq!(breaker.record(pass, Verdict::Failure, Some(7), now), None);
        }
        assert_eq!(fail(&mut breaker, 1, now), None);
        assert!(fail(&mut breaker, 1, now).is_some(), "others tip the scale");
    }

    #[test]
    fn a_threshold_of_one_opens_on_the_first_failure_whoever_brings_it() {
        let now = Instant::now();
        let settings = BreakerSettings { failure_threshold: 1, ..BreakerSettings::default() };
        let mut breaker = Breaker::new(settings, PROBE);
        let pass = breaker.admit(now).unwrap();
        assert!(breaker.record(pass, Verdict::Failure, Some(7), now).is_some());
    }

    #[test]
    fn a_threshold_that_nobody_reaches_is_none_to_stumble_over() {
        let now = Instant::now();
        let settings = BreakerSettings { failure_threshold: u32::MAX, ..BreakerSettings::default() };
        let mut breaker = Breaker::new(settings, PROBE);
        let pass = breaker.admit(now).unwrap();
        assert_eq!(breaker.record(pass, Verdict::Failure, None, now), None);
        assert_eq!(breaker.standing(), Standing::Closed { failures_in_a_row: 1 });
    }

    /// One step of a random history.
    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        Record { which: usize, verdict: Verdict, conversation: Option<u64> },
        Wait(u64),
        Operator { open: bool },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let verdict = prop_oneof![Just(Verdict::Success), Just(Verdict::Failure), Just(Verdict::Neutral)];
        let step = prop_oneof![
            4 => Just(Step::Admit),
            4 => (any::<usize>(), verdict, proptest::option::of(0u64..3))
                .prop_map(|(which, verdict, conversation)| Step::Record { which, verdict, conversation }),
            2 => (0u64..4_000).prop_map(Step::Wait),
            1 => any::<bool>().prop_map(|open| Step::Operator { open }),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn i14_i15_no_history_admits_two_probes_or_ends_in_a_state_without_exit(history in steps()) {
            let mut now = Instant::now();
            let mut breaker = breaker();
            let mut out: Vec<(Pass, Instant)> = Vec::new();
            for step in history {
                match step {
                    Step::Admit => {
                        let standing = breaker.standing();
                        if let Some(pass) = breaker.admit(now) {
                            if let Standing::Open { until } = standing { prop_assert!(until <= now); }
                            if pass.is_probe() {
                                let live = out.iter().filter(|(other, sent)| {
                                    other.is_probe() && other.round == pass.round - 1 && *sent + PROBE > now
                                        && matches!(standing, Standing::HalfOpen { probe_until: Some(_), .. })
                                });
                                prop_assert_eq!(live.count(), 0, "two probes at once");
                            }
                            out.push((pass, now));
                        }
                    }
                    Step::Record { which, verdict, conversation } if !out.is_empty() => {
                        let (pass, _) = out.swap_remove(which % out.len());
                        breaker.record(pass, verdict, conversation, now);
                    }
                    Step::Record { .. } => {}
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                    Step::Operator { open: true } => { breaker.open(now); }
                    Step::Operator { open: false } => breaker.close(),
                }
            }
            // Faults off: with an upstream that answers, it closes within the longest open time plus the
            // deadline of a probe that was lost.
            let bound = now + OPEN * 2u32.pow(MAX_DOUBLINGS) + PROBE;
            while !matches!(breaker.standing(), Standing::Closed { .. }) {
                prop_assert!(now <= bound, "still {:?}", breaker.standing());
                match breaker.admit(now) {
                    Some(pass) => { breaker.record(pass, Verdict::Success, None, now); }
                    None => now += Duration::from_secs(1).max(match breaker.standing() {
                        Standing::Open { until } | Standing::HalfOpen { probe_until: Some(until), .. } =>
                            until.saturating_duration_since(now),
                        _ => Duration::ZERO,
                    }),
                }
            }
        }
    }
}
