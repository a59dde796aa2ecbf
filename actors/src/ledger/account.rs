//! One account: its limits, its windows, its rates and what it has in flight, as a plain value.
//!
//! What was posted before we woke is not ours to guess: until it is known, a limit on dollars admits nothing.
//!
//! Invariants
//! - [`Account::check`] changes nothing but what time itself changes; [`Account::hold`] refuses nothing.

mod learning;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    calendar::Calendar,
    claim::{Denied, OverLimit, Quantity, Raise},
    knowledge::{Knowledge, Settled},
    limits::{AccountId, LimitKind, Limits, PerSpan, Span},
    minutes::{Minute, Moment},
    quantile::Outputs,
    rates::Rate,
    reservations::Open,
    sessions::Sessions,
    tally::{Forgiven, Rule, Tally},
    view::{AccountView, Gauge, WindowView},
};
use crate::{
    money::Pico,
    permits::{Permit, Permits},
    session::id::SessionId,
};

/// How long one is asked to wait for somebody else's request to end.
const ANOTHERS_END: Duration = Duration::from_secs(1);

/// One account.
#[derive(Debug)]
pub struct Account {
    id: AccountId,
    limits: Arc<Limits>,
    tallies: PerSpan<Tally>,
    raises: PerSpan<Option<Raise>>,
    requests: Rate,
    tokens: Rate,
    permits: Permits,
    sessions: Sessions,
    /// How long past answers were.
    pub(super) outputs: Outputs,
    knowledge: Knowledge,
    /// Somebody wants to see it, limits or not.
    wanted: bool,
}

/// The present, as an account sees it.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// On both clocks.
    pub moment: Moment,
    /// Since the book was opened.
    pub age: Duration,
    /// How fixed windows are told.
    pub calendar: &'a Calendar,
}

/// What one request asks of one account.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Dollars to reserve.
    pub amount: Pico,
    /// Tokens to count.
    pub tokens: u64,
    /// Its conversation.
    pub session: Option<SessionId>,
}

impl Account {
    /// An account of which nothing is known yet.
    #[must_use]
    pub fn new(id: AccountId, limits: Arc<Limits>, time_to_live: Duration, now: Now<'_>) -> Self {
        let tally = |span| Tally::new(Rule::of(span, &limits), now.calendar, now.moment);
        Self {
            id,
            tallies: PerSpan::from_fn(tally),
            raises: PerSpan::default(),
            requests: Rate::default(),
            tokens: Rate::default(),
            permits: Permits::new(limits.concurrency, Arc::default()),
            sessions: Sessions::new(time_to_live),
            outputs: Outputs::default(),
            knowledge: Knowledge::default(),
            wanted: false,
            limits,
        }
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.permits.in_flight()
    }

    /// These are its limits from now on; what is out stays out (I-09). `open` are the admission minutes and
    /// amounts of what is reserved.
    pub fn configure(&mut self, limits: &Arc<Limits>, open: &[(Minute, Pico)], now: Now<'_>) {
        self.limits = Arc::clone(limits);
        self.permits.set_limit(limits.concurrency);
        let recount = Span::ALL.into_iter().any(|span| self.tallies[span].rule() != Rule::of(span, limits));
        if recount {
            self.recount(open, now);
        }
    }

    /// Lets time pass.
    pub fn roll(&mut self, now: Now<'_>) {
        for (_, tally) in self.tallies.iter_mut() {
            tally.roll(now.calendar, now.moment);
        }
        self.requests.roll(now.age);
        self.tokens.roll(now.age);
    }

    /// Whether so much more fits under every limit but that on concurrency. What takes longest to pass is
    /// told first: nobody should wait a minute to be told to wait a month. Time must have been let pass.
    ///
    /// # Errors
    /// The limit that stands in the way.
    pub fn check(&mut self, demand: &Demand, now: Now<'_>) -> Result<(), Denied> {
        if self.limits.bounds_money() {
            if !self.knowledge.is_complete() {
                return Err(Denied::CannotVerify(self.id));
            }
            for span in Span::ALL.into_iter().rev() {
                self.check_dollars(span, demand.amount, now)?;
            }
        }
        self.check_session(demand, now.moment.at)?;
        let rates = [
            (LimitKind::Tpm, self.limits.tpm, &self.tokens, demand.tokens),
            (LimitKind::Rpm, self.limits.rpm.map(u64::from), &self.requests, 1),
        ];
        for (kind, limit, rate, asked) in rates {
            let Some(limit) = limit else { continue };
            if rate.total().saturating_add(asked) > limit {
                let retry_after = rate.fits_in(now.age, asked, limit);
                return Err(self.over(kind, limit, rate.total(), asked, retry_after));
            }
        }
        Ok(())
    }

    fn check_dollars(&self, span: Span, asked: Pico, now: Now<'_>) -> Result<(), Denied> {
        let Some(limit) = self.limit(span, now.moment) else { return Ok(()) };
        let tally = &self.tallies[span];
        let (used, reserved) = (tally.posted(), tally.reserved());
        let excess = used + reserved + asked - limit;
        if excess <= Pico::ZERO {
            return Ok(());
        }
        let resets_at = tally.gives_back(excess);
        let helps = resets_at.filter(|_| asked <= limit);
        let retry_after = helps.and_then(|at| at.signed_duration_since(now.moment.wall).to_std().ok());
        let (limit, used) = (Quantity::Usd(limit), Quantity::Usd(used));
        let (reserved, asked) = (Quantity::Usd(reserved), Quantity::Usd(asked));
        let (account, kind) = (self.id, LimitKind::Usd(span));
        Err(OverLimit { account, kind, limit, used, reserved, asked, resets_at, retry_after }.into())
    }

