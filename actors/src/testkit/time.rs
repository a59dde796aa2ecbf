//! Simulated time: one thread whose clock stands still while anyone has work, and jumps when all wait.

use std::{future::Future, time::Duration};

use crate::clock::Clock;

/// Runs `story` as the only inhabitant of a fresh actor system, on a clock that starts paused.
///
/// # Panics
/// Where the machine refuses a runtime.
pub fn simulated<F: Future>(story: F) -> F::Output {
    let system = actix::System::with_tokio_rt(|| {
        // Paused from the first moment: every deadline falls on a whole millisecond, in each run alike.
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime of one thread")
    });
    system.block_on(story)
}

/// A clock whose wall time is the same in each run: the first second of the year 2026.
#[must_use]
pub fn clock() -> Clock {
    Clock::set_to(Duration::from_secs(1_767_225_600))
}

/// Waits until every actor has done what it was told: time moves only when nobody has work.
pub async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
