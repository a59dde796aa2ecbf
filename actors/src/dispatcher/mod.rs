//! The dispatcher: one decision per attempt, made on what is known about every provider.
//!
//! It owns the table of providers (starting and ending their actors as the operator configures them) and
//! the retry budget; everything else it asks: the session tracker where a conversation is at home, and the
//! chosen provider whether it has room. All of them live on its own thread.

pub mod budget;
pub mod decisions;
pub mod grant;
pub mod journey;
pub mod messages;
pub mod selection;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Arbiter, Context, Handler, ResponseFuture, Supervised};
use log::info;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use self::{
    budget::RetryBudget,
    decisions::{Candidate, Decision, Fate, Skip},
    grant::Grant,
    messages::{Ask, Configure, NoProvider, NotPicked, Pick, Picked, SetBreakerOf, Simulate},
    selection::{Background, Entrant, Selection, select},
};
use crate::{
    board::{Line, Shut, Why},
    clock::Clock,
    fault,
    ids::ProviderId,
    provider::{
        Provider,
        card::Card,
        messages::{Admit, Admitted, Reconfigure},
    },
    session::{
        SessionTracker,
        messages::{Bind, Home, Resolve, UnbindProvider},
    },
    supervisor::{
        Guarded, Leash, Mailbox, Observe, Roster, Undelivered, Vitals, guard,
        mailbox::{Reply, takes},
    },
};

/// The roster's word for provider actors.
pub const PROVIDER: &str = "provider";

/// How long a provider whose actor lost the question is taken to be away.
const LOST_FOR: Duration = Duration::from_secs(1);

/// Its neighbours answer within microseconds. One that does not has gone to rest with the question in its
/// queue, and the request must not wait for its return.
const PATIENCE: Duration = Duration::from_secs(1);

/// The actor.
pub struct Dispatcher {
    /// Replaced as a whole when the operator changes something: one choice sees one version (I-52).
    table: Rc<[Seat]>,
    /// Shared with choices that are waiting for an answer; never borrowed across a wait.
    budget: Rc<RefCell<RetryBudget>>,
    random: SmallRng,
    picks: u64,
    sessions: Mailbox<SessionTracker>,
    roster: Roster,
    leash: Leash,
    clock: Clock,
    vitals: Arc<Vitals>,
}

/// One provider as the dispatcher knows it.
#[derive(Clone)]
struct Seat {
    card: Arc<Card>,
    line: Arc<Line>,
    mailbox: Mailbox<Provider>,
}

impl Seat {
    fn entrant(&self, clock: Clock) -> Entrant<'_> {
        let now = clock.now();
        let resting = self.mailbox.vitals().quarantined_until(now);
        let down = resting.map(|until| Shut { why: Why::ActorDown, until });
        Entrant {
            card: &self.card,
            shut: down.or_else(|| self.line.shut(now)),
            ailing: self.line.is_ailing(),
        }
    }
}

/// What the dispatcher is made of, apart from its vitals.
pub(crate) struct Parts {
    pub(crate) sessions: Mailbox<SessionTracker>,
    pub(crate) roster: Roster,
    pub(crate) leash: Leash,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
}

