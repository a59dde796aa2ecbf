//! The book: some accounts that are charged together, and the reservations that are open on them.
//!
//! ```text
//! reserve --admitted--> open --settle / void / expire--> ended
//!    '--denied             '--adjust--> open, smaller or larger
//! ```
//!
//! Invariants, with `P` posted, `R` reserved and `L` the limit of any account and window
//! - A request is admitted only if `P + R + r ≤ L` in every window it touches; all are charged or none (I-01).
//! - `P` exceeds `L` by no more than what the requests under way cost beyond what was reserved (I-02).
//! - A settlement always posts, whatever became of the reservation, the window or the limit (I-03).
//! - A reservation ends once; a second end changes nothing. None grows older than the longest request and a
//!   minute of grace (I-05).
//! - Each change is one step that cannot fail half way: checks come first and change nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    account::{Account, Demand, Now},
    calendar::Calendar,
    claim::{Claim, Denied, Held, MOST_PAYERS, Raise, Running, Settlement, Ticket},
    knowledge::{Inquiry, Settled},
    limits::{AccountId, Limits, Span},
    minutes::Moment,
    reservations::{Charge, Open, Reservations},
    tally::Forgiven,
    view::{AccountView, ReservationView, Share},
};
use crate::{money::Pico, ports::BalancesAnswer};

/// What a reservation may outlive the longest request by.
const GRACE: Duration = Duration::from_secs(60);

/// The accounts and their open reservations.
#[derive(Debug)]
pub struct Book {
    frame: Frame,
    /// In step with `accounts`, and quick to look through.
    ids: Vec<AccountId>,
    accounts: Vec<Account>,
    reservations: Reservations,
    /// What accounts of which nobody has said anything are bound by.
    unbound: Arc<Limits>,
}

/// What holds for all accounts of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The longest a request may take, from its admission to its end.
    pub longest_request: Duration,
    /// How long a conversation is alive after its last request.
    pub session_ttl: Duration,
}

/// What a moment is seen by.
#[derive(Debug)]
struct Frame {
    born: Instant,
    calendar: Calendar,
    terms: Terms,
}

