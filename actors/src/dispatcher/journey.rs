//! One request's way through its attempts: what the edge holds while it works on a request.
//!
//! ```text
//! next --grant--> attempt --ended--> may another be tried? --yes--> next
//!   '--no provider--> refusal
//! ```
//!
//! Invariants
//! - A provider that failed this request is not chosen for it again (I-22).
//! - No more attempts than allowed (I-21), and none with too little time left (I-24).
//! - What it holds of its accounts it holds from its first provider to its end, and gives back once: settled,
//!   or by being dropped (I-05).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Table,
    decisions::Decision,
    grant::Grant,
    messages::{Ask, NoProvider, NotPicked, Pick, Picked},
};
use crate::{
    gateway::Gateway,
    ids::ProviderId,
    ledger::{claim::Running, minutes::Minute, reservation::Reservation},
    money::Pico,
    provider::outcome::Outcome,
};

/// No attempt starts with less time than this before the request's deadline.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// One request on its way.
#[derive(Debug)]
pub struct Journey {
    gateway: Gateway,
    ask: Arc<Ask>,
    deadline: Instant,
    attempts_left: u32,
    tried: Vec<ProviderId>,
    decisions: Vec<Decision>,
    /// What it holds of its user and key.
    reservation: Option<Reservation>,
    /// What it holds of the provider it is with.
    charge: Option<Reservation>,
    /// What it still holds of providers where it came to nothing, and what that is taken to have cost there.
    lost: Vec<(Reservation, Pico)>,
    /// Gone when nobody cares any more.
    caller: Arc<()>,
    /// The providers it goes by, if it was told.
    table: Option<Table>,
}

impl Journey {
    pub(crate) fn new(gateway: Gateway, ask: Ask, deadline: Instant, max_attempts: u32) -> Self {
        let (ask, tried, decisions) = (Arc::new(ask), Vec::new(), Vec::new());
        Self {
            gateway,
            ask,
            deadline,
            attempts_left: max_attempts,
            tried,
            decisions,
            reservation: None,
            charge: None,
            lost: Vec::new(),
            caller: Arc::default(),
            table: None,
        }
    }

    /// The same journey among these providers, and no others that come up in between (I-52).
    #[must_use]
    pub fn among(self, table: Table) -> Self {
        Self { table: Some(table), ..self }
    }

    /// What the request asks for.
    #[must_use]
    pub fn ask(&self) -> &Arc<Ask> {
        &self.ask
    }

    /// When the last attempt must have begun to answer.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Leave for the next attempt.
    ///
    /// # Errors
    /// [`NoProvider`] when there is nobody, no attempt or no time left; the chain says more.
    pub async fn next(&mut self) -> Result<Grant, NoProvider> {
        if self.attempts_left == 0 {
            return Err(NoProvider::AttemptsSpent);
        }
        if self.gateway.clock().now() + LEAST_TIME > self.deadline {
            return Err(NoProvider::DeadlineOver);
        }
        // The last provider's part is over: it cost nothing, or is among what was lost.
        self.charge = None;
        let pick = || Pick {
            ask: Arc::clone(&self.ask),
            tried: self.tried.clone(),
            reserved: self.reservation.is_some(),
            caller: Arc::downgrade(&self.caller),
            table: self.table.clone(),
        };
        match self.gateway.pick(pick).await {
            Ok(Ok(Picked { grant, decision, reservation, charge })) => {
                self.attempts_left -= 1;
                if reservation.is_some() {
                    self.reservation = reservation;
                }
                let charge = self.charge.insert(charge);
                if let Some(reservation) = &self.reservation {
                    charge.belongs_to(reservation.minute());
                }
                self.decisions.push(decision);
                Ok(grant)
            }
            Ok(Err(NotPicked { why, decision })) => {
                self.decisions.push(decision);
                Err(why)
            }
            Err(_) => Err(NoProvider::Overloaded),
        }
    }

    /// The attempt at that provider has ended so; says whether another may follow, as long as nothing
    /// went to the caller. `lost` is what an attempt that came to nothing is taken to have cost there.
    pub fn ended(&mut self, provider: ProviderId, outcome: Outcome, lost: Option<Pico>) -> bool {
        self.tried.push(provider);
        if let Some((cost, mut charge)) = lost.and_then(|cost| Some((cost, self.charge.take()?))) {
            charge.vacate();
            self.lost.push((charge, cost));
        }
        if let Some(decision) = self.decisions.iter_mut().rev().find(|d| d.chosen == Some(provider)) {
            decision.outcome = Some(outcome);
        }
        outcome.may_try_another()
    }

    /// The request has come so far: what it holds follows.
    pub fn running(&self, running: Running) {
        for held in [&self.reservation, &self.charge].into_iter().flatten() {
            held.running(running);
        }
    }

    /// The minute its cost belongs to, which its record must name too; none before the first provider.
    #[must_use]
    pub fn minute(&self) -> Option<Minute> {
        self.reservation.as_ref().map(Reservation::minute)
    }

    /// What was reserved for it when it was admitted; none before the first provider.
    #[must_use]
    pub fn reserved(&self) -> Option<Pico> {
        self.reservation.as_ref().map(Reservation::amount)
    }

    /// Whether the request has used all that was left, and its user, its key or its provider want it ended.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        [&self.reservation, &self.charge].into_iter().flatten().any(Reservation::is_used_up)
    }

    /// The request has ended and has cost so much, as the record of that number says; `tokens` went in and
    /// came out. First the record, then this: whoever asks what is on record must find it there.
    pub fn settle(&mut self, cost: Pico, tokens: Option<(u64, u64)>, sequence: u64) {
        for held in [self.reservation.take(), self.charge.take()].into_iter().flatten() {
            held.settle(cost, tokens, sequence);
        }
        for (held, cost) in self.lost.drain(..) {
            held.settle(cost, None, sequence);
        }
    }

    /// How it was decided so far.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The finished chain.
    #[must_use]
    pub fn into_decisions(self) -> Vec<Decision> {
        self.decisions
    }
}
