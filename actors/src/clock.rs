//! The one place that reads a clock.
//!
//! Durations are measured on tokio's monotonic clock, which tests can pause; the wall clock is
//! derived from it, so a stepped system clock moves no deadline (I-48) and simulated time moves both.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// Tells how long something takes in real time, also where a simulation winds the clock: how long a thread was
/// held is nothing that can be wound.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// One that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since it began, in microseconds.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Tells the time. Cheap to copy; one per process, handed to every actor.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// A moment known on both scales.
    anchor: Instant,
    wall_at_anchor: Duration,
}

impl Clock {
    /// A clock set by the system's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self::set_to(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// A clock whose wall time is `since_epoch` now; simulations start from a fixed one.
    #[must_use]
    pub fn set_to(since_epoch: Duration) -> Self {
        Self { anchor: tokio::time::Instant::now().into_std(), wall_at_anchor: since_epoch }
    }

    /// The monotonic present.
    #[must_use]
    pub fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// The wall clock's reading at the monotonic moment `at`.
    #[must_use]
    pub fn wall(&self, at: Instant) -> DateTime<Utc> {
        let since_epoch = match at.checked_duration_since(self.anchor) {
            Some(later) => self.wall_at_anchor + later,
            None => self.wall_at_anchor.saturating_sub(self.anchor.duration_since(at)),
        };
        DateTime::<Utc>::from(UNIX_EPOCH + since_epoch)
    }
}
