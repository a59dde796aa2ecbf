//! The handle the edges hold: starts the house of actors, and hides their addresses.

use std::{fmt, sync::Arc, time::Duration};

use actix::ArbiterHandle;

use crate::{
    clock::Clock,
    dispatcher::{
        Dispatcher, Parts, Table,
        decisions::Decision,
        journey::Journey,
        messages::{
            Ask, Configure, Keepers, LedgerOf, NotPicked, Pick, Picked, ProviderOf, SetBreakerOf, Simulate,
            TellCalendar, TellWaiting,
        },
    },
    exports::Clerk,
    ids::{KeyId, ProviderId, UserId},
    ledger::{
        self,
        book::Terms,
        calendar::Calendar,
        claim::Raise,
        limits::{AccountId, Limits, Span},
        messages::{ListReservations, RaiseLimit, Recheck, Reset, View},
        queue::Waiting,
        reservation::Keeper,
        tally::Forgiven,
        view::{AccountView, ReservationView},
    },
    ports::{Nothing, SharedBalances},
    provider::{card::Card, messages::SetBreaker},
    session::{
        SessionTracker,
        id::SessionId,
        messages::{ListSessions, SessionView, Unbind},
    },
    sign_in::{
        Door,
        backoff::{Attempt, Leave},
        messages::{Admit, Succeeded},
    },
    supervisor::{Leash, Mailbox, Roster, Snapshot, Undelivered, guard, watchdog::Watchdog},
};

/// How the house behaves.
#[derive(Debug, Clone)]
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
    /// The longest a request may take, all in all. A reservation that is older by a minute is given back.
    pub longest_request: Duration,
    /// Who remembers what accounts have used.
    pub balances: SharedBalances,
    /// By what calendar days, weeks and months are told.
    pub calendar: Calendar,
    /// Whether requests wait when an account has as many in flight as it may.
    pub waiting: Waiting,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(300),
            max_attempts: 4,
            request_deadline: Duration::from_secs(600),
            leash: Leash::default(),
            seed: 0,
            longest_request: Duration::from_secs(600 + 3_600),
            balances: Arc::new(Nothing),
            calendar: Calendar::default(),
            waiting: Waiting::default(),
        }
    }
}

/// Whose quota an operator asks about. Limits are handed in, since a ledger that sleeps knows none.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A user, with what binds it.
    User(UserId, Arc<Limits>),
    /// A user's key, with what binds that.
    Key(UserId, KeyId, Arc<Limits>),
    /// A provider, which knows what binds it.
    Provider(ProviderId),
}

impl Subject {
    fn account(&self) -> AccountId {
        match self {
            Self::User(user, _) => AccountId::User(*user),
            Self::Key(_, key, _) => AccountId::Key(*key),
            Self::Provider(provider) => AccountId::Provider(*provider),
        }
    }

    fn limits(&self) -> Option<Arc<Limits>> {
        match self {
            Self::User(_, limits) | Self::Key(_, _, limits) => Some(Arc::clone(limits)),
            Self::Provider(_) => None,
        }
    }
}

/// The way to the actors, from any thread. Clones are cheap.
#[derive(Clone)]
pub struct Gateway {
    dispatcher: Mailbox<Dispatcher>,
    sessions: Mailbox<SessionTracker>,
    door: Mailbox<Door>,
    exports: Mailbox<Clerk>,
    roster: Roster,
    clock: Clock,
    settings: Settings,
}

impl Gateway {
    /// Starts all state actors on one thread. Which thread is the caller's choice; they don't know.
    #[must_use]
    pub fn start(thread: &ArbiterHandle, clock: Clock, settings: Settings) -> Self {
        let roster = Roster::default();
        let Settings { session_ttl, leash, seed, longest_request, waiting, .. } = settings;
        // Providers stand in for each other; for these nobody does, so they rest only a moment.
        let short = Leash { rest: Duration::from_secs(1).min(leash.rest), ..leash };
        let sessions = guard::start(thread, clock, short, "session_tracker".to_owned(), move |_, vitals| {
            SessionTracker::new(session_ttl, clock, vitals)
        });
        roster.enlist("session_tracker", "main", &sessions);
        let door =
            guard::start(thread, clock, short, "door".to_owned(), move |_, vitals| Door::new(clock, vitals));
        roster.enlist("door", "main", &door);
        let exports = guard::start(thread, clock, short, "exports".to_owned(), move |context, vitals| {
            Clerk::new(clock, vitals, context)
        });
        roster.enlist("exports", "main", &exports);
        let books = ledger::Parts {
            terms: Terms { longest_request, session_ttl },
            calendar: settings.calendar.clone(),
            waiting,
            balances: Arc::clone(&settings.balances),
            clock,
        };
        let parts = Parts { sessions: sessions.clone(), books, roster: roster.clone(), leash, clock, seed };
        let dispatcher = guard::start(thread, clock, short, "dispatcher".to_owned(), move |_, vitals| {
            Dispatcher::new(parts, vitals)
        });
        roster.enlist("dispatcher", "main", &dispatcher);
        Self { dispatcher, sessions, door, exports, roster, clock, settings }
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
    pub async fn configure(&self, cards: Vec<Arc<Card>>) -> Result<Table, Undelivered> {
        self.dispatcher.ask(Configure(cards)).await
    }

    /// Sets a provider's breaker. False when there is no such provider.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn set_breaker(&self, provider: ProviderId, wish: SetBreaker) -> Result<bool, Undelivered> {
        self.dispatcher.ask(SetBreakerOf { provider, wish }).await
    }

