//! The provider as the keeper of its own book: what is said to ledgers is said to it too.

use actix::{Context, Handler};
use log::warn;
use tokio::sync::oneshot;

use super::Provider;
use crate::{
    ledger::{
        self,
        messages::{
            Adjust, Learned, ListReservations, RaiseLimit, Recheck, Reset, SetCalendar, Settle, Tend, View,
            Void,
        },
        tally::Forgiven,
        view::{AccountView, ReservationView},
    },
    supervisor::{Mailbox, mailbox::Answer},
};

impl Provider {
    /// Asks what must be known, unless whoever remembers was away just now.
    pub(super) fn inquire(&mut self, context: &Context<Self>) {
        let now = ledger::moment(self.clock);
        if self.budget.away_until.is_some_and(|until| now.at < until) {
            return;
        }
        let inquiries = self.budget.book.inquiries(now);
        if !inquiries.is_empty() {
            let own = Mailbox::own(context, &self.vitals);
            ledger::inquire(&self.budget.balances, inquiries, move |learned| own.tell(learned));
        }
    }
}

impl Handler<Adjust> for Provider {
    type Result = ();

    fn handle(&mut self, Adjust { ticket, running }: Adjust, _: &mut Self::Context) {
        self.budget.book.adjust(ticket, running, ledger::moment(self.clock));
    }
}

impl Handler<Settle> for Provider {
    type Result = ();

    fn handle(&mut self, Settle(settlement): Settle, _: &mut Self::Context) {
        self.budget.book.settle(&settlement, ledger::moment(self.clock));
    }
}

impl Handler<Void> for Provider {
    type Result = ();

    fn handle(&mut self, Void(ticket): Void, _: &mut Self::Context) {
        self.budget.book.void(ticket, ledger::moment(self.clock));
    }
}

impl Handler<Learned> for Provider {
    type Result = ();

    fn handle(&mut self, learned: Learned, context: &mut Self::Context) {
        let now = ledger::moment(self.clock);
        if ledger::take_over(&mut self.budget.book, &learned, now, &self.card.name) {
            self.budget.away_until = None;
            self.inquire(context);
        } else {
            self.budget.away_until = Some(now.at + ledger::AWAY_FOR);
        }
        let view = self.budget.view(now);
        if view.is_sure() || self.budget.away_until.is_some() {
            for viewer in self.budget.viewers.drain(..) {
                let _ = viewer.send(view.clone());
            }
        }
    }
}

impl Handler<View> for Provider {
    type Result = Answer<AccountView>;

    fn handle(&mut self, _: View, context: &mut Self::Context) -> Self::Result {
        let now = ledger::moment(self.clock);
        self.budget.book.want(self.budget.account(), now);
        self.inquire(context);
        let view = self.budget.view(now);
        if view.is_sure() || self.budget.away_until.is_some_and(|until| now.at < until) {
            return Answer::Now(view);
        }
        let (viewer, later) = oneshot::channel();
        self.budget.viewers.push(viewer);
        Answer::Later(later)
    }
}

impl Handler<Reset> for Provider {
    type Result = Option<Forgiven>;

    fn handle(&mut self, Reset { account, span }: Reset, context: &mut Self::Context) -> Self::Result {
        let forgiven = self.budget.book.reset(account, span, ledger::moment(self.clock));
        self.inquire(context);
        forgiven
    }
}

impl Handler<RaiseLimit> for Provider {
    type Result = ();

    fn handle(&mut self, raise: RaiseLimit, _: &mut Self::Context) {
        let now = ledger::moment(self.clock);
        self.budget.book.raise(raise.account, raise.span, raise.raise, now);
    }
}

impl Handler<ListReservations> for Provider {
    type Result = Vec<ReservationView>;

    fn handle(&mut self, _: ListReservations, _: &mut Self::Context) -> Self::Result {
        self.budget.book.reservations()
    }
}

impl Handler<Recheck> for Provider {
    type Result = ();

    fn handle(&mut self, _: Recheck, context: &mut Self::Context) {
        self.budget.book.doubt();
        self.inquire(context);
    }
}

impl Handler<SetCalendar> for Provider {
    type Result = ();

    fn handle(&mut self, SetCalendar(calendar): SetCalendar, context: &mut Self::Context) {
        self.budget.book.set_calendar(calendar, ledger::moment(self.clock));
        self.inquire(context);
    }
}

impl Handler<Tend> for Provider {
    type Result = ();

    fn handle(&mut self, _: Tend, context: &mut Self::Context) {
        let expired = self.budget.book.expire(ledger::moment(self.clock));
        if expired > 0 {
            let name = self.card.name.as_str();
            warn!(provider = name; "provider {name}: {expired} reservations were never ended, and are given back");
        }
        self.inquire(context);
    }
}
