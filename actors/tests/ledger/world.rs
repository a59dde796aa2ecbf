//! A book and the second reckoning side by side: each step is taken on both, and both must agree.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actors::{
    ids::{KeyId, RequestId, UserId},
    ledger::{
        book::{Book, Terms},
        calendar::Calendar,
        claim::{Claim, Denied, Estimate, OverLimit, Payers, Quantity, Running, Settlement, Ticket},
        knowledge::Inquiry,
        limits::{AccountId, LimitKind, Limits, Span},
        minutes::{Minute, Moment},
        quantile::ModelMark,
    },
    money::Pico,
    permits::Permit,
    ports::BalancesAnswer,
};
use chrono::DateTime;
use uuid::Uuid;

use crate::{
    model::{Account, Model, Request, Reset},
    store,
};

pub(crate) const LONGEST: Duration = Duration::from_secs(3_600);
/// What is left to a reservation beyond the longest request.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
pub(crate) const USER: AccountId = AccountId::User(UserId(1));
pub(crate) const KEYS: [AccountId; 2] = [AccountId::Key(KeyId(1)), AccountId::Key(KeyId(2))];

pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) model: Model,
    pub(crate) now: Moment,
    /// What each request was given, in order; permits are given back at its end.
    pub(crate) given: Vec<Given>,
    asked: Option<(Vec<Inquiry>, BalancesAnswer)>,
    sequence: u64,
}

pub(crate) struct Given {
    pub(crate) ticket: Ticket,
    pub(crate) minute: Minute,
    pub(crate) payers: Payers,
    pub(crate) permits: [Option<Permit>; 2],
    pub(crate) must_stop: Arc<std::sync::atomic::AtomicBool>,
    /// Whether the ledger was told of its cost.
    pub(crate) told: bool,
    /// The least that each payer ever held for it while it was open.
    pub(crate) least: Vec<Pico>,
}

impl World {
    /// Everyone bound by the same limits, in the middle of a Thursday.
    pub(crate) fn new(limits: Limits) -> Self {
        let now = Moment {
            at: Instant::now() + Duration::from_secs(1_000_000),
            wall: DateTime::from_timestamp(1_772_107_231, 0).expect("a moment of the year 2026"),
        };
        let terms = Terms { longest_request: LONGEST, session_ttl: Duration::from_secs(300) };
        let book = Book::new(terms, Calendar::default(), now);
        let mut world =
            Self { book, model: Model::default(), now, given: Vec::new(), asked: None, sequence: 0 };
        for id in [USER, KEYS[0], KEYS[1]] {
            world.model.accounts.push(Account { id, limits: Arc::default(), resets: Vec::new() });
            world.configure(id, limits);
        }
        world
    }

    /// Time passes. Whoever is asked answers within seconds.
    pub(crate) fn wait(&mut self, seconds: u64) {
        if seconds > 2 {
            self.answer();
        }
        self.now.at += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
    }

    pub(crate) fn configure(&mut self, id: AccountId, limits: Limits) {
        let limits = Arc::new(limits);
        self.model.account_mut(id).limits = Arc::clone(&limits);
        self.book.configure(id, &limits, self.now);
    }

    /// Asks whoever remembers; the answer is as of now and arrives later.
    pub(crate) fn ask(&mut self) {
        if self.asked.is_none() {
            let inquiries = self.book.inquiries(self.now);
            let answer = store::answer(&self.model, inquiries.iter().map(|inquiry| &inquiry.ask));
            self.asked = Some((inquiries, answer));
        }
    }

    pub(crate) fn answer(&mut self) {
        let Some((inquiries, answer)) = self.asked.take() else { return };
        for inquiry in &inquiries {
            let answer = only(&answer, &inquiries, inquiry);
            if self.book.learn(std::slice::from_ref(inquiry), &answer, self.now) > 0 {
                self.counted(inquiry.ask.account, answer.includes);
            }
        }
    }

    /// Whoever remembers is away.
    pub(crate) fn away(&mut self) {
        if let Some((inquiries, _)) = self.asked.take() {
            self.book.unanswered(&inquiries);
        }
    }

