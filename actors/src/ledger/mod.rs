//! Quotas: what each account may use, has used, and has reserved. The actor keeps the book of one user and
//! all the user's keys, so that their limits are looked at in one step.
//!
//! ```text
//! started on demand --> awake --unused for long, nothing open--> stopped, to be started anew from records
//! ```
//!
//! What was used before it woke it asks of whoever remembers; requests that need to know wait for the
//! answer, for a bounded time, while its mailbox goes on. A panic costs the message in hand: what a lost
//! settlement would have posted is on record, so the sums are asked for again.

pub mod account;
pub mod book;
pub mod calendar;
pub mod claim;
mod desk;
pub mod knowledge;
pub mod limits;
pub mod messages;
pub mod minutes;
pub mod quantile;
pub mod queue;
pub mod rates;
pub mod reservation;
pub mod reservations;
pub mod sessions;
pub mod tally;
pub mod view;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle, Supervised};
use log::warn;
use tokio::sync::oneshot;

use self::{
    book::{Book, Terms},
    calendar::Calendar,
    claim::{Claim, Denied},
    limits::AccountId,
    messages::{
        Adjust, Learned, ListReservations, RaiseLimit, Recheck, Reserve, Reset, SetCalendar, SetWaiting,
        Settle, Sleep, Tend, View, Void,
    },
    minutes::Moment,
    queue::{Queue, UNTIL_KNOWN, Waiting},
    reservation::{Keeper, Reservation},
    view::AccountView,
};
use crate::{
    clock::Clock,
    fault,
    ids::UserId,
    ports::{Away, SharedBalances},
    supervisor::{
        Guarded, Mailbox, Observe, Vitals,
        mailbox::{Answer, takes},
    },
};

/// The roster's word for ledgers.
pub const LEDGER: &str = "ledger";

/// How long whoever was away is left alone.
pub(crate) const AWAY_FOR: Duration = Duration::from_secs(1);

/// The actor.
pub struct Ledger {
    name: String,
    book: Book,
    queue: Queue,
    /// Those who want to see an account that is not known yet.
    viewers: Vec<(AccountId, oneshot::Sender<AccountView>)>,
    balances: SharedBalances,
    /// Whoever remembers was away; not to be asked before.
    away_until: Option<Instant>,
    alarm: Option<SpawnHandle>,
    clock: Clock,
    vitals: Arc<Vitals>,
}

/// What ledgers are made of, apart from whose they are.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) terms: Terms,
    pub(crate) calendar: Calendar,
    pub(crate) waiting: Waiting,
    pub(crate) balances: SharedBalances,
    pub(crate) clock: Clock,
}

impl Ledger {
    pub(crate) fn new(user: UserId, parts: Parts, vitals: Arc<Vitals>) -> Self {
        let Parts { terms, calendar, waiting, balances, clock } = parts;
        Self {
            name: AccountId::User(user).to_string(),
            book: Book::new(terms, calendar, moment(clock)),
            queue: Queue::new(waiting),
            viewers: Vec::new(),
            balances,
            away_until: None,
            alarm: None,
            clock,
            vitals,
        }
    }

    fn now(&self) -> Moment {
        moment(self.clock)
    }

    /// Asks what must be known, unless whoever remembers was away just now.
    fn inquire(&mut self, context: &Context<Self>) {
        let now = self.now();
        if self.away_until.is_some_and(|until| now.at < until) {
            return;
        }
        let inquiries = self.book.inquiries(now);
        if !inquiries.is_empty() {
            let own = Mailbox::own(context, &self.vitals);
            inquire(&self.balances, inquiries, move |learned| own.tell(learned));
        }
    }

    /// Gives those who wait what there is.
    fn serve(&mut self, context: &mut Context<Self>) {
        if self.queue.is_empty() {
            return;
        }
        let now = self.now();
        let Self { book, queue, vitals, .. } = self;
        queue.serve(now.at, |claim| reserve(book, claim, now, context, vitals));
        self.arm(context);
    }

    /// Sees to it that nobody waits beyond the time.
    fn arm(&mut self, context: &mut Context<Self>) {
        if let Some(old) = self.alarm.take() {
            context.cancel_future(old);
        }
        if let Some(end) = self.queue.next_end() {
            let wait = end.saturating_duration_since(self.clock.now());
            self.alarm = Some(context.run_later(wait, |ledger, context| ledger.serve(context)));
        }
    }

    fn show(&mut self, account: AccountId) -> AccountView {
        let now = self.now();
        self.book.view(account, now)
    }

    fn is_idle(&self) -> bool {
        self.book.is_idle() && self.queue.is_empty() && self.viewers.is_empty()
    }
}

/// Reserves, and puts what is held into the hands that will give it back, before anybody can lose it.
fn reserve(
    book: &mut Book,
    claim: &Claim,
    now: Moment,
    context: &Context<Ledger>,
    vitals: &Arc<Vitals>,
) -> Result<Reservation, Denied> {
    let held = book.reserve(claim, now)?;
    Ok(Reservation::new(held, claim.payers, Keeper::Ledger(Mailbox::own(context, vitals))))
}

/// The present on both clocks.
pub(crate) fn moment(clock: Clock) -> Moment {
    let at = clock.now();
    Moment { at, wall: clock.wall(at) }
}