    fn check_session(&mut self, demand: &Demand, now: Instant) -> Result<(), Denied> {
        let (Some(session), Some(limit)) = (demand.session, self.limits.sessions) else { return Ok(()) };
        let Err(wait) = self.sessions.admits(session, limit, now) else { return Ok(()) };
        let alive = self.sessions.alive(now) as u64;
        let retry_after = (limit > 0).then(|| wait.unwrap_or(ANOTHERS_END));
        Err(self.over(LimitKind::Sessions, limit.into(), alive, 1, retry_after))
    }

    /// One unit of concurrency.
    ///
    /// # Errors
    /// That none is free.
    pub fn permit(&mut self) -> Result<Permit, Denied> {
        self.permits.take().ok_or_else(|| {
            let limit = self.permits.limit().unwrap_or_default();
            let retry_after = (limit > 0).then_some(ANOTHERS_END);
            self.over(LimitKind::Concurrency, limit.into(), self.permits.in_flight().into(), 1, retry_after)
        })
    }

    fn over(
        &self,
        kind: LimitKind,
        limit: u64,
        used: u64,
        asked: u64,
        retry_after: Option<Duration>,
    ) -> Denied {
        let [limit, used, asked] = [limit, used, asked].map(Quantity::Count);
        let (account, reserved, resets_at) = (self.id, Quantity::Count(0), None);
        OverLimit { account, kind, limit, used, reserved, asked, resets_at, retry_after }.into()
    }

    /// Holds what was checked.
    pub fn hold(&mut self, demand: &Demand, now: Now<'_>) {
        let minute = now.moment.minute();
        for (_, tally) in self.tallies.iter_mut() {
            tally.reserve(minute, demand.amount);
        }
        self.requests.add(now.age, 1);
        self.tokens.add(now.age, demand.tokens);
        if let Some(session) = demand.session {
            self.sessions.enter(session, now.moment.at);
        }
    }

    /// Holds so much more, or less, for a request admitted in `minute`. Never refused.
    pub fn change_reserved(&mut self, minute: Minute, by: Pico) {
        for (_, tally) in self.tallies.iter_mut() {
            tally.change_reserved(minute, by);
        }
    }

    /// What was held for a request is held no more. `used` are its tokens, where they are known.
    pub fn release(&mut self, demand: &Demand, open: &Open, used: Option<u64>, now: Instant) {
        self.change_reserved(open.minute(), -demand.amount);
        if let Some(used) = used {
            self.tokens.correct(open.age, demand.tokens, used);
        }
        if let Some(session) = demand.session {
            self.sessions.leave(session, now);
        }
    }

    /// Books what a request has cost. Never refused (I-03).
    pub fn post(&mut self, settled: Settled) {
        if self.knowledge.settle(settled) {
            self.book(settled.minute, settled.cost);
        }
    }

    fn book(&mut self, minute: Minute, cost: Pico) {
        for (_, tally) in self.tallies.iter_mut() {
            tally.post(minute, cost);
        }
    }

    /// Whether a request whose reservation is `beyond` more than it has used so far, has used all that is
    /// left, and must end for it.
    #[must_use]
    pub fn must_stop(&self, beyond: Pico, now: Moment) -> bool {
        self.limits.hard_stop()
            && self.tallies.iter().any(|(span, tally)| {
                let held = tally.posted() + tally.reserved() - beyond;
                self.limit(span, now).is_some_and(|limit| held > limit)
            })
    }

    /// A limit as it is now, raised or not.
    fn limit(&self, span: Span, now: Moment) -> Option<Pico> {
        let limit = self.limits.usd[span]?;
        let raise = self.raises[span].filter(|raise| now.wall < raise.until);
        Some(raise.map_or(limit, |raise| limit.max(raise.to)))
    }

    /// Counts that span from now on. Answers what must be remembered about it; none while it is not known
    /// what there is to forgive.
    pub fn reset(&mut self, span: Span, now: Now<'_>) -> Option<Forgiven> {
        if !self.knowledge.is_complete() {
            return None;
        }
        self.roll(now);
        // The answer to a question that is out knows nothing of this: another must be asked.
        self.knowledge.unanswered();
        Some(self.tallies[span].reset(now.moment.minute()))
    }

    /// Raises a limit for a while.
    pub fn raise(&mut self, span: Span, raise: Raise) {
        self.raises[span] = Some(raise);
    }

    /// Its picture.
    #[must_use]
    pub fn view(&mut self, now: Now<'_>) -> AccountView {
        self.roll(now);
        let gauge = |limit: Option<u64>, used: u64| Gauge { limit, used };
        let alive = self.sessions.alive(now.moment.at) as u64;
        AccountView {
            account: self.id,
            known: self.knowledge.is_complete(),
            in_doubt: self.knowledge.is_in_doubt(),
            windows: Span::ALL.into_iter().map(|span| self.window(span, now.moment)).collect(),
            rpm: gauge(self.limits.rpm.map(u64::from), self.requests.total()),
            tpm: gauge(self.limits.tpm, self.tokens.total()),
            concurrency: gauge(self.limits.concurrency.map(u64::from), self.permits.in_flight().into()),
            sessions: gauge(self.limits.sessions.map(u64::from), alive),
        }
    }

    fn window(&self, span: Span, now: Moment) -> WindowView {
        let tally = &self.tallies[span];
        let (limit, settled, reserved) = (self.limit(span, now), tally.posted(), tally.reserved());
        let raised_until = self.raises[span].map(|raise| raise.until).filter(|until| now.wall < *until);
        WindowView {
            span,
            limit,
            settled,
            reserved,
            free: limit.map(|limit| limit - settled - reserved),
            resets_at: tally.resets_at(),
            raised_until: raised_until.filter(|_| limit.is_some()),
        }
    }
}
