//! What the guard knows about one actor's health, readable from any thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

use super::worst::Worst;
use crate::clock::Stopwatch;

/// The health of one guarded actor.
#[derive(Debug)]
pub struct Vitals {
    born: Instant,
    restarts: AtomicU64,
    quarantines: AtomicU64,
    waiting: AtomicU32,
    /// What follows is told in microseconds of this.
    watch: Stopwatch,
    /// Since when nothing was taken up although something waits.
    stuck_since: AtomicU64,
    longest_wait: Worst,
    longest_turn: Worst,
    last_panic: ArcSwapOption<Panic>,
    quarantine: ArcSwapOption<Quarantine>,
}

/// A panic that was survived.
#[derive(Debug, Clone)]
pub struct Panic {
    /// What the panic said.
    pub message: String,
    /// When it happened.
    pub at: Instant,
}

/// Too many panics: the actor rests until then, and starts over with a fresh value.
#[derive(Debug, Clone, Copy)]
pub struct Quarantine {
    /// When it is let out.
    pub until: Instant,
}

impl Vitals {
    pub(crate) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self {
            born: now,
            restarts: AtomicU64::new(0),
            quarantines: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            watch: Stopwatch::start(),
            stuck_since: AtomicU64::new(0),
            longest_wait: Worst::default(),
            longest_turn: Worst::default(),
            last_panic: ArcSwapOption::empty(),
            quarantine: ArcSwapOption::empty(),
        })
    }

    /// When the actor was started.
    #[must_use]
    pub fn born(&self) -> Instant {
        self.born
    }

    /// How often it was restarted.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// How often it was made to rest.
    #[must_use]
    pub fn quarantines(&self) -> u64 {
        self.quarantines.load(Ordering::Relaxed)
    }

    /// The longest a message waited to be taken up in the last minute or two; longer if one waits that long
    /// already.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let now = self.watch.micros();
        let stuck = match self.waiting() {
            0 => 0,
            _ => now.saturating_sub(self.stuck_since.load(Ordering::Relaxed)),
        };
        Duration::from_micros(self.longest_wait.lately(now).max(stuck))
    }

    /// The longest it held its thread over one message in the last minute or two (I-37).
    #[must_use]
    pub fn longest_turn(&self) -> Duration {
        Duration::from_micros(self.longest_turn.lately(self.watch.micros()))
    }

    /// Messages sent to it and not yet taken up.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The latest panic, if it ever had one.
    #[must_use]
    pub fn last_panic(&self) -> Option<Arc<Panic>> {
        self.last_panic.load_full()
    }

    /// Whether it is resting after too many panics, and until when.
    #[must_use]
    pub fn quarantined_until(&self, now: Instant) -> Option<Instant> {
        self.quarantine.load().as_ref().map(|q| q.until).filter(|until| *until > now)
    }

    /// Whether it rests, or has yet to begin anew after a rest that is over.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.quarantine.load().is_some()
    }

    pub(super) fn panicked(&self, message: String, at: Instant) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.last_panic.store(Some(Arc::new(Panic { message, at })));
    }

    pub(super) fn enter_quarantine(&self, now: Instant, rest: Duration) {
        self.quarantines.fetch_add(1, Ordering::Relaxed);
        self.quarantine.store(Some(Arc::new(Quarantine { until: now + rest })));
    }

    /// Whether the restart that is under way follows a quarantine; answers yes once.
    ///
    /// An actor's `restarting` asks this to know that its value must be made fresh.
    pub(crate) fn leaves_quarantine(&self) -> bool {
        self.quarantine.swap(None).is_some()
    }

    pub(super) fn message_sent(self: &Arc<Self>) -> Waiting {
        let sent = self.watch.micros();
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.stuck_since.store(sent, Ordering::Relaxed);
        }
        Waiting { vitals: Arc::clone(self), sent }
    }
}

/// Counts one message as waiting until dropped: taken up, or lost with its sender.
#[derive(Debug)]
pub struct Waiting {
    vitals: Arc<Vitals>,
    sent: u64,
}

impl Waiting {
    /// It is the message's turn.
    pub(super) fn turn(self) -> Turn {
        let vitals = Arc::clone(&self.vitals);
        let begun = vitals.watch.micros();
        vitals.longest_wait.note(begun, begun.saturating_sub(self.sent));
        vitals.stuck_since.store(begun, Ordering::Relaxed);
        Turn { vitals, begun }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.vitals.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One message being handled, until dropped.
#[derive(Debug)]
pub struct Turn {
    vitals: Arc<Vitals>,
    begun: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.vitals.watch.micros();
        self.vitals.longest_turn.note(now, now.saturating_sub(self.begun));
    }
}
