//! What one can say to whoever keeps a book: a user's ledger, or a provider about its own budget.

use std::sync::{Arc, Weak};

use actix::Message;

use super::{
    book::Book,
    calendar::Calendar,
    claim::{Claim, Denied, Raise, Running, Settlement, Ticket},
    knowledge::Inquiry,
    limits::{AccountId, Limits, Span},
    queue::Waiting,
    reservation::Reservation,
    tally::Forgiven,
    view::{AccountView, ReservationView},
};
use crate::ports::{Away, BalancesAnswer};

/// Is there room for this request?
#[derive(Debug)]
pub struct Reserve {
    /// The request.
    pub claim: Claim,
    /// What binds its accounts, in the order of the payers.
    pub limits: [Arc<Limits>; 2],
    /// Held by the caller for as long as it cares.
    pub caller: Weak<()>,
}

impl Message for Reserve {
    type Result = Result<Reservation, Denied>;
}

/// A request has come so far.
#[derive(Debug)]
pub struct Adjust {
    /// Its reservation.
    pub ticket: Ticket,
    /// How far.
    pub running: Running,
}

impl Message for Adjust {
    type Result = ();
}

/// A request has ended, and this is what it cost.
#[derive(Debug)]
pub struct Settle(pub Settlement);

impl Message for Settle {
    type Result = ();
}

/// A request has ended, and cost nothing.
#[derive(Debug)]
pub struct Void(pub Ticket);

impl Message for Void {
    type Result = ();
}

/// Whoever remembers has answered, or not.
#[derive(Debug)]
pub struct Learned {
    /// What was asked.
    pub inquiries: Vec<Inquiry>,
    /// The answer.
    pub answer: Result<BalancesAnswer, Away>,
}

impl Message for Learned {
    type Result = ();
}

/// Show me that account.
#[derive(Debug)]
pub struct View {
    /// Which.
    pub account: AccountId,
    /// What binds it; none when the book knows best.
    pub limits: Option<Arc<Limits>>,
}

impl Message for View {
    type Result = AccountView;
}

/// Count that span from now on. Answers what must be remembered about it; none when it can't be told what
/// there is to forgive.
#[derive(Debug)]
pub struct Reset {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub span: Span,
}

impl Message for Reset {
    type Result = Option<Forgiven>;
}

/// Raise that limit for a while.
#[derive(Debug)]
pub struct RaiseLimit {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub span: Span,
    /// To what, and until when.
    pub raise: Raise,
}

impl Message for RaiseLimit {
    type Result = ();
}

/// Show me what is reserved.
#[derive(Debug)]
pub struct ListReservations;

impl Message for ListReservations {
    type Result = Vec<ReservationView>;
}

/// What is on record has changed beside you, as by a correction: ask again.
#[derive(Debug)]
pub struct Recheck;

impl Message for Recheck {
    type Result = ();
}

/// Days, weeks and months are told so from now on.
#[derive(Debug)]
pub struct SetCalendar(pub Calendar);

impl Message for SetCalendar {
    type Result = ();
}

/// Requests wait for a place by these terms from now on.
#[derive(Debug)]
pub struct SetWaiting(pub Waiting);

impl Message for SetWaiting {
    type Result = ();
}

/// Look after what nobody else does: reservations whose end was lost.
#[derive(Debug)]
pub struct Tend;

impl Message for Tend {
    type Result = ();
}

/// Nobody has needed you for long: stop, unless something is still open.
#[derive(Debug)]
pub struct Sleep;

impl Message for Sleep {
    type Result = ();
}

impl Reserve {
    /// Sees to it that the book knows what binds the accounts.
    pub(super) fn configure(&self, book: &mut Book, now: super::minutes::Moment) {
        for (account, limits) in self.claim.payers.accounts().zip(&self.limits) {
            book.configure(account, limits, now);
        }
    }
}
