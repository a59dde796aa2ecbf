//! What the guard knows about one actor's health, readable from any thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

/// The health of one guarded actor.
#[derive(Debug)]
pub struct Vitals {
    born: Instant,
    restarts: AtomicU64,
    waiting: AtomicU32,
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
            waiting: AtomicU32::new(0),
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
        self.quarantine.store(Some(Arc::new(Quarantine { until: now + rest })));
    }

    /// Whether the restart that is under way follows a quarantine; answers yes once.
    ///
    /// An actor's `restarting` asks this to know that its value must be made fresh.
    pub(crate) fn leaves_quarantine(&self) -> bool {
        self.quarantine.swap(None).is_some()
    }

    pub(super) fn message_sent(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(self))
    }
}

/// Counts one message as waiting until dropped: taken up, or lost with its sender.
#[derive(Debug)]
pub struct Waiting(Arc<Vitals>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
