//! The grant: leave to send one attempt to one provider, and the only way to give back what it holds.
//!
//! A grant ends once. Closing it says how the attempt went; dropping it unclosed says that nobody knows,
//! which is how a cancelled caller, a panic or a forgotten path release all the same (I-10, I-11). Ends
//! are told, never asked, so giving back waits for nobody (S9).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::messages::Ask;
use crate::{
    clock::Clock,
    ids::ProviderId,
    permits::Permit,
    provider::{
        Provider,
        breaker::Pass,
        card::Card,
        messages::{Admitted, ProbeAnswered, Report},
        outcome::Outcome,
    },
    session::{
        SessionTracker,
        id::SessionId,
        messages::{Pin, Touch},
    },
    supervisor::Mailbox,
};

/// Leave to send one attempt.
#[derive(Debug)]
pub struct Grant {
    card: Arc<Card>,
    ask: Arc<Ask>,
    pass: Pass,
    granted_at: Instant,
    first_byte: Option<Duration>,
    closed: bool,
    clock: Clock,
    provider: Mailbox<Provider>,
    sessions: Mailbox<SessionTracker>,
    /// Gives itself back when the grant goes, after the report below has been told.
    _permit: Permit,
}

/// How an attempt ended, for those who gave the leave.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// How long the vendor asked to be left alone.
    pub cool_down: Option<Duration>,
    /// The answer's own id, when later requests may continue it.
    pub answer: Option<SessionId>,
}

impl Grant {
    pub(super) fn new(
        admitted: Admitted,
        ask: Arc<Ask>,
        clock: Clock,
        provider: Mailbox<Provider>,
        sessions: Mailbox<SessionTracker>,
    ) -> Self {
        let Admitted { card, permit, pass } = admitted;
        let granted_at = clock.now();
        let (first_byte, closed) = (None, false);
        Self { card, ask, pass, granted_at, first_byte, closed, clock, provider, sessions, _permit: permit }
    }

    /// The provider to send it to.
    #[must_use]
    pub fn card(&self) -> &Arc<Card> {
        &self.card
    }

    /// The provider's id.
    #[must_use]
    pub fn provider(&self) -> ProviderId {
        self.card.id
    }

    /// When it was granted.
    #[must_use]
    pub fn granted_at(&self) -> Instant {
        self.granted_at
    }

    /// Time to the first meaningful frame, once it came.
    #[must_use]
    pub fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// The first meaningful frame of the answer is here. The first call counts.
    pub fn began(&mut self) {
        if self.first_byte.is_some() {
            return;
        }
        self.first_byte = Some(self.clock.now().duration_since(self.granted_at));
        if self.pass.is_probe() {
            self.provider.tell(ProbeAnswered { pass: self.pass });
        }
    }

    /// The attempt has ended so.
    pub fn close(mut self, outcome: Outcome, closing: Closing) {
        self.end(outcome, closing);
    }

    fn end(&mut self, outcome: Outcome, closing: Closing) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let provider = self.card.id;
        let conversation = self.ask.session.filter(|_| self.ask.session_is_marked).map(|s| s.short());
        let Closing { cool_down, answer } = closing;
        let report =
            Report { pass: self.pass, outcome, first_byte: self.first_byte, cool_down, conversation };
        self.provider.tell(report);
        if let Some(session) = self.ask.session {
            self.sessions.tell(Touch { session, provider });
        }
        if let Some(answer) = answer {
            self.sessions.tell(Pin { answer, provider });
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned, Closing::default());
    }
}
