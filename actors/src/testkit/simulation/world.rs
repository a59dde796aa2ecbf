//! What all inhabitants of one story share: the house, the far side, the trace and the checks.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    Story,
    checks::{Arrival, Checks, Look, Now},
    money::Money,
    seen, since, wall,
};
use crate::{
    Gateway, Settings,
    clock::Clock,
    dispatcher::{
        grant::{Closing, Grant},
        journey::Journey,
    },
    ids::ProviderId,
    ledger::{
        claim::Payers,
        limits::{AccountId, Limits},
    },
    money::Pico,
    provider::{card::Card, outcome::Outcome},
    session::id::SessionId,
    testkit::{records::Records, trace::Trace, upstream::Upstream},
};

/// The world of one story.
pub(super) struct World {
    pub(super) gateway: Gateway,
    pub(super) settings: Settings,
    pub(super) upstream: Rc<Upstream>,
    pub(super) checks: RefCell<Checks>,
    pub(super) money: RefCell<Money>,
    pub(super) records: Arc<Records>,
    /// What binds each user and key.
    pub(super) limits: RefCell<BTreeMap<AccountId, Arc<Limits>>>,
    /// What the operator configured last.
    pub(super) cards: RefCell<Vec<Arc<Card>>>,
    trace: RefCell<Trace>,
    marks: RefCell<BTreeMap<&'static str, u64>>,
    broken: RefCell<Option<(String, Vec<String>)>>,
    happened: Notify,
    grants: Cell<u64>,
    start: Instant,
}

impl World {
    pub(super) fn new(gateway: Gateway, settings: Settings, records: Arc<Records>) -> Rc<Self> {
        Rc::new(Self {
            start: gateway.clock().now(),
            gateway,
            upstream: Rc::default(),
            money: RefCell::new(Money::new(Arc::clone(&records))),
            records,
            limits: RefCell::default(),
            checks: RefCell::new(Checks::new(settings.clone())),
            settings,
            cards: RefCell::default(),
            trace: RefCell::default(),
            marks: RefCell::default(),
            broken: RefCell::default(),
            happened: Notify::new(),
            grants: Cell::new(0),
        })
    }

    /// One step of the story.
    pub(super) fn note(&self, step: impl fmt::Display) {
        self.trace.borrow_mut().line(since(self.gateway.clock(), self.start), &step.to_string());
        self.happened.notify_one();
    }

    /// A rare situation came up.
    pub(super) fn mark(&self, what: &'static str) {
        *self.marks.borrow_mut().entry(what).or_default() += 1;
    }

    /// A promise was broken. The first counts: what follows may be its echo.
    pub(super) fn broken(&self, promise: impl fmt::Display) {
        self.note(format_args!("BROKEN {promise}"));
        let tail = self.trace.borrow().tail();
        self.broken.borrow_mut().get_or_insert_with(|| (promise.to_string(), tail));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    pub(super) fn now(&self) -> Now {
        let clock = self.gateway.clock();
        Now { at: clock.now(), wall: wall(clock) }
    }

    /// Checks the house whenever something happened and all has become quiet: others move at even
    /// milliseconds, the inspector looks at odd ones.
    pub(super) async fn inspect(self: Rc<Self>) {
        loop {
            self.happened.notified().await;
            let odd = since(self.gateway.clock(), self.start).as_millis() % 2;
            tokio::time::sleep(Duration::from_millis(if odd == 0 { 1 } else { 2 })).await;
            let looked = self.now().at;
            self.look().await;
            if self.now().at != looked {
                self.broken("an actor took its time to answer, though nobody had work");
            }
        }
    }

    /// One look at those that are due.
    pub(super) async fn look(&self) {
        let due = self.checks.borrow_mut().due();
        let actors = match due {
            Look::Everyone => {
                let everyone = self.gateway.actors().await;
                self.keep(self.checks.borrow().roster(&everyone));
                everyone
            }
            Look::At(some) => {
                let ledgers = self.money.borrow_mut().due();
                let asked = some.iter().chain(&ledgers).map(|(kind, name)| self.gateway.actor(kind, name));
                futures_util::future::join_all(asked).await.into_iter().flatten().collect()
            }
        };
        if actors.iter().any(seen::rests) {
            self.mark("an actor rested");
        }
        let verdict = self.checks.borrow_mut().quiet(&actors, self.now());
        self.keep(verdict);
        let verdict = self.money.borrow_mut().quiet(&actors, self.now().at);
        self.keep(verdict);
    }

    fn keep(&self, promise: Result<(), String>) {
        if let Err(promise) = promise {
            self.broken(promise);
        }
    }

    /// The story as it was.
    pub(super) fn story(&self, seed: u64, clock: Clock) -> Story {
        let trace = self.trace.borrow();
        let (broken, tail) = self.broken.take().map_or((None, trace.tail()), |(why, tail)| (Some(why), tail));
        let simulated = since(clock, self.start);
        let marks = self.marks.take();
        Story { seed, digest: trace.digest(), steps: trace.lines(), simulated, marks, broken, tail }
    }
}

/// What a request holds of some accounts, as the world counts it.
pub(super) struct Holding {
    world: Rc<World>,
    payers: Payers,
    amount: Pico,
}

impl Holding {
    pub(super) fn take(world: &Rc<World>, payers: Payers, amount: Pico) -> Self {
        world.money.borrow_mut().takes(payers, amount);
        Self { world: Rc::clone(world), payers, amount }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.world.money.borrow_mut().gives_back(self.payers, self.amount);
    }
}

/// A request that looks for a provider, and may hold what nobody has seen yet.
pub(super) struct Search(Option<Rc<World>>);

impl Search {
    pub(super) fn begin(world: &Rc<World>) -> Self {
        world.money.borrow_mut().searches();
        Self(Some(Rc::clone(world)))
    }

