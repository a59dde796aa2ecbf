//! A caller's request, carried as the relay carries it; some callers leave on the way.

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use rand::{RngExt, rngs::SmallRng};

use super::{
    money::Money,
    world::{Held, Holding, Search, World},
};
use crate::{
    dispatcher::{
        journey::Journey,
        messages::{Ask, CallerLimits, NoProvider},
    },
    ids::{KeyId, ProviderId},
    ledger::{
        claim::{Denied, Estimate, Payers},
        limits::AccountId,
    },
    money::Pico,
    provider::outcome::Outcome,
    session::id::SessionId,
    testkit::{cards, leaving::Leaving, upstream::even_ms},
};

/// The model every simulated provider offers.
pub(super) const MODEL: &str = "common";
/// Finding a provider takes no longer than this, whatever rests.
const LONGEST_SEARCH: Duration = Duration::from_secs(5);

/// One caller with one request.
pub(super) struct Caller {
    number: u64,
    world: Rc<World>,
    random: SmallRng,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.number)
    }
}

/// How one attempt went, for the caller.
enum Attempt {
    /// Nothing reached the caller.
    Failed(Outcome),
    /// Something did, or nothing more can be done.
    Over,
}

impl Caller {
    pub(super) fn new(number: u64, world: Rc<World>, random: SmallRng) -> Self {
        Self { number, world, random }
    }

    /// The request's whole life.
    pub(super) async fn live(mut self) {
        let patience = if self.random.random_bool(0.3) { self.random.random_range(0..12) } else { u32::MAX };
        let (world, name) = (Rc::clone(&self.world), self.to_string());
        if Leaving::after(patience, self.request()).await.is_none() {
            world.mark("a caller left");
            world.note(format_args!("{name} left"));
        }
    }

    async fn request(mut self) {
        let ask = self.ask();
        let mut journey = self.world.gateway.journey(ask);
        let mut failed = Vec::new();
        let (key, estimate) = (journey.ask().key, journey.ask().estimate);
        let payers = Payers::Caller(Money::user_of(key), key);
        let (mut of_caller, mut of_provider) = (None, None);
        let now = self.world.now().at;
        self.world.checks.borrow_mut().request(now);
        loop {
            self.dawdle(5).await;
            let asked = self.world.now().at;
            drop(of_provider.take());
            let search = Search::begin(&self.world);
            let found = journey.next().await;
            search.end();
            let searched = self.world.now().at.duration_since(asked);
            if searched > LONGEST_SEARCH {
                self.world.broken(format_args!("{self} looked for a provider for {searched:?}"));
            }
            let grant = match found {
                Ok(grant) => grant,
                Err(why) => return self.refused(why),
            };
            let held = Held::take(&self.world, &self, &journey, &failed, grant);
            let provider = held.provider;
            let amount = Money::holds(&estimate);
            of_caller.get_or_insert_with(|| Holding::take(&self.world, payers, amount));
            of_provider = Some(Holding::take(&self.world, Payers::Provider(provider), amount));
            if !failed.is_empty() {
                self.world.mark("a failover found another");
            }
            match self.attempt(held).await {
                Attempt::Failed(outcome) if journey.ended(provider, outcome, None) => failed.push(provider),
                Attempt::Failed(_) | Attempt::Over => return self.settle(&mut journey, provider, amount),
            }
        }
    }

    /// Writes down what it cost, and settles it; now and then it cost nothing.
    fn settle(&mut self, journey: &mut Journey, provider: ProviderId, most: Pico) {
        let cost = Pico(self.random.random_range(0..=most.0));
        let Some(minute) = journey.minute().filter(|_| cost > Pico::ZERO) else { return };
        let key = journey.ask().key;
        let payers = [Payers::Caller(Money::user_of(key), key), Payers::Provider(provider)];
        let accounts: Vec<_> = payers.into_iter().flat_map(Payers::accounts).collect();
        let number = self.world.records.record(&accounts, minute, cost);
        self.world.note(format_args!("{self} cost {cost}, record {number}"));
        journey.settle(cost, Some((10, 10)), number);
    }

    async fn attempt(&mut self, mut held: Held) -> Attempt {
        self.dawdle(10).await;
        let limits = held.grant().map(|grant| grant.card().timeouts).unwrap_or_default();
        let exchange = self.world.upstream.send(held.provider, &mut self.random);
        self.upstream_counts_no_more_than_the_grants(held.provider);
        if let Err(refusal) = exchange.first_frame(limits).await {
            drop(exchange);
            self.dawdle(10).await;
            held.close(refusal.outcome, refusal.cool_down);
            return Attempt::Failed(refusal.outcome);
        }
        held.begin();
        let outcome = exchange.rest().await;
        self.dawdle(10).await;
        held.close(outcome, None);
        Attempt::Over
    }

    /// What is open over there must be covered by grants here (I-12).
    fn upstream_counts_no_more_than_the_grants(&self, provider: ProviderId) {
        let open = self.world.upstream.open(provider);
        let live = self.world.checks.borrow_mut().watch(provider).live;
        if open > live {
            self.world.broken(format_args!("I-12: p{provider} counts {open} open, {live} were granted"));
        }
    }

    fn ask(&mut self) -> Ask {
        let key = KeyId(self.random.random_range(1..4));
        let user = Money::user_of(key);
        let worst = Pico(self.random.random_range(1..10));
        let estimate = Estimate { input: worst, worst_input: worst, input_tokens: 10, ..Estimate::default() };
        let limits = {
            let limits = self.world.limits.borrow();
            let of = |account| limits.get(&account).map(Arc::clone).unwrap_or_default();
            CallerLimits { user: of(AccountId::User(user)), key: of(AccountId::Key(key)) }
        };
        let mut ask = Ask { key, user, estimate, limits, ..cards::ask(MODEL) };
        if self.random.random_bool(0.6) {
            let conversation = self.random.random_range(0..6).to_string();
            ask.session = Some(SessionId::new(key, ask.format, MODEL, &conversation));
            ask.session_is_marked = self.random.random_bool(0.5);
        }
        self.world.note(format_args!("{self} asks, key {key}, session {:?}", ask.session.map(|s| s.short())));
        ask
    }

    fn refused(&self, why: NoProvider) {
        self.world.note(format_args!("{self} refused: {why}"));
        self.world.mark(match why {
            NoProvider::Unavailable { limited: true, .. } => "all were at their limits",
            NoProvider::Unavailable { limited: false, .. } => "none was available",
            NoProvider::Denied(Denied::OverLimit(_)) => "a limit was reached",
            NoProvider::Denied(Denied::CannotVerify(_)) => "nobody could say what was used",
            NoProvider::AllFailed => "all had failed",
            NoProvider::BudgetSpent => "the retry budget was spent",
            NoProvider::AttemptsSpent => "the attempts were spent",
            NoProvider::Overloaded => "the dispatcher lost the question",
            NoProvider::DeadlineOver => "the deadline was over",
            NoProvider::NotOffered => "none was enabled",
            NoProvider::NotAllowed | NoProvider::ClientNotAllowed | NoProvider::HomeUnavailable { .. } => {
                "refused for no reason here"
            }
        });
    }

    /// Messages take their time: a few turns of the scheduler, and once in `rarely` a while.
    async fn dawdle(&mut self, rarely: u32) {
        for _ in 0..self.random.random_range(0..3) {
            tokio::task::yield_now().await;
        }
        if self.random.random_ratio(1, rarely) {
            tokio::time::sleep(even_ms(&mut self.random, 2..300)).await;
        }
    }
}
