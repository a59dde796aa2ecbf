//! A reservation in the hands of a request, and the only way to end it.
//!
//! It ends once. Settling it says what the request cost; dropping it unsettled says that it cost nothing,
//! which is how a cancelled caller, a panic or a forgotten path gives back all the same (I-05, I-10, I-11).
//! Ends are told, never asked, so giving back waits for nobody.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Ledger,
    claim::{Held, MOST_PAYERS, Payers, Running, Settlement, Ticket},
    messages::{Adjust, Settle, Void},
    minutes::Minute,
};
use crate::{ids::RequestId, money::Pico, permits::Permit, provider::Provider, supervisor::Mailbox};

/// What a request holds of its accounts.
#[derive(Debug)]
pub struct Reservation {
    ticket: Ticket,
    payers: Payers,
    minute: Minute,
    amount: Pico,
    must_stop: Arc<AtomicBool>,
    permits: [Option<Permit>; MOST_PAYERS],
    keeper: Keeper,
    ended: bool,
}

/// Whose book it stands in.
#[derive(Debug, Clone)]
pub(crate) enum Keeper {
    Ledger(Mailbox<Ledger>),
    Provider(Mailbox<Provider>),
}

impl Reservation {
    pub(crate) fn new(held: Held, payers: Payers, keeper: Keeper) -> Self {
        let Held { ticket, minute, amount, must_stop, permits } = held;
        Self { ticket, payers, minute, amount, must_stop, permits, keeper, ended: false }
    }

    /// Nothing is held, since nothing is bounded and nobody looks; what it costs will be told all the same.
    pub(crate) fn of_nothing(request: RequestId, payers: Payers, minute: Minute, keeper: Keeper) -> Self {
        let ticket = Ticket::of_nothing(request);
        let (amount, must_stop, permits) = (Pico::ZERO, Arc::default(), [None, None]);
        Self { ticket, payers, minute, amount, must_stop, permits, keeper, ended: false }
    }

    /// The minute its cost belongs to, in every window and on record.
    #[must_use]
    pub fn minute(&self) -> Minute {
        self.minute
    }

    /// The most that any of its accounts held for it when it was admitted.
    #[must_use]
    pub fn amount(&self) -> Pico {
        self.amount
    }

    /// Its cost belongs to that minute: one request has one, whenever it came to this payer.
    pub(crate) fn belongs_to(&mut self, minute: Minute) {
        self.minute = minute;
    }

    /// The request has come so far.
    pub fn running(&self, running: Running) {
        if self.ticket.is_of_nothing() {
            return;
        }
        let adjust = Adjust { ticket: self.ticket, running };
        match &self.keeper {
            Keeper::Ledger(ledger) => ledger.tell(adjust),
            Keeper::Provider(provider) => provider.tell(adjust),
        }
    }

    /// Gives its places back ahead of its end: nothing runs there any more, and what that cost is told later.
    pub(crate) fn vacate(&mut self) {
        self.permits = [None, None];
    }

    /// The request has ended and has cost so much, as the record of that number says. `tokens` went in and
    /// came out.
    pub fn settle(mut self, cost: Pico, tokens: Option<(u64, u64)>, sequence: u64) {
        let (ticket, payers, minute) = (self.ticket, self.payers, self.minute);
        let settle = Settle(Settlement { ticket, payers, minute, cost, tokens, sequence });
        self.end(|keeper| match keeper {
            Keeper::Ledger(ledger) => ledger.tell(settle),
            Keeper::Provider(provider) => provider.tell(settle),
        });
    }

    /// Whether the request has used all that was left.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.must_stop.load(Ordering::Acquire)
    }

    fn end(&mut self, tell: impl FnOnce(&Keeper)) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // Before the word about it: who waits for a place must find it free when the word is taken up.
        self.permits = [None, None];
        tell(&self.keeper);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let void = Void(self.ticket);
        if void.0.is_of_nothing() {
            return;
        }
        self.end(|keeper| match keeper {
            Keeper::Ledger(ledger) => ledger.tell(void),
            Keeper::Provider(provider) => provider.tell(void),
        });
    }
}
