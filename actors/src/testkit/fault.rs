//! Arming the named fault points: the next so many passes of one actor through a point panic.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

type Armed = HashMap<(&'static str, String), u32>;

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