    /// The most recently used session bindings, of these keys or of all.
    ///
    /// # Errors
    /// [`Undelivered`] when the tracker is overloaded.
    pub async fn sessions(
        &self,
        of: Option<Vec<KeyId>>,
        most: usize,
    ) -> Result<Vec<SessionView>, Undelivered> {
        self.sessions.ask(ListSessions { of, most }).await
    }

    /// Unties a session. False when it was not tied.
    ///
    /// # Errors
    /// [`Undelivered`] when the tracker is overloaded.
    pub async fn unbind(&self, session: SessionId) -> Result<bool, Undelivered> {
        self.sessions.ask(Unbind(session)).await
    }

    /// Whether somebody may try to sign in to the control plane now, or how long to wait. What is not told to
    /// have succeeded has failed.
    ///
    /// # Errors
    /// [`Undelivered`] when the door is overloaded.
    pub async fn admit_sign_in(&self, attempt: Attempt) -> Result<Result<Leave, Duration>, Undelivered> {
        self.door.ask(Admit(attempt)).await
    }

    /// An attempt to sign in has succeeded.
    pub fn sign_in_succeeded(&self, leave: Leave) {
        self.door.tell(Succeeded(leave));
    }

    /// Who takes orders for exports, and knows how far each is.
    #[must_use]
    pub const fn exports(&self) -> &Mailbox<Clerk> {
        &self.exports
    }

    /// What an account may use, has used and has reserved. None when there is no such provider.
    ///
    /// # Errors
    /// [`Undelivered`] when whoever keeps its book is overloaded.
    pub async fn quota(&self, subject: Subject) -> Result<Option<AccountView>, Undelivered> {
        let account = subject.account();
        match self.keeper(&subject).await? {
            Some(Keeper::Ledger(ledger)) => {
                ledger.ask(View { account, limits: subject.limits() }).await.map(Some)
            }
            Some(Keeper::Provider(provider)) => provider.ask(View { account, limits: None }).await.map(Some),
            None => Ok(None),
        }
    }

    /// Counts a span of an account from now on; what is open stays. Answers what must be remembered, so that
    /// [`Balances`](crate::ports::Balances) can tell of it; none when there is no such provider, or when
    /// nobody can say just now what there is to forgive.
    ///
    /// # Errors
    /// [`Undelivered`] when whoever keeps its book is overloaded.
    pub async fn reset(&self, subject: Subject, span: Span) -> Result<Option<Forgiven>, Undelivered> {
        let account = subject.account();
        // It must be known first, and seeing it makes it known.
        self.quota(subject.clone()).await?;
        match self.keeper(&subject).await? {
            Some(Keeper::Ledger(ledger)) => ledger.ask(Reset { account, span }).await,
            Some(Keeper::Provider(provider)) => provider.ask(Reset { account, span }).await,
            None => Ok(None),
        }
    }

    /// Raises a limit for a while. False when there is no such provider. As with a reset, whoever answers for
    /// the balances must remember it.
    ///
    /// # Errors
    /// [`Undelivered`] when whoever keeps its book is overloaded.
    pub async fn raise(&self, subject: Subject, span: Span, raise: Raise) -> Result<bool, Undelivered> {
        let raise = RaiseLimit { account: subject.account(), span, raise };
        match self.keeper(&subject).await? {
            Some(Keeper::Ledger(ledger)) => ledger.ask(raise).await.map(|()| true),
            Some(Keeper::Provider(provider)) => provider.ask(raise).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// What is on record for an account has changed beside its book, as by a correction: it asks again, and
    /// goes by what it knew until it has the answer.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn recheck(&self, subject: &Subject) -> Result<(), Undelivered> {
        match self.keeper(subject).await? {
            Some(Keeper::Ledger(ledger)) => ledger.tell(Recheck),
            Some(Keeper::Provider(provider)) => provider.tell(Recheck),
            None => {}
        }
        Ok(())
    }

    /// What is reserved, by all who keep a book. One request stands in that of its user, and in that of its
    /// provider where that has a budget.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn reservations(&self) -> Result<Vec<ReservationView>, Undelivered> {
        let (ledgers, providers) = self.dispatcher.ask(Keepers).await?;
        let of_users = ledgers.iter().map(|ledger| ledger.ask(ListReservations));
        let of_providers = providers.iter().map(|provider| provider.ask(ListReservations));
        // One that rests has nothing to show; the others have.
        let of_users = futures_util::future::join_all(of_users).await.into_iter().flatten().flatten();
        let of_providers = futures_util::future::join_all(of_providers).await.into_iter().flatten().flatten();
        Ok(of_users.chain(of_providers).collect())
    }

    /// Days, weeks and months are told so from now on.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn set_calendar(&self, calendar: Calendar) -> Result<(), Undelivered> {
        self.dispatcher.ask(TellCalendar(calendar)).await
    }

    /// Requests wait for a place by these terms from now on.
    ///
    /// # Errors
    /// [`Undelivered`] when the dispatcher is overloaded.
    pub async fn set_waiting(&self, terms: Waiting) -> Result<(), Undelivered> {
        self.dispatcher.ask(TellWaiting(terms)).await
    }

    /// Who keeps that account's book.
    async fn keeper(&self, subject: &Subject) -> Result<Option<Keeper>, Undelivered> {
        match subject {
            Subject::User(user, _) | Subject::Key(user, ..) => {
                self.dispatcher.ask(LedgerOf(*user)).await.map(|ledger| Some(Keeper::Ledger(ledger)))
            }
            Subject::Provider(provider) => {
                let provider = self.dispatcher.ask(ProviderOf(*provider)).await?;
                Ok(provider.map(Keeper::Provider))
            }
        }
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