impl Frame {
    fn now(&self, moment: Moment) -> Now<'_> {
        Now { moment, age: self.age(moment), calendar: &self.calendar }
    }

    fn age(&self, moment: Moment) -> Duration {
        moment.at.saturating_duration_since(self.born)
    }
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(terms: Terms, calendar: Calendar, now: Moment) -> Self {
        Self {
            frame: Frame { born: now.at, calendar, terms },
            ids: Vec::new(),
            accounts: Vec::new(),
            reservations: Reservations::default(),
            unbound: Arc::default(),
        }
    }

    /// These are an account's limits from now on. Quick when they are the same as ever.
    pub fn configure(&mut self, id: AccountId, limits: &Arc<Limits>, now: Moment) {
        let place = self.place(id, now);
        if !Arc::ptr_eq(self.accounts[place].limits(), limits) {
            let open = self.reservations.on(place);
            self.accounts[place].configure(limits, &open, self.frame.now(now));
        }
    }

    /// Days, weeks and months are told so from now on.
    pub fn set_calendar(&mut self, calendar: Calendar, now: Moment) {
        self.frame.calendar = calendar;
        for (place, account) in self.accounts.iter_mut().enumerate() {
            account.recount(&self.reservations.on(place), self.frame.now(now));
        }
    }

    /// As if new, but for what is open: what was posted must be asked for again.
    pub fn renew(&mut self, now: Moment) {
        for (place, account) in self.accounts.iter_mut().enumerate() {
            account.renew(&self.reservations.on(place), self.frame.now(now));
        }
    }

    /// A settlement may have been lost: what was posted is to be asked again, and good until then.
    pub fn doubt(&mut self) {
        self.accounts.iter_mut().for_each(Account::doubt);
    }

    /// Where that account stands, which begins with its first mention.
    fn place(&mut self, id: AccountId, now: Moment) -> usize {
        self.known(id).unwrap_or_else(|| {
            let (limits, time_to_live) = (Arc::clone(&self.unbound), self.frame.terms.session_ttl);
            self.accounts.push(Account::new(id, limits, time_to_live, self.frame.now(now)));
            self.ids.push(id);
            self.ids.len() - 1
        })
    }

    fn known(&self, id: AccountId) -> Option<usize> {
        self.ids.iter().position(|known| *known == id)
    }

    /// Admits a request on all its accounts, or on none.
    ///
    /// # Errors
    /// The limit that stands in the way.
    pub fn reserve(&mut self, claim: &Claim, now: Moment) -> Result<Held, Denied> {
        let charges = self.charges(claim, now);
        let here = self.frame.now(now);
        for Charge { place, demand, .. } in charges.iter().flatten() {
            let account = &mut self.accounts[*place];
            account.roll(here);
            account.check(demand, here)?;
        }
        let mut permits = [const { None }; MOST_PAYERS];
        for (permit, charge) in permits.iter_mut().zip(charges.iter().flatten()) {
            // When the second account has none, dropping the first one's gives it back.
            *permit = Some(self.accounts[charge.place].permit()?);
        }
        // From here on nothing is refused.
        for Charge { place, demand, .. } in charges.iter().flatten() {
            self.accounts[*place].hold(demand, here);
        }
        let amount = charges.iter().flatten().map(|charge| charge.demand.amount).max().unwrap_or_default();
        let (age, admitted) = (here.age, now);
        let must_stop = Arc::new(AtomicBool::new(false));
        let Claim { request, model, estimate, .. } = *claim;
        let open =
            Open { request, charges, admitted, age, model, estimate, must_stop: Arc::clone(&must_stop) };
        let ticket = self.reservations.open(open);
        Ok(Held { ticket, minute: now.minute(), amount, must_stop, permits })
    }

    /// What each account would have to hold.
    fn charges(&mut self, claim: &Claim, now: Moment) -> [Option<Charge>; MOST_PAYERS] {
        let mut places = [None; MOST_PAYERS];
        let mut likely = 0;
        for (place, id) in places.iter_mut().zip(claim.payers.accounts()) {
            let found = self.place(id, now);
            // The last one's answers tell.
            likely = self.accounts[found].outputs.likely(claim.model);
            *place = Some(found);
        }
        places.map(|place| place.map(|place| self.charge(place, claim, likely)))
    }

    fn charge(&self, place: usize, claim: &Claim, likely: u64) -> Charge {
        let (limits, estimate) = (self.accounts[place].limits(), &claim.estimate);
        let (input, output) = (estimate.input(limits), estimate.output(limits, likely));
        let amount = input + estimate.output_cost(output);
        let tokens = estimate.input_tokens.saturating_add(output);
        Charge { place, demand: Demand { amount, tokens, session: claim.session }, input, output }
    }

    /// A request has come so far: what it holds follows, and that is never refused. True when it has used
    /// all that was left, and must end for it.
    pub fn adjust(&mut self, ticket: Ticket, running: Running, now: Moment) -> bool {
        let Some(open) = self.reservations.find(ticket) else { return false };
        let (minute, estimate, here) = (open.minute(), open.estimate, self.frame.now(now));
        let mut must_stop = false;
        for charge in open.charges.iter_mut().flatten() {
            charge.input = running.input.map_or(charge.input, Pico::or_nothing);
            charge.output = charge.output.max(running.output_tokens);
            let amount = charge.input + estimate.output_cost(charge.output);
            let used = charge.input + estimate.output_cost(running.output_tokens);
            let account = &mut self.accounts[charge.place];
            account.roll(here);
            account.change_reserved(minute, amount - charge.demand.amount);
            charge.demand.amount = amount;
            must_stop |= account.must_stop(amount - used, now);
        }
        if must_stop {
            open.must_stop.store(true, Ordering::Release);
        }
        must_stop
    }

    /// A request has ended and has cost so much. Always posts, and posts once.
    pub fn settle(&mut self, settled: &Settlement, now: Moment) {
        let open = self.reservations.end(settled.ticket);
        if open.is_none() && self.reservations.was_settled(settled.ticket.request) {
            return;
        }
        self.reservations.note_settled(settled.ticket.request);
        if let Some(open) = &open {
            let tokens = settled.tokens.map(|(input, output)| input.saturating_add(output));
            self.release(open, tokens, now);
        }
        let (sequence, minute, cost) = (settled.sequence, settled.minute, settled.cost.or_nothing());
        for id in settled.payers.accounts() {
            // Nobody has asked for one that is not here: what is recorded will be in the answer.
            let Some(place) = self.known(id) else { continue };
            let account = &mut self.accounts[place];
            account.roll(self.frame.now(now));
            account.post(Settled { sequence, minute, cost });
            if let (Some(open), Some((_, output))) = (&open, settled.tokens) {
                account.outputs.note(open.model, output);
            }
        }
    }

    /// A request has ended and has cost nothing. Changes nothing when it had ended already.
    pub fn void(&mut self, ticket: Ticket, now: Moment) {
        if let Some(open) = self.reservations.end(ticket) {
            self.release(&open, Some(0), now);
        }
    }

    /// Ends what nobody ended in time. Answers how many there were.
    pub fn expire(&mut self, now: Moment) -> usize {
        let longest = self.frame.terms.longest_request + GRACE;
        let Some(then) = now.at.checked_sub(longest) else { return 0 };
        let old = self.reservations.admitted_until(then);
        for ticket in &old {
            if let Some(open) = self.reservations.end(*ticket) {
                self.release(&open, None, now);
            }
        }
        old.len()
    }

    fn release(&mut self, open: &Open, tokens: Option<u64>, now: Moment) {
        for Charge { place, demand, .. } in open.charges.iter().flatten() {
            let account = &mut self.accounts[*place];
            account.roll(self.frame.now(now));
            account.release(demand, open, tokens, now.at);
        }
    }

    /// Counts a span of an account from now on; what is open stays. Answers what must be remembered about
    /// it; none while it is not known what there is to forgive.
    pub fn reset(&mut self, id: AccountId, span: Span, now: Moment) -> Option<Forgiven> {
        let place = self.place(id, now);
        self.accounts[place].reset(span, self.frame.now(now))
    }

    /// Raises a limit for a while.
    pub fn raise(&mut self, id: AccountId, span: Span, raise: Raise, now: Moment) {
        let place = self.place(id, now);
        self.accounts[place].raise(span, raise);
    }

    /// What must be asked about these accounts before dollars can be counted. What it answers is held to be
    /// asked at once.
    pub fn inquiries(&mut self, now: Moment) -> Vec<Inquiry> {
        let here = self.frame.now(now);
        self.accounts.iter_mut().filter_map(|account| account.inquiry(here)).collect()
    }

    /// What was asked, and the answer. There may be more to ask now. Answers how many accounts are known by it.
    pub fn learn(&mut self, inquiries: &[Inquiry], answer: &BalancesAnswer, now: Moment) -> usize {
        let mut learned = 0;
        for (inquiry, balance) in inquiries.iter().zip(&answer.balances) {
            let Some(place) = self.known(inquiry.ask.account) else { continue };
            let (open, found) = (self.reservations.on(place), (balance, answer.includes));
            let account = &mut self.accounts[place];
            learned += usize::from(account.learn(inquiry, found, &open, self.frame.now(now)));
        }
        learned
    }

    /// What was asked, and nobody answered.
    pub fn unanswered(&mut self, inquiries: &[Inquiry]) {
        for inquiry in inquiries {
            if let Some(place) = self.known(inquiry.ask.account) {
                self.accounts[place].unanswered(inquiry);
            }
        }
    }

    /// Somebody wants to know all about an account, limits or not.
    pub fn want(&mut self, id: AccountId, now: Moment) {
        let place = self.place(id, now);
        self.accounts[place].want();
    }

    /// Whether anybody needs to know what an account holds: a limit on dollars, or whoever wanted to see it.
    #[must_use]
    pub fn is_watched(&self, id: AccountId) -> bool {
        self.known(id).is_some_and(|place| self.accounts[place].is_watched())
    }

    /// An account's picture.
    pub fn view(&mut self, id: AccountId, now: Moment) -> AccountView {
        let place = self.place(id, now);
        self.accounts[place].view(self.frame.now(now))
    }

    /// The accounts that were ever mentioned.
    #[must_use]
    pub fn accounts(&self) -> &[AccountId] {
        &self.ids
    }

    /// How many reservations are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.reservations.len()
    }

    /// What all open reservations hold together, each counted once, whoever pays it.
    #[must_use]
    pub fn held(&self) -> Pico {
        let held = |open: &Open| {
            open.charges.iter().flatten().map(|charge| charge.demand.amount).max().unwrap_or_default()
        };
        self.reservations.iter().map(held).sum()
    }

    /// How old the oldest open reservation is.
    #[must_use]
    pub fn oldest(&self, now: Moment) -> Option<Duration> {
        let ages = self.reservations.iter().map(|open| now.at.saturating_duration_since(open.admitted.at));
        ages.max()
    }

    /// Whether nothing is open, and nobody has anything in hand that may still be told.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.reservations.is_empty() && self.accounts.iter().all(|account| account.in_flight() == 0)
    }

    /// The open reservations.
    #[must_use]
    pub fn reservations(&self) -> Vec<ReservationView> {
        let share = |charge: &Charge| Share { account: self.ids[charge.place], amount: charge.demand.amount };
        let view = |open: &Open| ReservationView {
            request: open.request,
            reserved: open.charges.iter().flatten().map(share).collect(),
            since: open.admitted.wall,
        };
        self.reservations.iter().map(view).collect()
    }
}