impl Dispatcher {
    pub(crate) fn new(parts: Parts, vitals: Arc<Vitals>) -> Self {
        let Parts { sessions, roster, leash, clock, seed } = parts;
        Self {
            table: Rc::new([]),
            budget: Rc::default(),
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
            move |_, vitals| Provider::new(card, line, clock, vitals)
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

    /// What one choice needs, owned, so that it can wait for answers without holding the actor.
    fn choice(&mut self, ask: Arc<Ask>, tried: Vec<ProviderId>) -> Choice {
        self.picks += 1;
        Choice {
            table: Rc::clone(&self.table),
            budget: Rc::clone(&self.budget),
            random: SmallRng::from_rng(&mut self.random),
            sessions: self.sessions.clone(),
            clock: self.clock,
            ask,
            tried,
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
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

takes!(Dispatcher: Pick, Simulate, Configure, SetBreakerOf, Observe);

impl Handler<Pick> for Dispatcher {
    type Result = ResponseFuture<Result<Picked, NotPicked>>;

    fn handle(&mut self, Pick { ask, tried }: Pick, _: &mut Self::Context) -> Self::Result {
        fault::point("dispatcher.pick", "dispatcher");
        if tried.is_empty() {
            self.budget.borrow_mut().request(self.clock.now());
        }
        Box::pin(self.choice(ask, tried).pick())
    }
}

impl Handler<Simulate> for Dispatcher {
    type Result = ResponseFuture<Decision>;

    fn handle(&mut self, Simulate(ask): Simulate, _: &mut Self::Context) -> Self::Result {
        Box::pin(self.choice(ask, Vec::new()).simulate())
    }
}

impl Handler<Configure> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Configure(cards): Configure, _: &mut Self::Context) {
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
        self.table = table.into();
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

impl Handler<Observe> for Dispatcher {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        Reply(json!({ "providers": self.table.len(), "picks": self.picks }))
    }
}

/// One choice under way.
struct Choice {
    table: Rc<[Seat]>,
    budget: Rc<RefCell<RetryBudget>>,
    random: SmallRng,
    sessions: Mailbox<SessionTracker>,
    clock: Clock,
    ask: Arc<Ask>,
    tried: Vec<ProviderId>,
}

impl Choice {
    async fn pick(mut self) -> Result<Picked, NotPicked> {
        let home = self.home().await;
        let Selection { order, merit, candidates } = self.select(home);
        let mut decision = self.decision(home, candidates);
        for (rank, index) in order.into_iter().enumerate() {
            let seat = &self.table[index];
            if !self.affords(seat) {
                return Err(NotPicked { why: NoProvider::BudgetSpent, decision });
            }
            match admit(seat, self.clock).await {
                Ok(admitted) => {
                    decision.chosen = Some(seat.card.id);
                    decision.candidates[rank].fate = Fate::Chosen { reason: merit_at(rank, merit) };
                    return Ok(Picked { grant: self.grant(seat, admitted), decision });
                }
                Err(Shut { why, until }) => {
                    let wait = until.saturating_duration_since(self.clock.now());
                    let retry_in_ms = u64::try_from(wait.as_millis()).ok();
                    decision.candidates[rank].fate = Fate::Skipped { reason: why.into(), retry_in_ms };
                }
            }
        }
        let why = why_nobody(&decision.candidates, home);
        Err(NotPicked { why, decision })
    }

    async fn simulate(mut self) -> Decision {
        let home = self.home().await;
        let Selection { order, merit, mut candidates } = self.select(home);
        let chosen = order.first().map(|first| self.table[*first].card.id);
        if chosen.is_some() {
            candidates[0].fate = Fate::Chosen { reason: merit };
        }
        Decision { chosen, ..self.decision(home, candidates) }
    }

    /// Where the request belongs. A tracker that lost the question costs a warm cache, not the request.
    async fn home(&self) -> Home {
        let Ask { continues, session_goes_on, .. } = *self.ask;
        let session = self.ask.session.filter(|_| session_goes_on);
        if session.is_none() && continues.is_none() {
            return Home::default();
        }
        in_time(self.sessions.ask(Resolve { session, continues })).await.unwrap_or_default()
    }

    fn select(&mut self, home: Home) -> Selection {
        let entrants: Vec<_> = self.table.iter().map(|seat| seat.entrant(self.clock)).collect();
        let background =
            Background { bound_to: home.bound_to, pinned_to: home.pinned_to, tried: &self.tried };
        select(&entrants, &self.ask, background, self.clock.now(), &mut self.random)
    }

    fn decision(&self, home: Home, candidates: Vec<Candidate>) -> Decision {
        let attempt = u32::try_from(self.tried.len()).unwrap_or(u32::MAX).saturating_add(1);
        Decision { attempt, bound_to: home.bound_to, chosen: None, candidates, outcome: None }
    }

    /// A failover to a provider in trouble is charged; to a sound one it is free.
    fn affords(&self, seat: &Seat) -> bool {
        self.tried.is_empty() || !seat.line.is_ailing() || self.budget.borrow_mut().charge(self.clock.now())
    }

    fn grant(&self, seat: &Seat, admitted: Admitted) -> Grant {
        if let Some(session) = self.ask.session {
            self.sessions.tell(Bind { session, provider: seat.card.id });
        }
        let (ask, sessions) = (Arc::clone(&self.ask), self.sessions.clone());
        Grant::new(admitted, ask, self.clock, seat.mailbox.clone(), sessions)
    }
}

/// Asks a provider for room; once more if its actor lost the question to a panic (I-38).
async fn admit(seat: &Seat, clock: Clock) -> Result<Admitted, Shut> {
    let mut answer = in_time(seat.mailbox.ask(Admit)).await;
    if matches!(answer, Err(Undelivered::Lost)) {
        answer = in_time(seat.mailbox.ask(Admit)).await;
    }
    answer.unwrap_or(Err(Shut { why: Why::ActorDown, until: clock.now() + LOST_FOR }))
}

/// The answer, or that the question is lost.
async fn in_time<T>(answer: impl Future<Output = Result<T, Undelivered>>) -> Result<T, Undelivered> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(Undelivered::Lost))
}

/// A binding explains only the first place; whoever comes after was drawn.
fn merit_at(rank: usize, first: decisions::Merit) -> decisions::Merit {
    if rank == 0 { first } else { decisions::Merit::Drawn }
}

/// What to tell the caller when nobody took the request.
fn why_nobody(candidates: &[Candidate], home: Home) -> NoProvider {
    let skips = || {
        candidates.iter().filter_map(|candidate| match candidate.fate {
            Fate::Skipped { reason, retry_in_ms } => Some((reason, retry_in_ms)),
            Fate::Chosen { .. } | Fate::InReserve => None,
        })
    };
    let shut = || skips().filter(|(skip, _)| skip.is_temporary() && *skip != Skip::AlreadyTried);
    let coming_back = shut().filter_map(|(_, retry_in_ms)| retry_in_ms).min().map(Duration::from_millis);
    if shut().next().is_some() {
        let limited = shut().all(|(skip, _)| matches!(skip, Skip::CoolingDown | Skip::Full));
        return match home.pinned_to {
            Some(_) => NoProvider::HomeUnavailable { coming_back },
            None => NoProvider::Unavailable { coming_back, limited },
        };
    }
    if skips().any(|(skip, _)| skip == Skip::AlreadyTried) {
        return NoProvider::AllFailed;
    }
    if home.pinned_to.is_some() && skips().any(|(skip, _)| skip == Skip::LivesElsewhere) {
        return NoProvider::HomeUnavailable { coming_back: None };
    }
    if skips().any(|(skip, _)| skip == Skip::GroupNotAllowed) {
        return NoProvider::NotAllowed;
    }
    NoProvider::NotOffered
}