    /// Asks until there is nothing more to ask.
    pub(crate) fn know_all(&mut self) {
        for _ in 0..3 {
            self.answer();
            self.ask();
            self.answer();
        }
    }

    fn counted(&mut self, account: AccountId, includes: u64) {
        for (request, given) in self.model.requests.iter_mut().zip(&self.given) {
            let (Some(side), Some((sequence, _))) = (request.side(account), request.recorded) else {
                continue;
            };
            request.counted[side] |= sequence <= includes || given.told;
        }
    }

    /// Asks for room; both reckonings must come to the same answer (I-01).
    pub(crate) fn reserve(&mut self, key: usize, estimate: Estimate) -> Result<usize, Denied> {
        let AccountId::Key(key) = KEYS[key] else { unreachable!() };
        let payers = Payers::Caller(UserId(1), key);
        let request = RequestId(Uuid::from_u128(self.given.len() as u128 + 1));
        let claim = Claim { request, payers, session: None, model: ModelMark::of("m"), estimate };
        let before: Vec<_> = payers.accounts().map(|id| (id, self.sums(id))).collect();
        let open_before = self.book.open();
        match self.book.reserve(&claim, self.now) {
            Ok(held) => {
                let views = self.book.reservations();
                let view = views.iter().find(|view| view.request == request).expect("it is open");
                let reserved: Vec<_> = view.reserved.iter().map(|share| share.amount).collect();
                for ((id, sums), amount) in before.iter().zip(&reserved) {
                    for (span, (posted, holding)) in Span::ALL.into_iter().zip(sums) {
                        let Some(limit) = self.model.account(*id).limits.usd[span] else { continue };
                        assert!(
                            *posted + *holding + *amount <= limit,
                            "I-01: {id} {span}: {posted} + {holding} + {amount} > {limit}"
                        );
                    }
                }
                self.model.requests.push(Request {
                    id: request,
                    payers,
                    admitted: self.now.wall,
                    reserved: reserved.clone(),
                    open: true,
                    recorded: None,
                    counted: vec![false; reserved.len()],
                });
                let permits = held.permits;
                self.given.push(Given {
                    ticket: held.ticket,
                    minute: held.minute,
                    payers,
                    permits,
                    must_stop: held.must_stop,
                    told: false,
                    least: reserved,
                });
                Ok(self.given.len() - 1)
            }
            Err(denied) => {
                assert_eq!(self.book.open(), open_before, "I-01: all or none");
                self.is_fair(&denied);
                Err(denied)
            }
        }
    }

    /// Whether a refusal says what is so.
    fn is_fair(&mut self, denied: &Denied) {
        match denied {
            Denied::CannotVerify(id) => {
                assert!(
                    !self.book.view(*id, self.now).known && self.model.account(*id).limits.bounds_money()
                );
            }
            Denied::OverLimit(over) => {
                let OverLimit { account, limit, used, reserved, asked, .. } = **over;
                match (over.kind, limit, used, reserved, asked) {
                    (
                        LimitKind::Usd(span),
                        Quantity::Usd(limit),
                        Quantity::Usd(used),
                        Quantity::Usd(reserved),
                        Quantity::Usd(asked),
                    ) => {
                        assert_eq!(
                            self.model.sums(account, span, self.now.wall),
                            (used, reserved),
                            "{account} {span}"
                        );
                        assert_eq!(self.model.account(account).limits.usd[span], Some(limit));
                        assert!(used + reserved + asked > limit, "refused without need: {over}");
                    }
                    (LimitKind::Concurrency, Quantity::Count(limit), Quantity::Count(used), ..) => {
                        assert!(used >= limit, "refused without need: {over}");
                        assert_eq!(used, self.in_flight(account), "I-10");
                    }
                    _ => panic!("refused by a limit nobody set: {over}"),
                }
            }
        }
    }

    pub(crate) fn in_flight(&self, account: AccountId) -> u64 {
        let held = self.given.iter().filter(|given| given.permits[0].is_some());
        held.filter(|given| given.payers.accounts().any(|payer| payer == account)).count() as u64
    }

