//! What operators ask of a ledger: to be shown, reset, raised, told of a change.

use actix::{Context, Handler};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Ledger,
    messages::{ListReservations, RaiseLimit, Recheck, Reset, SetCalendar, SetWaiting, View},
    tally::Forgiven,
    view::{AccountView, ReservationView},
};
use crate::supervisor::{
    Observe,
    mailbox::{Answer, Reply},
};

impl Handler<View> for Ledger {
    type Result = Answer<AccountView>;

    fn handle(&mut self, View { account, limits }: View, context: &mut Context<Self>) -> Self::Result {
        let now = self.now();
        if let Some(limits) = limits {
            self.book.configure(account, &limits, now);
        }
        self.book.want(account, now);
        self.inquire(context);
        let view = self.show(account);
        if view.is_sure() || self.away_until.is_some_and(|until| now.at < until) {
            return Answer::Now(view);
        }
        let (viewer, later) = oneshot::channel();
        self.viewers.push((account, viewer));
        Answer::Later(later)
    }
}

impl Handler<Reset> for Ledger {
    type Result = Option<Forgiven>;

    fn handle(&mut self, Reset { account, span }: Reset, context: &mut Context<Self>) -> Self::Result {
        let now = self.now();
        let forgiven = self.book.reset(account, span, now);
        self.inquire(context);
        self.serve(context);
        forgiven
    }
}

impl Handler<RaiseLimit> for Ledger {
    type Result = ();

    fn handle(&mut self, raise: RaiseLimit, context: &mut Context<Self>) {
        let now = self.now();
        self.book.raise(raise.account, raise.span, raise.raise, now);
        self.serve(context);
    }
}

impl Handler<ListReservations> for Ledger {
    type Result = Vec<ReservationView>;

    fn handle(&mut self, _: ListReservations, _: &mut Context<Self>) -> Self::Result {
        self.book.reservations()
    }
}

impl Handler<Recheck> for Ledger {
    type Result = ();

    fn handle(&mut self, _: Recheck, context: &mut Context<Self>) {
        self.book.doubt();
        self.inquire(context);
    }
}

impl Handler<SetCalendar> for Ledger {
    type Result = ();

    fn handle(&mut self, SetCalendar(calendar): SetCalendar, context: &mut Context<Self>) {
        let now = self.now();
        self.book.set_calendar(calendar, now);
        self.inquire(context);
    }
}

impl Handler<SetWaiting> for Ledger {
    type Result = ();

    fn handle(&mut self, SetWaiting(terms): SetWaiting, _: &mut Context<Self>) {
        self.queue.set_terms(terms);
    }
}

impl Handler<Observe> for Ledger {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let now = self.now();
        let accounts: Vec<_> = self.book.accounts().to_vec();
        let accounts: Vec<_> = accounts.into_iter().map(|account| self.book.view(account, now)).collect();
        Reply(json!({
            "accounts": accounts,
            "open_reservations": self.book.open(),
            "held_usd": self.book.held(),
            "oldest_open_s": self.book.oldest(now).map(|age| age.as_secs()),
            "waiting": self.queue.len(),
        }))
    }
}
