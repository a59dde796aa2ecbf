//! The open reservations of a book, found again by ticket without a search.
//!
//! Invariants
//! - A ticket leads to the reservation it was given for or to none: places are used again, requests are not.
//! - A request that was settled is known to have been, as long as it is among the latest.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{
    account::Demand,
    claim::{Estimate, MOST_PAYERS, Ticket},
    minutes::{Minute, Moment},
    quantile::ModelMark,
};
use crate::{ids::RequestId, money::Pico};

/// Requests that are known to have been settled. A second settlement of one further back would be taken for
/// one whose reservation is gone.
const REMEMBERED: usize = 256;

/// All open reservations.
#[derive(Debug, Default)]
pub struct Reservations {
    slots: Vec<Option<Open>>,
    vacant: Vec<usize>,
    settled: VecDeque<RequestId>,
}

/// One open reservation.
#[derive(Debug)]
pub struct Open {
    /// Whose it is.
    pub request: RequestId,
    /// What each account holds for it.
    pub charges: [Option<Charge>; MOST_PAYERS],
    /// When it was admitted.
    pub admitted: Moment,
    /// How old the book was then.
    pub age: Duration,
    /// What it asks for.
    pub model: ModelMark,
    /// What it was expected to use.
    pub estimate: Estimate,
    /// Raised when it has used all that was left.
    pub must_stop: Arc<AtomicBool>,
}

/// What one account holds for one request.
#[derive(Debug, Clone, Copy)]
pub struct Charge {
    /// Its place in the book.
    pub place: usize,
    /// All it holds.
    pub demand: Demand,
    /// The part of the amount that is for the input.
    pub input: Pico,
    /// The tokens of output that the rest is for.
    pub output: u64,
}

impl Open {
    /// The minute its cost will belong to.
    #[must_use]
    pub fn minute(&self) -> Minute {
        self.admitted.minute()
    }
}

impl Reservations {
    /// Opens one.
    pub fn open(&mut self, open: Open) -> Ticket {
        let request = open.request;
        let slot = match self.vacant.pop() {
            Some(slot) => {
                self.slots[slot] = Some(open);
                slot
            }
            None => {
                self.slots.push(Some(open));
                self.slots.len() - 1
            }
        };
        Ticket { slot, request }
    }

    /// The one of that ticket, while it is open.
    pub fn find(&mut self, ticket: Ticket) -> Option<&mut Open> {
        self.slots.get_mut(ticket.slot)?.as_mut().filter(|open| open.request == ticket.request)
    }

    /// Ends the one of that ticket, if it is open.
    pub fn end(&mut self, ticket: Ticket) -> Option<Open> {
        self.find(ticket)?;
        self.vacant.push(ticket.slot);
        self.slots[ticket.slot].take()
    }

    /// Tickets of those that were admitted at that moment or before.
    #[must_use]
    pub fn admitted_until(&self, then: Instant) -> Vec<Ticket> {
        let mut old = Vec::new();
        for (slot, open) in self.slots.iter().enumerate() {
            if let Some(Open { request, .. }) = open.as_ref().filter(|open| open.admitted.at <= then) {
                old.push(Ticket { slot, request: *request });
            }
        }
        old
    }

    /// All that are open.
    pub fn iter(&self) -> impl Iterator<Item = &Open> {
        self.slots.iter().flatten()
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In which minutes what was reserved on the account at that place, and still is.
    #[must_use]
    pub fn on(&self, place: usize) -> Vec<(Minute, Pico)> {
        let charges = self.iter().flat_map(|open| open.charges.iter().flatten().map(|c| (open.minute(), c)));
        charges
            .filter(|(_, charge)| charge.place == place)
            .map(|(minute, c)| (minute, c.demand.amount))
            .collect()
    }

    /// Whether that request is among the latest that were settled.
    #[must_use]
    pub fn was_settled(&self, request: RequestId) -> bool {
        self.settled.contains(&request)
    }

    /// Notes that a request is settled.
    pub fn note_settled(&mut self, request: RequestId) {
        if self.settled.len() == REMEMBERED {
            self.settled.pop_front();
        }
        self.settled.push_back(request);
    }
}
