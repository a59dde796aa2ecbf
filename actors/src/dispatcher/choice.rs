//! One choice under way: what it needs, owned, so that it can wait for answers without holding the actor.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use rand::rngs::SmallRng;

use super::{
    Seat, Table,
    budget::RetryBudget,
    decisions::{self, Candidate, Decision, Fate, Skip},
    grant::Grant,
    ledgers::Ledgers,
    messages::{Ask, NoProvider, NotPicked, Picked},
    selection::{Background, Selection, select},
};
use crate::{
    board::{Shut, Why},
    clock::Clock,
    ids::ProviderId,
    ledger::{
        Ledger,
        claim::{Claim, Denied, Payers},
        limits::AccountId,
        messages::Reserve,
        minutes::Minute,
        quantile::ModelMark,
        reservation::{Keeper, Reservation},
    },
    provider::messages::{Admit, Admitted},
    session::{
        SessionTracker,
        messages::{Bind, Home, Resolve},
    },
    supervisor::{Mailbox, Undelivered},
};

/// How long a provider whose actor lost the question is taken to be away.
const LOST_FOR: Duration = Duration::from_secs(1);

/// Its neighbours answer within microseconds. One that does not has gone to rest with the question in its
/// queue, and the request must not wait for its return.
const PATIENCE: Duration = Duration::from_secs(1);

/// A ledger answers as promptly, unless the request waits for a place, or for what it has yet to ask.
const LEDGERS_PATIENCE: Duration = Duration::from_secs(3);

/// One choice under way.
pub(super) struct Choice {
    pub(super) table: Table,
    pub(super) budget: Rc<RefCell<RetryBudget>>,
    pub(super) ledgers: Rc<RefCell<Ledgers>>,
    pub(super) random: SmallRng,
    pub(super) sessions: Mailbox<SessionTracker>,
    pub(super) clock: Clock,
    pub(super) ask: Arc<Ask>,
    pub(super) tried: Vec<ProviderId>,
    /// The model asked for.
    pub(super) model: ModelMark,
}

impl Choice {
    /// Chooses a provider for a request that holds what it needs of its accounts, or gets it now. `caller`
    /// is held for as long as anybody cares.
    pub(super) async fn reserve_and_pick(
        self,
        reserved: bool,
        caller: Weak<()>,
    ) -> Result<Picked, NotPicked> {
        if reserved {
            return self.pick(None).await;
        }
        match self.reserve(caller).await {
            Ok(reservation) => self.pick(Some(reservation)).await,
            Err(denied) => {
                let decision = self.decision(Home::default(), Vec::new());
                Err(NotPicked { why: NoProvider::Denied(denied), decision })
            }
        }
    }

    /// What the request holds of its user and key. A ledger that lost the question is asked again; one that
    /// went to sleep is woken.
    async fn reserve(&self, caller: Weak<()>) -> Result<Reservation, Denied> {
        let Ask { user, key, .. } = *self.ask;
        let payers = Payers::Caller(user, key);
        let (request, model, estimate) = (self.ask.request, self.model, self.ask.estimate);
        let claim = Claim { request, payers, session: self.ask.session, model, estimate };
        let limits = [Arc::clone(&self.ask.limits.user), Arc::clone(&self.ask.limits.key)];
        let mut ledger = self.ledger();
        for _ in 0..2 {
            let reserve = Reserve { claim, limits: limits.clone(), caller: caller.clone() };
            match tokio::time::timeout(self.ledgers_patience(), ledger.ask(reserve)).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(Undelivered::Lost)) => ledger = self.ledger(),
                Ok(Err(Undelivered::Full)) | Err(_) => break,
            }
        }
        if limits.iter().any(|limits| limits.bounds_anything()) {
            return Err(Denied::CannotVerify(AccountId::User(user)));
        }
        let minute = Minute::of(self.clock.wall(self.clock.now()));
        Ok(Reservation::of_nothing(request, payers, minute, Keeper::Ledger(ledger)))
    }

    fn ledger(&self) -> Mailbox<Ledger> {
        self.ledgers.borrow_mut().of(self.ask.user, self.clock.now())
    }

    fn ledgers_patience(&self) -> Duration {
        LEDGERS_PATIENCE + self.ledgers.borrow().parts().waiting.longest
    }

    async fn pick(mut self, reservation: Option<Reservation>) -> Result<Picked, NotPicked> {
        let home = self.home().await;
        let Selection { order, merit, candidates } = self.select(home);
        let mut decision = self.decision(home, candidates);
        for (rank, index) in order.into_iter().enumerate() {
            let seat = &self.table[index];
            if !self.affords(seat) {
                return Err(NotPicked { why: NoProvider::BudgetSpent, decision });
            }
            match admit(seat, self.admit(), self.clock).await {
                Ok((admitted, charge)) => {
                    decision.chosen = Some(seat.card.id);
                    decision.candidates[rank].fate = Fate::Chosen { reason: merit_at(rank, merit) };
                    return Ok(Picked { grant: self.grant(seat, admitted), decision, reservation, charge });
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

    /// The choice that would be made.
    pub(super) async fn simulate(mut self) -> Decision {
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
        let calendar = self.ledgers.borrow().parts().calendar.clone();
        let entrants: Vec<_> = self.table.iter().map(|seat| seat.entrant(self.clock, &calendar)).collect();
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

    fn admit(&self) -> Admit {
        Admit { request: self.ask.request, model: self.model, estimate: self.ask.estimate }
    }

    fn grant(&self, seat: &Seat, admitted: Admitted) -> Grant {
        // The provider may have been changed since this request chose it: it goes by the card it chose (I-52).
        let admitted = Admitted { card: Arc::clone(&seat.card), ..admitted };
        if let Some(session) = self.ask.session {
            self.sessions.tell(Bind { session, provider: seat.card.id });
        }
        let (ask, sessions) = (Arc::clone(&self.ask), self.sessions.clone());
        Grant::new(admitted, ask, self.clock, seat.mailbox.clone(), sessions)
    }
}

/// Asks a provider for room; once more if its actor lost the question to a panic (I-38).
async fn admit(seat: &Seat, admit: Admit, clock: Clock) -> Result<(Admitted, Reservation), Shut> {
    let mut answer = in_time(seat.mailbox.ask(admit)).await;
    if matches!(answer, Err(Undelivered::Lost)) {
        answer = in_time(seat.mailbox.ask(admit)).await;
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
        // Who is closed at this hour says nothing about the others.
        let mut open = shut().filter(|(skip, _)| *skip != Skip::OutsideSchedule).peekable();
        let limited = open.peek().is_some()
            && open.all(|(skip, _)| matches!(skip, Skip::CoolingDown | Skip::Full | Skip::BudgetSpent));
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
    if skips().any(|(skip, _)| skip == Skip::ClientNotAllowed) {
        return NoProvider::ClientNotAllowed;
    }
    NoProvider::NotOffered
}