/// Asks whoever remembers, for a bounded time, and hands on the answer. The question outlives a panic of
/// whoever asks.
pub(crate) fn inquire(
    balances: &SharedBalances,
    inquiries: Vec<knowledge::Inquiry>,
    hand_on: impl FnOnce(Learned) + 'static,
) {
    let asked = balances.balances(inquiries.iter().map(|inquiry| inquiry.ask.clone()).collect());
    actix::spawn(async move {
        let answer = tokio::time::timeout(UNTIL_KNOWN, asked).await;
        let answer = answer.unwrap_or_else(|_| Err(Away("no answer in time".to_owned())));
        hand_on(Learned { inquiries, answer });
    });
}

/// Takes an answer over. False when nobody answered.
pub(crate) fn take_over(book: &mut Book, learned: &Learned, now: Moment, whose: &str) -> bool {
    match &learned.answer {
        Ok(answer) => {
            book.learn(&learned.inquiries, answer, now);
            true
        }
        Err(away) => {
            warn!(account = whose; "ledger {whose}: what was used cannot be asked: {away}");
            book.unanswered(&learned.inquiries);
            false
        }
    }
}

impl Actor for Ledger {
    type Context = Context<Self>;

    // Called after a restart too, which cancels the alarm.
    fn started(&mut self, context: &mut Self::Context) {
        self.alarm = None;
        self.arm(context);
        self.inquire(context);
    }
}

impl Supervised for Ledger {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.book.doubt();
        self.restore();
    }
}

impl Guarded for Ledger {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        let now = self.now();
        self.book.renew(now);
        self.queue.clear();
        self.viewers.clear();
        self.away_until = None;
    }
}

takes!(
    Ledger: Reserve, Adjust, Settle, Void, Learned, View, Reset, RaiseLimit, ListReservations, Recheck, SetCalendar,
    SetWaiting, Tend, Sleep, Observe
);

impl Handler<Reserve> for Ledger {
    type Result = Answer<Result<Reservation, Denied>>;

    fn handle(&mut self, asked: Reserve, context: &mut Self::Context) -> Self::Result {
        fault::point("ledger.reserve", &self.name);
        let now = self.now();
        asked.configure(&mut self.book, now);
        // Before any newcomer, and before asking: who waits goes first.
        self.serve(context);
        let Reserve { claim, caller, .. } = asked;
        let answer = match self.queue.ahead_of(&claim) {
            Some(denied) => Err(denied.clone()),
            None => reserve(&mut self.book, &claim, now, context, &self.vitals),
        };
        let denied = match answer {
            Ok(reservation) => return Answer::Now(Ok(reservation)),
            Err(denied) => denied,
        };
        if matches!(denied, Denied::CannotVerify(_)) {
            self.inquire(context);
            if self.away_until.is_some_and(|until| now.at < until) {
                return Answer::Now(Err(denied));
            }
        }
        match self.queue.join(claim, denied, caller, now.at) {
            Ok(later) => {
                self.arm(context);
                Answer::Later(later)
            }
            Err(denied) => Answer::Now(Err(denied)),
        }
    }
}

impl Handler<Adjust> for Ledger {
    type Result = ();

    fn handle(&mut self, Adjust { ticket, running }: Adjust, _: &mut Self::Context) {
        let now = self.now();
        self.book.adjust(ticket, running, now);
    }
}

impl Handler<Settle> for Ledger {
    type Result = ();

    fn handle(&mut self, Settle(settlement): Settle, context: &mut Self::Context) {
        fault::point("ledger.settle", &self.name);
        let now = self.now();
        self.book.settle(&settlement, now);
        self.serve(context);
    }
}

impl Handler<Void> for Ledger {
    type Result = ();

    fn handle(&mut self, Void(ticket): Void, context: &mut Self::Context) {
        fault::point("ledger.void", &self.name);
        let now = self.now();
        self.book.void(ticket, now);
        self.serve(context);
    }
}

impl Handler<Learned> for Ledger {
    type Result = ();

    fn handle(&mut self, learned: Learned, context: &mut Self::Context) {
        fault::point("ledger.learned", &self.name);
        let now = self.now();
        if take_over(&mut self.book, &learned, now, &self.name) {
            self.away_until = None;
            self.inquire(context);
            self.serve(context);
        } else {
            self.away_until = Some(now.at + AWAY_FOR);
            self.queue.give_up_the_unknown();
            self.arm(context);
        }
        for (account, viewer) in std::mem::take(&mut self.viewers) {
            let view = self.show(account);
            if view.is_sure() || self.away_until.is_some() {
                let _ = viewer.send(view);
            } else {
                self.viewers.push((account, viewer));
            }
        }
    }
}

impl Handler<Tend> for Ledger {
    type Result = ();

    fn handle(&mut self, _: Tend, context: &mut Self::Context) {
        let now = self.now();
        let expired = self.book.expire(now);
        if expired > 0 {
            let name = self.name.as_str();
            warn!(account = name; "ledger {name}: {expired} reservations were never ended, and are given back");
        }
        self.inquire(context);
        self.serve(context);
    }
}

impl Handler<Sleep> for Ledger {
    type Result = ();

    fn handle(&mut self, _: Sleep, context: &mut Self::Context) {
        if self.is_idle() {
            context.stop();
        }
    }
}
