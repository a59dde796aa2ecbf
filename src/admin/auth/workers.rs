//! Where passwords are hashed: off the threads that serve, a few at a time (C-20).
//!
//! Each takes 19 MiB and some ten milliseconds of a core. However many sign in at once, no more than a few
//! are at it; the others wait their turn for a moment, and are then asked to come again.

use std::{sync::Arc, time::Duration};

use actix_web::web::block;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    admin::error::{Code, Problem},
    secrets::password,
};

const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);

/// Hashes passwords.
pub(in crate::admin) struct Workers {
    turns: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Workers {
    /// What of a password is kept.
    pub(super) async fn hash(&self, password: String) -> Result<String, Problem> {
        self.work(move || password::hash(&password)).await
    }

    /// Whether it is the password that was kept.
    pub(super) async fn is(&self, password: String, kept: String) -> Result<bool, Problem> {
        self.work(move || password::is(&password, &kept)).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::new(Code::Overloaded, "too many are signing in; try again in a moment"));
        };
        let done = block(move || {
            let done = work();
            // Kept until the work is done, whoever hangs up meanwhile.
            drop(turn);
            done
        });
        done.await.map_err(Problem::internal)
    }
}
