//! The ledgers that are awake: started for the first request of a user, put to sleep when unused for long.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    ids::UserId,
    ledger::{
        LEDGER, Ledger, Parts,
        calendar::Calendar,
        limits::AccountId,
        messages::{SetCalendar, SetWaiting, Sleep, Tend},
        queue::Waiting,
    },
    supervisor::{Leash, Mailbox, Roster, guard},
};

/// A ledger that nobody has used for so long may sleep: what it knows is on record by then, and what is
/// not (rates, conversations) is over.
const UNUSED_FOR: Duration = Duration::from_secs(3_600);

/// All that are awake.
pub(crate) struct Ledgers {
    awake: BTreeMap<UserId, Awake>,
    parts: Parts,
    leash: Leash,
    roster: Roster,
}

struct Awake {
    mailbox: Mailbox<Ledger>,
    used: Instant,
}

impl Ledgers {
    pub(crate) fn new(parts: Parts, leash: Leash, roster: Roster) -> Self {
        Self { awake: BTreeMap::new(), parts, leash, roster }
    }

    /// The ledger of that user, which is woken if it sleeps.
    pub(crate) fn of(&mut self, user: UserId, now: Instant) -> Mailbox<Ledger> {
        if let Some(awake) = self.awake.get_mut(&user).filter(|awake| !awake.mailbox.is_closed()) {
            awake.used = now;
            return awake.mailbox.clone();
        }
        let (parts, account) = (self.parts.clone(), AccountId::User(user).to_string());
        let name = format!("{LEDGER}/{account}");
        let mailbox = guard::start_here(parts.clock, self.leash, name, move |_, vitals| {
            Ledger::new(user, parts, vitals)
        });
        self.roster.enlist(LEDGER, &account, &mailbox);
        self.awake.insert(user, Awake { mailbox: mailbox.clone(), used: now });
        mailbox
    }

    /// Looks after all of them: what has stopped is forgotten, what is unused may sleep.
    pub(crate) fn tend(&mut self, now: Instant) {
        let unused_for = UNUSED_FOR.max(self.parts.terms.session_ttl);
        self.awake.retain(|user, awake| {
            if awake.mailbox.is_closed() {
                self.roster.discharge(LEDGER, &AccountId::User(*user).to_string());
                return false;
            }
            awake.mailbox.tell(Tend);
            if now.duration_since(awake.used) >= unused_for {
                awake.mailbox.tell(Sleep);
            }
            true
        });
    }

    /// Days, weeks and months are told so from now on.
    pub(crate) fn set_calendar(&mut self, calendar: &Calendar) {
        self.parts.calendar = calendar.clone();
        for awake in self.awake.values() {
            awake.mailbox.tell(SetCalendar(calendar.clone()));
        }
    }

    /// Requests wait for a place by these terms from now on.
    pub(crate) fn set_waiting(&mut self, terms: Waiting) {
        self.parts.waiting = terms;
        for awake in self.awake.values() {
            awake.mailbox.tell(SetWaiting(terms));
        }
    }

    /// All that are awake.
    pub(crate) fn all(&self) -> Vec<Mailbox<Ledger>> {
        self.awake.values().map(|awake| awake.mailbox.clone()).collect()
    }

    /// How many are awake.
    pub(crate) fn len(&self) -> usize {
        self.awake.len()
    }

    /// What new ledgers are made of.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }
}
