//! The timer of a connection: how long someone has been waiting for the wire.

use std::{pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

use super::instant_after;

/// One timer, armed by the first wait and kept until there is progress.
#[derive(Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Alarm {
    /// There was progress.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    /// Whether we have been waiting for `limit`.
    pub(super) fn rings(&mut self, limit: Duration, cx: &mut Context<'_>) -> bool {
        if !self.armed {
            let at = instant_after(Instant::now(), limit);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => self.sleep = Some(Box::pin(sleep_until(at))),
            }
            self.armed = true;
        }
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }
}
