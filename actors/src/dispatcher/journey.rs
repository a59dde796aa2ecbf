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

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    decisions::Decision,
    grant::Grant,
    messages::{Ask, NoProvider, NotPicked, Pick, Picked},
};
use crate::{gateway::Gateway, ids::ProviderId, provider::outcome::Outcome};

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
}

impl Journey {
    pub(crate) fn new(gateway: Gateway, ask: Ask, deadline: Instant, max_attempts: u32) -> Self {
        let (ask, tried, decisions) = (Arc::new(ask), Vec::new(), Vec::new());
        Self { gateway, ask, deadline, attempts_left: max_attempts, tried, decisions }
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
        let pick = || Pick { ask: Arc::clone(&self.ask), tried: self.tried.clone() };
        match self.gateway.pick(pick).await {
            Ok(Ok(Picked { grant, decision })) => {
                self.attempts_left -= 1;
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
    /// went to the caller.
    pub fn ended(&mut self, provider: ProviderId, outcome: Outcome) -> bool {
        self.tried.push(provider);
        if let Some(decision) = self.decisions.iter_mut().rev().find(|d| d.chosen == Some(provider)) {
            decision.outcome = Some(outcome);
        }
        outcome.may_try_another()
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
