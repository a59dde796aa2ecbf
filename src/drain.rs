//! On our way out: one small value that says how far the shutdown has come.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::Semaphore;

/// How far the shutdown has come. Clones share it.
#[derive(Debug, Clone)]
pub struct Drain {
    stage: Arc<AtomicU8>,
    /// Has no permits, and is closed when the time is over: everyone who waits for one learns of that.
    over: Arc<Semaphore>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { stage: Arc::default(), over: Arc::new(Semaphore::new(0)) }
    }
}

const DRAINING: u8 = 1;
const OVER: u8 = 2;

impl Drain {
    /// From now on nothing new is begun; what runs may finish.
    pub fn begin(&self) {
        self.stage.fetch_max(DRAINING, Ordering::SeqCst);
    }

    /// The time to finish is over; what still runs is broken off.
    pub fn finish(&self) {
        self.stage.store(OVER, Ordering::SeqCst);
        self.over.close();
    }

    /// Waits until what still runs is broken off.
    pub fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        let over = Arc::clone(&self.over);
        async move {
            // There is no permit to be had, only the news that there will never be one.
            let _ = over.acquire().await;
        }
    }

    /// Whether nothing new is begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.stage.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether what still runs is being broken off.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == OVER
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
