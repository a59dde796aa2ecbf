//! How an account comes to know what it has used, and what makes it ask again.

use super::{Account, Now};
use crate::{
    ledger::{
        knowledge::{Inquiry, Settled},
        minutes::Minute,
        quantile::Outputs,
        rates::Rate,
        tally::{Rule, Tally},
    },
    money::Pico,
    ports::{Balance, BalancesAsk},
};

impl Account {
    /// Begins to count anew: what is reserved is at hand, what was posted must be asked for.
    pub fn recount(&mut self, open: &[(Minute, Pico)], now: Now<'_>) {
        for (span, tally) in self.tallies.iter_mut() {
            *tally = Tally::new(Rule::of(span, &self.limits), now.calendar, now.moment);
            tally.take_over(open, now.moment.minute());
        }
        self.knowledge.forget();
    }

    /// As if new, but for what is out: permits come back by themselves, and `open` is still reserved.
    pub fn renew(&mut self, open: &[(Minute, Pico)], now: Now<'_>) {
        self.requests = Rate::default();
        self.tokens = Rate::default();
        self.outputs = Outputs::default();
        self.sessions.clear();
        self.recount(open, now);
    }

    /// Whether anybody needs to know what it holds.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.limits.bounds_money() || self.wanted
    }

    /// Somebody wants to know all about it.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// What must be asked, if anything: it is held to be asked at once.
    pub fn inquiry(&mut self, now: Now<'_>) -> Option<Inquiry> {
        // What was once known is kept right, limits or not.
        let needed = self.is_watched() || self.knowledge.is_in_doubt();
        if !needed || !self.knowledge.is_wanting() {
            return None;
        }
        self.roll(now);
        let minute = now.moment.minute();
        let (spans, ranges) =
            self.tallies.iter().filter_map(|(span, tally)| Some((span, tally.sums()?))).unzip();
        let minutes = self.tallies.iter().filter_map(|(_, tally)| tally.rule().needs_minutes(minute));
        let by_minute = minutes.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end));
        let ask = BalancesAsk { account: self.id, ranges, by_minute };
        Some(Inquiry { round: self.knowledge.ask(), spans, ask })
    }

    /// The answer to a question. It leads to another one when it tells of a reset that was not known here.
    /// `open` are the admission minutes and amounts of what is reserved. False when another question has been
    /// asked since.
    pub fn learn(
        &mut self,
        inquiry: &Inquiry,
        (found, includes): (&Balance, u64),
        open: &[(Minute, Pico)],
        now: Now<'_>,
    ) -> bool {
        if !self.knowledge.awaits(inquiry) {
            return false;
        }
        self.roll(now);
        for (span, raise) in &found.raises {
            self.raises[*span].get_or_insert(*raise);
        }
        let mut is_news = false;
        for (span, reset) in &found.resets {
            is_news |= self.tallies[*span].recall(*reset);
        }
        if is_news {
            self.knowledge.unanswered();
            return false;
        }
        for ((span, range), sum) in inquiry.spans.iter().zip(&inquiry.ask.ranges).zip(&found.sums) {
            self.tallies[*span].learn_sum(range, *sum, found.by_minute.last().copied());
        }
        let late = self.knowledge.complete(includes);
        // What ended since the question is neither under way nor in the answer, and was a use all the same.
        let uses = late.iter().map(|settled| (settled.minute, Pico::ZERO));
        let held: Vec<_> = open.iter().copied().chain(uses).collect();
        for (_, tally) in self.tallies.iter_mut().filter(|(_, tally)| tally.sums().is_none()) {
            tally.learn_minutes(&found.by_minute, &held, now.moment.minute());
        }
        for Settled { minute, cost, .. } in late {
            self.book(minute, cost);
        }
        true
    }

    /// Nobody answered.
    pub fn unanswered(&mut self, inquiry: &Inquiry) {
        if self.knowledge.awaits(inquiry) {
            self.knowledge.unanswered();
        }
    }

    /// A settlement may have been lost. What is known is good until it can be asked again.
    pub fn doubt(&mut self) {
        self.knowledge.doubt();
    }
}
