//! The watchdog: how late the state thread comes to what is due, since everybody waits for it together.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Supervised};
use log::warn;
use serde_json::{Value, json};

use super::{
    guard::Guarded,
    mailbox::{Reply, takes},
    roster::Observe,
    vitals::Vitals,
};
use crate::clock::Clock;

/// How often it looks.
const TICK: Duration = Duration::from_millis(100);
/// Looks that are remembered: a minute of them.
const REMEMBERED: usize = 600;
/// A delay worth a line in the log.
const TOO_LATE: Duration = Duration::from_millis(250);

/// The actor.
pub struct Watchdog {
    due: Instant,
    delays: VecDeque<Duration>,
    clock: Clock,
    vitals: Arc<Vitals>,
}

impl Watchdog {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(clock: Clock, vitals: Arc<Vitals>) -> Self {
        Self { due: clock.now() + TICK, delays: VecDeque::with_capacity(REMEMBERED), clock, vitals }
    }

    fn look(&mut self) {
        let now = self.clock.now();
        let delay = now.saturating_duration_since(self.due);
        if delay > TOO_LATE {
            let ms = delay.as_millis();
            warn!("watchdog: the state thread was held up for {ms} ms");
        }
        if self.delays.len() == REMEMBERED {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
        self.due = now + TICK;
    }
}

impl Actor for Watchdog {
    type Context = Context<Self>;

    // Called after a restart too: actix starts a restarted context anew.
    fn started(&mut self, context: &mut Self::Context) {
        self.due = self.clock.now() + TICK;
        context.run_interval(TICK, |watchdog, _| watchdog.look());
    }
}

impl Supervised for Watchdog {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
    }
}

impl Guarded for Watchdog {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        self.delays.clear();
    }
}

takes!(Watchdog: Observe);

impl Handler<Observe> for Watchdog {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let micros = |delay: Option<&Duration>| delay.map(Duration::as_micros).unwrap_or_default() as u64;
        Reply(json!({
            "delay_us_last": micros(self.delays.back()),
            "delay_us_worst_of_a_minute": micros(self.delays.iter().max()),
        }))
    }
}
