//! One provider: the actor that owns its breaker, permits, cool-down, credential state, budget and history.
//!
//! It has no timers: every deadline is looked at when a message comes, so a backlog cannot starve one
//! (S11), and the actor ends as soon as nobody holds its address.

mod bookkeeping;
pub mod breaker;
mod budget;
pub mod card;
pub mod cooldown;
pub mod credentials;
pub mod history;
pub mod messages;
pub mod outcome;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Supervised};
use log::{info, warn};
use serde_json::{Value, json};

use self::{
    breaker::{Breaker, Change, Standing},
    budget::Budget,
    card::Card,
    cooldown::Cooldown,
    credentials::CredentialState,
    history::History,
    messages::{Admit, Admitted, ProbeAnswered, Reconfigure, Report, SetBreaker},
    outcome::{Outcome, Verdict},
};
use crate::{
    board::{Line, Shut, Why},
    clock::Clock,
    fault,
    ledger::{
        self, Parts,
        messages::{
            Adjust, Learned, ListReservations, RaiseLimit, Recheck, Reset, SetCalendar, Settle, Tend, View,
            Void,
        },
        reservation::{Keeper, Reservation},
    },
    permits::Permits,
    supervisor::{
        Guarded, Mailbox, Observe, Vitals,
        mailbox::{Reply, takes},
    },
};

/// How long a full provider is passed over before it is asked again.
const FULL_FOR: Duration = Duration::from_millis(1);

/// How often the breaker has opened and closed since the start; what operators do counts too.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Transitions {
    opened: u64,
    closed: u64,
}

/// The actor.
pub struct Provider {
    card: Arc<Card>,
    breaker: Breaker,
    permits: Permits,
    cooldown: Cooldown,
    credential: CredentialState,
    budget: Budget,
    history: History,
    transitions: Transitions,
    line: Arc<Line>,
    clock: Clock,
    vitals: Arc<Vitals>,
}

impl Provider {
    /// A healthy provider with nothing in flight, showing itself on `line`.
    #[must_use]
    pub(crate) fn new(card: Arc<Card>, line: Arc<Line>, parts: Parts, vitals: Arc<Vitals>) -> Self {
        let clock = parts.clock;
        Self {
            breaker: Breaker::new(card.breaker, probe_limit(&card)),
            permits: Permits::new(card.limits.concurrency, line.in_flight_gauge()),
            cooldown: Cooldown::default(),
            credential: CredentialState::default(),
            budget: Budget::new(&card, parts),
            history: History::default(),
            transitions: Transitions::default(),
            card,
            line,
            clock,
            vitals,
        }
    }

    /// Why nothing may go out at `now`, apart from the concurrency limit.
    fn shut(&self, now: Instant) -> Option<Shut> {
        let breaker = match self.breaker.standing() {
            Standing::Open { until } => Some(Shut { why: Why::BreakerOpen, until }),
            Standing::HalfOpen { probe_until: Some(until), .. } => Some(Shut { why: Why::ProbeOut, until }),
            Standing::HalfOpen { probe_until: None, .. } | Standing::Closed { .. } => None,
        };
        let cooling = self.cooldown.until(now).map(|until| Shut { why: Why::CoolingDown, until });
        let credential =
            self.credential.disabled_until(now).map(|until| Shut { why: Why::CredentialDisabled, until });
        [credential, breaker, cooling]
            .into_iter()
            .flatten()
            .filter(|shut| shut.until > now)
            .max_by_key(|s| s.until)
    }

    fn show(&self, now: Instant) {
        let ailing = !matches!(self.breaker.standing(), Standing::Closed { failures_in_a_row: 0 })
            || self.credential.rejections_in_a_row() > 0;
        self.line.show(self.shut(now), ailing);
    }

    /// Holds what the request is expected to cost, in hands that give it back.
    fn charge(&mut self, admit: &Admit, context: &Context<Self>) -> Result<Reservation, Shut> {
        let now = ledger::moment(self.clock);
        let held = match self.budget.reserve(admit, now) {
            Ok(held) => held,
            Err(shut) => {
                self.inquire(context);
                return Err(shut);
            }
        };
        let (payers, keeper) = (self.budget.payers(), Keeper::Provider(Mailbox::own(context, &self.vitals)));
        Ok(match held {
            Some(held) => Reservation::new(held, payers, keeper),
            None => Reservation::of_nothing(admit.request, payers, now.minute(), keeper),
        })
    }

    fn credential_rejected(&mut self, now: Instant) {
        if self.credential.rejected(now).is_some() {
            let name = self.card.name.as_str();
            warn!(provider = name; "provider {name}: credential rejected too often, disabled for a while");
        }
    }

    fn announce(&mut self, change: Option<Change>) {
        let name = self.card.name.as_str();
        match change {
            Some(Change::Tripped { until }) => {
                self.transitions.opened += 1;
                let seconds = until.saturating_duration_since(self.clock.now()).as_secs();
                warn!(provider = name; "provider {name}: breaker open for {seconds} s");
            }
            Some(Change::Recovered) => {
                self.transitions.closed += 1;
                info!(provider = name; "provider {name}: breaker closed");
            }
            None => {}
        }
    }
}

/// A probe has its place for as long as a first frame may take, and a little longer.
fn probe_limit(card: &Card) -> Duration {
    card.timeouts.connect() + card.timeouts.first_byte() + Duration::from_secs(5)
}

