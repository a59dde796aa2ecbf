//! The board: what each provider shows of itself, for selection to read without asking anyone.
//!
//! A line is written only by its provider's actor and only when something changed; the in-flight gauge is
//! the permits' own counter. What the board says may be a moment old: the provider's `Admit` has the last
//! word.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};

/// One provider's line on the board.
#[derive(Debug, Default)]
pub struct Line {
    in_flight: Arc<AtomicU32>,
    shut: ArcSwapOption<Shut>,
    ailing: AtomicBool,
}

/// Why a provider takes nothing just now, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shut {
    /// Why.
    pub why: Why,
    /// When it is worth asking again.
    pub until: Instant,
}

/// Why a provider takes nothing just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its breaker is open.
    BreakerOpen,
    /// Its breaker is half-open and the one probe is out.
    ProbeOut,
    /// Its vendor asked to be left alone for a while.
    CoolingDown,
    /// Its credential was rejected too often.
    CredentialDisabled,
    /// Its concurrency limit is reached.
    Full,
    /// What it may cost over some span would be passed.
    BudgetSpent,
    /// What it has cost is not known just now.
    BudgetUnknown,
    /// Its actor panicked too often and rests, or lost the question.
    ActorDown,
}

impl Line {
    /// The gauge of requests in flight.
    #[must_use]
    pub fn in_flight_gauge(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.in_flight)
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Why it takes nothing at `now`, if so.
    #[must_use]
    pub fn shut(&self, now: Instant) -> Option<Shut> {
        self.shut.load().as_deref().copied().filter(|shut| shut.until > now)
    }

    /// Whether it failed lately and has not answered since.
    #[must_use]
    pub fn is_ailing(&self) -> bool {
        self.ailing.load(Ordering::Relaxed)
    }

    pub(crate) fn show(&self, shut: Option<Shut>, ailing: bool) {
        self.ailing.store(ailing, Ordering::Relaxed);
        if self.shut.load().as_deref().copied() != shut {
            self.shut.store(shut.map(Arc::new));
        }
    }
}
