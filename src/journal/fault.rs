//! Points at which a test can have the process die, to see what is found afterwards (I-39).
//!
//! `POINTSMAN_DIE_AT=after-intent:3` ends it, as SIGKILL would, on the third pass through that point. Compiled
//! to nothing in release builds.

/// The points, in the order in which a request passes them.
pub const POINTS: [&str; 10] = [
    "before-intent",
    "after-intent",
    "after-send",
    "first-event",
    "before-final",
    "after-final",
    "before-commit",
    "within-commit",
    "after-commit",
    "before-segment-delete",
];

/// Dies here, if a test said so.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// Dies here, if a test said so.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    };

    static CHOSEN: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let told = std::env::var("POINTSMAN_DIE_AT").ok()?;
        let (name, passes) = told.split_once(':')?;
        Some((name.to_owned(), AtomicU32::new(passes.parse().ok()?)))
    });
    if let Some((chosen, left)) = chosen
        && chosen == name
        && left.fetch_sub(1, SeqCst) == 1
    {
        std::process::abort();
    }
}