    /// How far a request has come.
    pub(crate) fn adjust(&mut self, nth: usize, running: Running) {
        let given = &mut self.given[nth];
        let must_stop = self.book.adjust(given.ticket, running, self.now);
        let views = self.book.reservations();
        let request = self.model.request_mut(given.ticket.request);
        if let Some(view) = views.iter().find(|view| view.request == given.ticket.request) {
            assert!(request.open, "I-05: it had ended");
            request.reserved = view.reserved.iter().map(|share| share.amount).collect();
            for (least, now) in given.least.iter_mut().zip(&request.reserved) {
                *least = (*least).min(*now);
            }
        } else {
            assert!(!request.open && !must_stop);
        }
    }

    /// Writes a cost down; the ledger is told later.
    pub(crate) fn record(&mut self, nth: usize, cost: Pico) {
        let request = self.model.request_mut(self.given[nth].ticket.request);
        if request.recorded.is_none() {
            self.sequence += 1;
            request.recorded = Some((self.sequence, cost));
        }
    }

    /// Tells the ledger what is on record.
    pub(crate) fn tell(&mut self, nth: usize) {
        let given = &mut self.given[nth];
        let request = self.model.request_mut(given.ticket.request);
        let Some((sequence, cost)) = request.recorded else { return };
        request.open = false;
        given.permits = [None, None];
        let (ticket, payers, minute) = (given.ticket, given.payers, given.minute);
        given.told = true;
        for (nth, id) in payers.accounts().enumerate() {
            // What is told while nothing is known counts when the next answer is here.
            request.counted[nth] |= self.book.view(id, self.now).known;
        }
        self.book
            .settle(&Settlement { ticket, payers, minute, cost, tokens: Some((1, 1)), sequence }, self.now);
    }

    pub(crate) fn void(&mut self, nth: usize) {
        let given = &mut self.given[nth];
        given.permits = [None, None];
        self.book.void(given.ticket, self.now);
        self.model.request_mut(given.ticket.request).open = false;
    }

    pub(crate) fn expire(&mut self) {
        let mut over = 0;
        for (request, given) in self.model.requests.iter_mut().zip(&mut self.given) {
            let age = (self.now.wall - request.admitted).to_std().expect("time goes on");
            if request.open && age >= LONGEST + GRACE {
                request.open = false;
                given.permits = [None, None];
                over += 1;
            }
        }
        assert_eq!(self.book.expire(self.now), over, "I-05");
    }

    pub(crate) fn reset(&mut self, id: AccountId, span: Span) {
        let Some(forgiven) = self.book.reset(id, span, self.now) else { return };
        let counted = self.model.requests.iter().filter(|request| {
            request.recorded.is_some() && request.side(id).is_some_and(|side| request.counted[side])
        });
        let counted = counted.map(|request| request.id).collect();
        let when = self.now.wall;
        self.model.account_mut(id).resets.push(Reset { span, when, counted, forgiven });
    }

    fn sums(&self, id: AccountId) -> Vec<(Pico, Pico)> {
        Span::ALL.into_iter().map(|span| self.model.sums(id, span, self.now.wall)).collect()
    }

    /// Both reckonings agree to the last digit (I-04).
    pub(crate) fn agrees(&mut self) {
        for id in [USER, KEYS[0], KEYS[1]] {
            let view = self.book.view(id, self.now);
            assert_eq!(view.concurrency.used, self.in_flight(id), "I-10: {id}");
            for window in &view.windows {
                let (posted, reserved) = self.model.sums(id, window.span, self.now.wall);
                if view.known {
                    assert_eq!((window.settled, window.reserved), (posted, reserved), "{id} {}", window.span);
                }
                assert!(!window.settled.is_negative() && !window.reserved.is_negative());
                if let (Some(limit), Some(free)) = (window.limit, window.free) {
                    assert_eq!(limit, window.settled + window.reserved + free, "I-04");
                }
            }
        }
    }
}

/// The part of an answer that is about one question.
fn only(answer: &BalancesAnswer, inquiries: &[Inquiry], inquiry: &Inquiry) -> BalancesAnswer {
    let nth = inquiries.iter().position(|other| std::ptr::eq(other, inquiry)).expect("one of them");
    BalancesAnswer { balances: vec![answer.balances[nth].clone()], includes: answer.includes }
}
