//! Sticky sessions: the actor that remembers which provider holds a conversation's prompt cache.
//!
//! A binding is advice: it never overrides a breaker, a limit or the operator's configuration.

pub mod bindings;
pub mod id;
pub mod messages;

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Supervised};
use serde_json::{Value, json};

use self::{
    bindings::Bindings,
    messages::{Bind, Home, ListSessions, Pin, Resolve, SessionView, Touch, Unbind, UnbindProvider},
};
use crate::{
    clock::Clock,
    fault,
    supervisor::{
        Guarded, Observe, Vitals,
        mailbox::{Reply, takes},
    },
};

/// Bindings that are remembered at most.
const CAPACITY: usize = 200_000;
/// Answers whose home is remembered at most, and for how long: vendors keep them for weeks, but nobody
/// goes on with a conversation after a day without naming its session too.
const PINS: usize = 100_000;
const PIN_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How often dead bindings are swept. A late sweep costs memory, never correctness.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// The actor.
pub struct SessionTracker {
    bindings: Bindings,
    pins: Bindings,
    time_to_live: Duration,
    clock: Clock,
    vitals: Arc<Vitals>,
}

impl SessionTracker {
    /// A tracker without bindings.
    #[must_use]
    pub fn new(time_to_live: Duration, clock: Clock, vitals: Arc<Vitals>) -> Self {
        Self {
            bindings: Bindings::new(time_to_live, CAPACITY),
            pins: Bindings::new(PIN_LIFE, PINS),
            time_to_live,
            clock,
            vitals,
        }
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        self.bindings.sweep(now);
        self.pins.sweep(now);
    }
}

impl Actor for SessionTracker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(SWEEP_EVERY, |tracker, _| tracker.sweep());
    }
}

impl Supervised for SessionTracker {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
    }
}

impl Guarded for SessionTracker {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        self.bindings = Bindings::new(self.time_to_live, CAPACITY);
        self.pins = Bindings::new(PIN_LIFE, PINS);
    }
}

takes!(SessionTracker: Resolve, Bind, Touch, Pin, Unbind, UnbindProvider, ListSessions, Observe);

impl Handler<Resolve> for SessionTracker {
    type Result = Reply<Home>;

    fn handle(&mut self, Resolve { session, continues }: Resolve, _: &mut Self::Context) -> Self::Result {
        fault::point("session.resolve", "tracker");
        let now = self.clock.now();
        Reply(Home {
            bound_to: session.and_then(|session| self.bindings.resolve(session, now)),
            pinned_to: continues.and_then(|answer| self.pins.resolve(answer, now)),
        })
    }
}

impl Handler<Bind> for SessionTracker {
    type Result = ();

    fn handle(&mut self, Bind { session, provider }: Bind, _: &mut Self::Context) {
        self.bindings.bind(session, provider, self.clock.now());
    }
}

impl Handler<Touch> for SessionTracker {
    type Result = ();

    fn handle(&mut self, Touch { session, provider }: Touch, _: &mut Self::Context) {
        self.bindings.touch(session, provider, self.clock.now());
    }
}

impl Handler<Pin> for SessionTracker {
    type Result = ();

    fn handle(&mut self, Pin { answer, provider }: Pin, _: &mut Self::Context) {
        self.pins.bind(answer, provider, self.clock.now());
    }
}

impl Handler<Unbind> for SessionTracker {
    type Result = bool;

    fn handle(&mut self, Unbind(session): Unbind, _: &mut Self::Context) -> bool {
        self.bindings.unbind(session)
    }
}

impl Handler<UnbindProvider> for SessionTracker {
    type Result = ();

    fn handle(&mut self, UnbindProvider(provider): UnbindProvider, _: &mut Self::Context) {
        self.bindings.unbind_provider(provider);
        self.pins.unbind_provider(provider);
    }
}

impl Handler<ListSessions> for SessionTracker {
    type Result = Reply<Vec<SessionView>>;

    fn handle(&mut self, ListSessions { of, most }: ListSessions, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        let found = match of {
            None => self.bindings.iter(now).take(most).collect(),
            Some(keys) => self.bindings.latest_of(&keys, most, now),
        };
        let views = found.into_iter().map(|(id, binding)| SessionView {
            id,
            key_id: id.key(),
            provider_id: binding.provider,
            since: self.clock.wall(binding.since),
            last_used: self.clock.wall(binding.last_used),
            age_s: now.duration_since(binding.since).as_secs(),
            requests: binding.requests,
        });
        Reply(views.collect())
    }
}

impl Handler<Observe> for SessionTracker {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        Reply(json!({
            "bindings": self.bindings.len(),
            "pinned_answers": self.pins.len(),
            "time_to_live_s": self.time_to_live.as_secs(),
        }))
    }
}
