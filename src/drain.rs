//! On our way out: one small value that says how far the shutdown has come.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// How far the shutdown has come. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<AtomicU8>);

const DRAINING: u8 = 1;
const OVER: u8 = 2;

impl Drain {
    /// From now on nothing new is begun; what runs may finish.
    pub fn begin(&self) {
        self.0.fetch_max(DRAINING, Ordering::SeqCst);
    }

    /// The time to finish is over; what still runs is broken off.
    pub fn finish(&self) {
        self.0.store(OVER, Ordering::SeqCst);
    }

    /// Whether nothing new is begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether what still runs is being broken off.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == OVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_goes_forward_and_all_clones_see_it() {
        let drain = Drain::default();
        assert!(!drain.is_draining() && !drain.is_over());
        drain.clone().begin();
        assert!(drain.is_draining() && !drain.is_over());
        drain.clone().finish();
        drain.begin();
        assert!(drain.is_draining() && drain.is_over());
    }
}
