//! The dispatcher: one decision per attempt, made on what is known about every provider.
//!
//! It owns the table of providers (starting and ending their actors as the operator configures them), the
//! ledgers that are awake, and the retry budget; everything else it asks: the user's ledger whether the
//! request may be made at all, the session tracker where its conversation is at home, and the chosen provider
//! whether it has room. All of them live on its own thread.

pub mod budget;
mod choice;
pub mod decisions;
pub mod grant;
pub mod journey;
mod ledgers;
pub mod messages;
pub mod selection;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Arbiter, AsyncContext, Context, Handler, ResponseFuture, Supervised};
use log::info;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use self::{
    budget::RetryBudget,
    choice::Choice,
    decisions::Decision,
    ledgers::Ledgers,
    messages::{
        Ask, Configure, Keepers, LedgerOf, NotPicked, Pick, Picked, ProviderOf, SetBreakerOf, Simulate,
        TellCalendar, TellWaiting,
    },
    selection::Entrant,
};
use crate::{
    board::{Line, Shut, Why},
    clock::Clock,
    fault,
    ids::ProviderId,
    ledger::{
        Ledger,
        calendar::Calendar,
        messages::{SetCalendar, Tend},
        quantile::ModelMark,
    },
    provider::{Provider, card::Card, messages::Reconfigure},
    session::{SessionTracker, messages::UnbindProvider},
    supervisor::{
        Guarded, Leash, Mailbox, Observe, Roster, Vitals, guard,
        mailbox::{Reply, takes},
    },
};

/// The roster's word for provider actors.
pub const PROVIDER: &str = "provider";

/// How often ledgers are looked after.
const TEND_EVERY: Duration = Duration::from_secs(30);

/// The actor.
pub struct Dispatcher {
    /// Replaced as a whole when the operator changes something: one request sees one version (I-52).
    table: Table,
    /// Shared with choices that are waiting for an answer; never borrowed across a wait.
    budget: Rc<RefCell<RetryBudget>>,
    /// Likewise.
    ledgers: Rc<RefCell<Ledgers>>,
    random: SmallRng,
    picks: u64,
    sessions: Mailbox<SessionTracker>,
    roster: Roster,
    leash: Leash,
    clock: Clock,
    vitals: Arc<Vitals>,
}

/// One version of all providers. A request that is handed one goes by it to its end, whatever is changed in
/// between (I-52); the actors in it live as long.
#[derive(Clone)]
pub struct Table(Arc<[Seat]>);

impl std::ops::Deref for Table {
    type Target = [Seat];

    fn deref(&self) -> &[Seat] {
        &self.0
    }
}

impl Default for Table {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|seat| &seat.card.name)).finish()
    }
}

/// One provider as the dispatcher knows it.
#[derive(Clone)]
pub struct Seat {
    card: Arc<Card>,
    line: Arc<Line>,
    mailbox: Mailbox<Provider>,
}

impl Seat {
    fn entrant(&self, clock: Clock, calendar: &Calendar) -> Entrant<'_> {
        let now = clock.now();
        let opens = self.card.restrictions.schedule.as_ref().and_then(|schedule| {
            let wall = clock.wall(now);
            let wait = (schedule.opens(wall, calendar)? - wall).to_std().unwrap_or_default();
            Some(now + wait)
        });
        let resting = self.mailbox.vitals().quarantined_until(now);
        let down = resting.map(|until| Shut { why: Why::ActorDown, until });
        Entrant {
            card: &self.card,
            opens,
            shut: down.or_else(|| self.line.shut(now)),
            ailing: self.line.is_ailing(),
        }
    }
}

/// What the dispatcher is made of, apart from its vitals.
pub(crate) struct Parts {
    pub(crate) sessions: Mailbox<SessionTracker>,
    pub(crate) books: crate::ledger::Parts,
    pub(crate) roster: Roster,
    pub(crate) leash: Leash,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
}

impl Dispatcher {
    pub(crate) fn new(parts: Parts, vitals: Arc<Vitals>) -> Self {
        let Parts { sessions, books, roster, leash, clock, seed } = parts;
        Self {
            table: Table::default(),
            budget: Rc::default(),
            ledgers: Rc::new(RefCell::new(Ledgers::new(books, leash, roster.clone()))),
            random: SmallRng::seed_from_u64(seed),
            picks: 0,
            sessions,
            roster,
            leash,
            clock,
            vitals,
        }
    }

    fn seat(&self, provider: ProviderId) -> Option<&Seat> {
        self.table.iter().find(|seat| seat.card.id == provider)
    }

    /// Starts the actor of a provider that is new.
    fn seat_new(&self, card: Arc<Card>) -> Seat {
        let line = Arc::new(Line::default());
        let (clock, name) = (self.clock, format!("{PROVIDER}/{}", card.name));
        let mailbox = guard::start(&Arbiter::current(), clock, self.leash, name, {
            let (card, line) = (Arc::clone(&card), Arc::clone(&line));
            let parts = self.ledgers.borrow().parts().clone();
            move |_, vitals| Provider::new(card, line, parts, vitals)
        });
        self.roster.enlist(PROVIDER, &card.name, &mailbox);
        Seat { card, line, mailbox }
    }

    /// Hands a provider that stays its new card.
    fn seat_again(&self, old: &Seat, card: Arc<Card>) -> Seat {
        self.roster.enlist(PROVIDER, &card.name, &old.mailbox);
        if old.card.version != card.version {
            old.mailbox.tell(Reconfigure(Arc::clone(&card)));
        }
        Seat { card, ..old.clone() }
    }