impl Actor for Provider {
    type Context = Context<Self>;

    // Called after a restart too.
    fn started(&mut self, context: &mut Self::Context) {
        self.show(self.clock.now());
        self.inquire(context);
    }
}

impl Supervised for Provider {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.budget.book.doubt();
        self.restore();
        self.show(self.clock.now());
    }
}

impl Guarded for Provider {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        // The breaker's rounds go on: what was sent before the rest has no say after it (I-17).
        self.breaker.close();
        self.permits = Permits::new(self.card.limits.concurrency, self.line.in_flight_gauge());
        self.cooldown = Cooldown::default();
        self.credential = CredentialState::default();
        self.history = History::default();
        self.budget.book.renew(ledger::moment(self.clock));
    }
}

takes!(
    Provider: Admit, ProbeAnswered, Report, Reconfigure, SetBreaker, Adjust, Settle, Void, Learned, View, Reset,
    RaiseLimit, ListReservations, Recheck, SetCalendar, Tend, Observe
);

impl Handler<Admit> for Provider {
    type Result = Result<(Admitted, Reservation), Shut>;

    fn handle(&mut self, admit: Admit, context: &mut Self::Context) -> Self::Result {
        fault::point("provider.admit", &self.card.name);
        let now = self.clock.now();
        if let Some(shut) = self.shut(now) {
            return Err(shut);
        }
        // Permit before pass: a probe that is granted but never sent would hold the
        // breaker half-open until its deadline.
        let full = Shut { why: Why::Full, until: now + FULL_FOR };
        let permit = self.permits.take().ok_or(full)?;
        let charge = self.charge(&admit, context)?;
        let was_closed = matches!(self.breaker.standing(), Standing::Closed { .. });
        let pass = self.breaker.admit(now).ok_or(Shut { why: Why::BreakerOpen, until: now })?;
        if !was_closed {
            self.show(now);
        }
        Ok((Admitted { card: Arc::clone(&self.card), permit, pass }, charge))
    }
}

impl Handler<ProbeAnswered> for Provider {
    type Result = ();

    fn handle(&mut self, answered: ProbeAnswered, _: &mut Self::Context) {
        let now = self.clock.now();
        let change = self.breaker.record(answered.pass, Verdict::Success, None, now);
        self.announce(change);
        self.show(now);
    }
}

impl Handler<Report> for Provider {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        fault::point("provider.report", &self.card.name);
        let now = self.clock.now();
        let Report { pass, outcome, first_byte, cool_down, conversation } = report;
        self.history.add(now, outcome, first_byte);
        match outcome {
            Outcome::Answered => self.credential.accepted(),
            Outcome::CredentialRejected => self.credential_rejected(now),
            Outcome::RateLimited | Outcome::Overloaded => {
                self.cooldown.ask(cool_down, now);
            }
            _ => {}
        }
        let change = self.breaker.record(pass, outcome.verdict(), conversation, now);
        self.announce(change);
        self.show(now);
    }
}

impl Handler<Reconfigure> for Provider {
    type Result = ();

    fn handle(&mut self, Reconfigure(card): Reconfigure, context: &mut Self::Context) {
        if card.credential != self.card.credential {
            self.credential = CredentialState::default();
        }
        self.permits.set_limit(card.limits.concurrency);
        self.breaker.reconfigure(card.breaker, probe_limit(&card));
        self.budget.configure(&card, ledger::moment(self.clock));
        self.inquire(context);
        self.card = card;
        self.show(self.clock.now());
    }
}

impl Handler<SetBreaker> for Provider {
    type Result = ();

    fn handle(&mut self, wish: SetBreaker, _: &mut Self::Context) {
        let now = self.clock.now();
        match wish {
            SetBreaker::Closed => {
                self.breaker.close();
                self.cooldown.clear();
                self.credential = CredentialState::default();
                self.announce(Some(Change::Recovered));
            }
            SetBreaker::Open => {
                let change = self.breaker.open(now);
                self.announce(Some(change));
            }
        }
        self.show(now);
    }
}

impl Handler<Observe> for Provider {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        let wall = |at: Instant| self.clock.wall(at);
        let breaker = match self.breaker.standing() {
            Standing::Closed { failures_in_a_row } => {
                json!({"state": "closed", "failures_in_a_row": failures_in_a_row})
            }
            Standing::Open { until } if until <= now => json!({"state": "half_open", "good_probes": 0}),
            Standing::Open { until } => json!({"state": "open", "until": wall(until)}),
            Standing::HalfOpen { probe_until, good_probes } => {
                json!({"state": "half_open", "good_probes": good_probes, "probe_until": probe_until.map(wall)})
            }
        };
        let detail: Value = json!({
            "provider_id": self.card.id,
            "version": self.card.version,
            "enabled": self.card.enabled,
            "in_flight": self.permits.in_flight(),
            "concurrency": self.permits.limit(),
            "breaker": breaker,
            "transitions": self.transitions,
            "cooling_down_until": self.cooldown.until(now).map(wall),
            "credential": {
                "rejections_in_a_row": self.credential.rejections_in_a_row(),
                "disabled_until": self.credential.disabled_until(now).map(wall),
            },
            "budget": self.budget.view(ledger::moment(self.clock)),
            "last_five_minutes": self.history.summary(now),
        });
        Reply(detail)
    }
}