    pub(super) fn end(mut self) {
        if let Some(world) = self.0.take() {
            world.money.borrow_mut().found();
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Some(world) = self.0.take() {
            world.money.borrow_mut().left_searching(world.now().at);
        }
    }
}

/// A grant in a caller's hands, as the world counts it.
pub(super) struct Held {
    world: Rc<World>,
    grant: Option<Grant>,
    pub(super) name: String,
    pub(super) provider: ProviderId,
    pub(super) session: Option<SessionId>,
    pub(super) probe: bool,
    pub(super) began: bool,
}

impl Held {
    /// Takes a grant into the world's books.
    pub(super) fn take(
        world: &Rc<World>,
        who: &dyn fmt::Display,
        journey: &Journey,
        failed: &[ProviderId],
        grant: Grant,
    ) -> Self {
        world.grants.set(world.grants.get() + 1);
        let provider = grant.provider();
        let name = format!("grant {} of {who} at p{provider}", world.grants.get());
        let limit = grant.card().limits.concurrency;
        let arrival = Arrival { journey, provider, limit, failed };
        let verdict = world.checks.borrow_mut().granted(&arrival, world.now());
        let probe = verdict.as_ref().is_ok_and(|probe| *probe);
        world.note(format_args!("{name}{}", if probe { ", a probe" } else { "" }));
        if let Err(promise) = verdict {
            world.broken(promise);
        }
        if probe {
            world.mark("a probe was sent");
        }
        let session = journey.ask().session;
        Self { world: Rc::clone(world), grant: Some(grant), name, provider, session, probe, began: false }
    }

    pub(super) fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// The first frame came.
    pub(super) fn begin(&mut self) {
        self.world.note(format_args!("{} began", self.name));
        self.world.checks.borrow_mut().watch(self.provider).began(self.probe);
        self.began = true;
        if let Some(grant) = &mut self.grant {
            grant.began();
        }
    }

    /// The attempt ended so.
    pub(super) fn close(mut self, outcome: Outcome, cool_down: Option<Duration>) {
        if let Some(grant) = self.grant.take() {
            self.book(outcome);
            grant.close(outcome, Closing { cool_down, answer: None });
        }
    }

    fn book(&self, outcome: Outcome) {
        self.world.note(format_args!("{} ended: {}", self.name, outcome.name()));
        let now = self.world.now().at;
        self.world.checks.borrow_mut().ended(self, outcome, now);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.grant.is_some() {
            self.world.mark("a grant was dropped unclosed");
            if self.probe && !self.began {
                self.world.mark("a probe was cancelled");
            }
            self.book(Outcome::Abandoned);
        }
    }
}