    fn tend(&mut self) {
        self.ledgers.borrow_mut().tend(self.clock.now());
        self.table.iter().for_each(|seat| seat.mailbox.tell(Tend));
    }

    /// What one choice needs, owned, so that it can wait for answers without holding the actor.
    fn choice(&mut self, ask: Arc<Ask>, tried: Vec<ProviderId>, table: Option<Table>) -> Choice {
        let table = table.unwrap_or_else(|| self.table.clone());
        self.picks += 1;
        Choice {
            table,
            budget: Rc::clone(&self.budget),
            ledgers: Rc::clone(&self.ledgers),
            random: SmallRng::from_rng(&mut self.random),
            sessions: self.sessions.clone(),
            clock: self.clock,
            model: ModelMark::of(&ask.model),
            ask,
            tried,
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    // Called after a restart too, which cancels what was armed.
    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TEND_EVERY, |dispatcher, _| dispatcher.tend());
    }
}

impl Supervised for Dispatcher {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
    }
}

impl Guarded for Dispatcher {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        // The table holds the only addresses of the provider actors: it is configuration, not state.
        self.budget = Rc::default();
    }
}

takes!(Dispatcher: Pick, Simulate, Configure, SetBreakerOf, LedgerOf, ProviderOf, Keepers, TellCalendar, TellWaiting, Observe);

impl Handler<Pick> for Dispatcher {
    type Result = ResponseFuture<Result<Picked, NotPicked>>;

    fn handle(&mut self, pick: Pick, _: &mut Self::Context) -> Self::Result {
        let Pick { ask, tried, reserved, caller, table } = pick;
        fault::point("dispatcher.pick", "dispatcher");
        if tried.is_empty() {
            self.budget.borrow_mut().request(self.clock.now());
        }
        Box::pin(self.choice(ask, tried, table).reserve_and_pick(reserved, caller))
    }
}

impl Handler<Simulate> for Dispatcher {
    type Result = ResponseFuture<Decision>;

    fn handle(&mut self, Simulate(ask): Simulate, _: &mut Self::Context) -> Self::Result {
        Box::pin(self.choice(ask, Vec::new(), None).simulate())
    }
}

impl Handler<Configure> for Dispatcher {
    type Result = Reply<Table>;

    fn handle(&mut self, Configure(cards): Configure, _: &mut Self::Context) -> Self::Result {
        // All names first: two providers may trade theirs, or a new one take that of another.
        for old in self.table.iter() {
            self.roster.discharge(PROVIDER, &old.card.name);
        }
        let kept = |seat: &&Seat| cards.iter().any(|card| card.id == seat.card.id);
        for gone in self.table.iter().filter(|seat| !kept(seat)) {
            self.sessions.tell(UnbindProvider(gone.card.id));
        }
        let table: Vec<_> = cards
            .into_iter()
            .map(|card| match self.seat(card.id) {
                Some(old) => self.seat_again(old, card),
                None => self.seat_new(card),
            })
            .collect();
        info!("dispatcher: {} providers configured", table.len());
        self.table = Table(table.into());
        Reply(self.table.clone())
    }
}

impl Handler<SetBreakerOf> for Dispatcher {
    type Result = ResponseFuture<bool>;

    fn handle(
        &mut self,
        SetBreakerOf { provider, wish }: SetBreakerOf,
        _: &mut Self::Context,
    ) -> Self::Result {
        let mailbox = self.seat(provider).map(|seat| seat.mailbox.clone());
        Box::pin(async move {
            match mailbox {
                Some(mailbox) => mailbox.ask(wish).await.is_ok(),
                None => false,
            }
        })
    }
}

impl Handler<LedgerOf> for Dispatcher {
    type Result = Reply<Mailbox<Ledger>>;

    fn handle(&mut self, LedgerOf(user): LedgerOf, _: &mut Self::Context) -> Self::Result {
        Reply(self.ledgers.borrow_mut().of(user, self.clock.now()))
    }
}

impl Handler<ProviderOf> for Dispatcher {
    type Result = Reply<Option<Mailbox<Provider>>>;

    fn handle(&mut self, ProviderOf(provider): ProviderOf, _: &mut Self::Context) -> Self::Result {
        Reply(self.seat(provider).map(|seat| seat.mailbox.clone()))
    }
}

impl Handler<Keepers> for Dispatcher {
    type Result = Reply<(Vec<Mailbox<Ledger>>, Vec<Mailbox<Provider>>)>;

    fn handle(&mut self, _: Keepers, _: &mut Self::Context) -> Self::Result {
        let providers = self.table.iter().map(|seat| seat.mailbox.clone()).collect();
        Reply((self.ledgers.borrow().all(), providers))
    }
}

impl Handler<TellCalendar> for Dispatcher {
    type Result = ();

    fn handle(&mut self, TellCalendar(calendar): TellCalendar, _: &mut Self::Context) {
        self.ledgers.borrow_mut().set_calendar(&calendar);
        for seat in self.table.iter() {
            seat.mailbox.tell(SetCalendar(calendar.clone()));
        }
    }
}

impl Handler<TellWaiting> for Dispatcher {
    type Result = ();

    fn handle(&mut self, TellWaiting(terms): TellWaiting, _: &mut Self::Context) {
        self.ledgers.borrow_mut().set_waiting(terms);
    }
}

impl Handler<Observe> for Dispatcher {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let ledgers = self.ledgers.borrow().len();
        Reply(json!({ "providers": self.table.len(), "ledgers": ledgers, "picks": self.picks }))
    }
}
