//! Arming the named fault points: the next so many passes of one actor through a point panic.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

type Armed = HashMap<(&'static str, String), u32>;

/// A provider takes up the question whether it has room.
pub const ADMIT: &str = "provider.admit";
/// A provider takes up the report of an attempt's end.
pub const REPORT: &str = "provider.report";
/// The dispatcher takes up a request; its name is `dispatcher`.
pub const PICK: &str = "dispatcher.pick";
/// The session tracker takes up a question; its name is `tracker`.
pub const RESOLVE: &str = "session.resolve";

/// The clerk of exports takes up an order; its name is `clerk`.
pub const TAKE: &str = "exports.take";

/// A ledger takes up the question whether there is room; its name is `user/1`.
pub const RESERVE: &str = "ledger.reserve";
/// A ledger takes up what a request has cost.
pub const SETTLE: &str = "ledger.settle";
/// A ledger takes up that a request cost nothing.
pub const VOID: &str = "ledger.void";
/// A ledger takes up what is on record.
pub const LEARNED: &str = "ledger.learned";

static ARMED: LazyLock<Mutex<Armed>> = LazyLock::new(Mutex::default);

/// Makes the next `times` passes of `actor` through the point `name` panic.
pub fn arm(name: &'static str, actor: &str, times: u32) {
    armed().insert((name, actor.to_owned()), times);
}

/// How many panics that point has left for that actor.
#[must_use]
pub fn left(name: &'static str, actor: &str) -> u32 {
    armed().get(&(name, actor.to_owned())).copied().unwrap_or(0)
}

pub(crate) fn point(name: &'static str, actor: &str) {
    let fires = {
        let mut armed = armed();
        match armed.get_mut(&(name, actor.to_owned())) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    };
    assert!(!fires, "fault point {name} of {actor}");
}

fn armed() -> MutexGuard<'static, Armed> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the fuse out of every point: nothing panics from now on.
pub fn disarm_all() {
    armed().clear();
}

/// Keeps the panics of fault points out of the test's output; all others are shown as ever.
pub fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.starts_with("fault point ")) {
                loud(panic);
            }
        }));
    });
}
