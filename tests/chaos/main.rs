//! The whole server under bad luck: callers who vanish, actors that panic, providers that hang, limits
//! under siege, signals and sudden death. Each test prints what it measured in one line.
//!
//! They measure, so they take turns: [`turn`] lets one run at a time.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod amplification;
mod caller;
mod counting;
mod death;
mod disk;
mod figures;
mod isolation;
mod limit;
mod operator;
mod outage;
mod panics;
mod process;
mod resealing;
mod revoked;
mod rig;
mod rows;
mod secrets;
mod signals;
mod soak;
mod truth;
mod vanishing;

use tokio::sync::{Mutex, MutexGuard};

/// Waits until no other test runs.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}
