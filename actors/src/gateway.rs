//! The handle the edges hold: starts the house of actors, and hides their addresses.

use std::{fmt, sync::Arc, time::Duration};

use actix::ArbiterHandle;

use crate::{
    clock::Clock,
    dispatcher::{
        Dispatcher, Parts,
        decisions::Decision,
        journey::Journey,
        messages::{Ask, Configure, NotPicked, Pick, Picked, SetBreakerOf, Simulate},
    },
    ids::ProviderId,
    provider::{card::Card, messages::SetBreaker},
    session::{
        SessionTracker,
        id::SessionId,
        messages::{ListSessions, SessionView, Unbind},
    },
    supervisor::{Leash, Mailbox, Roster, Snapshot, Undelivered, guard, watchdog::Watchdog},
};

/// How the house behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long an unused session stays bound.
    pub session_ttl: Duration,
    /// Attempts one request may have.
    pub max_attempts: u32,
    /// How long a request may look for an answer, all attempts and waits together.
    pub request_deadline: Duration,
    /// How many panics an actor may have before it rests.
    pub leash: Leash,
    /// Seeds the weighted draw.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(300),
            max_attempts: 4,
            request_deadline: Duration::from_secs(600),
            leash: Leash::default(),
            seed: 0,
        }
    }
}

/// The way to the actors, from any thread. Clones are cheap.
#[derive(Clone)]
pub struct Gateway {
    dispatcher: Mailbox<Dispatcher>,
    sessions: Mailbox<SessionTracker>,
    roster: Roster,
    clock: Clock,
    settings: Settings,
}

impl Gateway {
    /// Starts all state actors on one thread. Which thread is the caller's choice; they don't know.
    #[must_use]
    pub fn start(thread: &ArbiterHandle, clock: Clock, settings: Settings) -> Self {
        let roster = Roster::default();
        let Settings { session_ttl, leash, seed, .. } = settings;
        // Providers stand in for each other; for these two nobody does, so they rest only a moment.
        let short = Leash { rest: Duration::from_secs(1).min(leash.rest), ..leash };
        let sessions = guard::start(thread, clock, short, "session_tracker".to_owned(), move |_, vitals| {
            SessionTracker::new(session_ttl, clock, vitals)
        });
        roster.enlist("session_tracker", "main", &sessions);
        let parts = Parts { sessions: sessions.clone(), roster: roster.clone(), leash, clock, seed };
        let dispatcher = guard::start(thread, clock, short, "dispatcher".to_owned(), move |_, vitals| {
            Dispatcher::new(parts, vitals)
        });
        roster.enlist("dispatcher", "main", &dispatcher);
        Self { dispatcher, sessions, roster, clock, settings }
    }

    /// Has the thread of the state actors watched for being held up.
    pub fn watch(&self, thread: &ArbiterHandle) {
        let (clock, leash) = (self.clock, self.settings.leash);
        let watchdog = guard::start(thread, clock, leash, "watchdog".to_owned(), move |_, vitals| {
            Watchdog::new(clock, vitals)
        });
        self.roster.enlist("watchdog", "main", &watchdog);
    }

    /// A request sets out.
    #[must_use]
    pub fn journey(&self, ask: Ask) -> Journey {
        let deadline = self.clock.now() + self.settings.request_deadline;
        Journey::new(self.clone(), ask, deadline, self.settings.max_attempts)
    }

    /// The decision that would be made for such a request now.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn simulate(&self, ask: Ask) -> Result<Decision, Undelivered> {
        self.dispatcher.ask(Simulate(Arc::new(ask))).await
    }

    /// These are the providers from now on; requests under way finish with what they have.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn configure(&self, cards: Vec<Arc<Card>>) -> Result<(), Undelivered> {
        self.dispatcher.ask(Configure(cards)).await
    }

    /// Sets a provider's breaker. False when there is no such provider.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn set_breaker(&self, provider: ProviderId, wish: SetBreaker) -> Result<bool, Undelivered> {
        self.dispatcher.ask(SetBreakerOf { provider, wish }).await
    }

    /// The most recently used session bindings.
    ///
    /// # Errors
    /// [`Undelivered`] when the tracker is overloaded.
    pub async fn sessions(&self, most: usize) -> Result<Vec<SessionView>, Undelivered> {
        self.sessions.ask(ListSessions(most)).await
    }

    /// Unties a session. False when it was not tied.
    ///
    /// # Errors
    /// [`Undelivered`] when the tracker is overloaded.
    pub async fn unbind(&self, session: SessionId) -> Result<bool, Undelivered> {
        self.sessions.ask(Unbind(session)).await
    }

    /// Every actor.
    pub async fn actors(&self) -> Vec<Snapshot> {
        self.roster.observe_all(self.clock).await
    }

    /// One actor.
    pub async fn actor(&self, kind: &str, name: &str) -> Option<Snapshot> {
        self.roster.observe_one(kind, name, self.clock).await
    }

    /// The clock everyone goes by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Asks the dispatcher, once more if it lost the question to a panic (I-38).
    pub(crate) async fn pick(
        &self,
        pick: impl Fn() -> Pick,
    ) -> Result<Result<Picked, NotPicked>, Undelivered> {
        match self.dispatcher.ask(pick()).await {
            Err(Undelivered::Lost) => self.dispatcher.ask(pick()).await,
            answer => answer,
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}
