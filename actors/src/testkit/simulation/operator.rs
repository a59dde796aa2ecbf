//! The operator at work, and bad luck: providers come and go, breakers are set, actors panic.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::SmallRng};

use super::{
    caller::MODEL,
    money::Money,
    watch::{GOOD_PROBES, THRESHOLD},
    world::World,
};
use crate::{
    Subject,
    ids::ProviderId,
    ledger::limits::{AccountId, Limits, Span},
    money::Pico,
    provider::{
        card::{BreakerSettings, Card, Timeouts},
        messages::SetBreaker,
    },
    testkit::{cards, fault, records::Manner, upstream::even_ms},
};

/// Longer than the time of troubles.
const MOODS_FOR: Duration = Duration::from_secs(1_200);
const MOST_PROVIDERS: usize = 5;

/// One operator.
pub(super) struct Operator {
    world: Rc<World>,
    random: SmallRng,
    cards: Vec<Arc<Card>>,
    last_id: i64,
    names: u32,
    dispatcher_fuse: Option<Instant>,
}

impl Operator {
    pub(super) fn new(world: Rc<World>, random: SmallRng) -> Self {
        Self { world, random, cards: Vec::new(), last_id: 0, names: 0, dispatcher_fuse: None }
    }

    /// The first configuration.
    pub(super) async fn open_shop(&mut self) {
        for _ in 0..self.random.random_range(2..=4) {
            self.add();
        }
        self.configure().await;
    }

    /// Does one thing after another, for ever.
    pub(super) async fn work(mut self) {
        loop {
            tokio::time::sleep(even_ms(&mut self.random, 200..6_000)).await;
            match self.random.random_range(0..20) {
                0 => self.set_breaker(SetBreaker::Open).await,
                1 => self.set_breaker(SetBreaker::Closed).await,
                2..5 => self.change_one().await,
                5 => self.swap_names().await,
                6 => self.come_or_go().await,
                7..9 => self.unbind().await,
                9..14 => self.bad_luck(),
                14 => self.away_or_back(),
                15..19 => self.limits().await,
                _ => {}
            }
        }
    }

    /// Another limit for some user or key; now and then a reset.
    async fn limits(&mut self) {
        let nth = self.random.random_range(0..5);
        let Some(account) = Money::of_callers().nth(nth) else { return };
        let mut limits =
            Limits { concurrency: self.random.random_bool(0.2).then_some(2), ..Limits::default() };
        for span in Span::ALL {
            let most = [30, 100, 300, 1_000][self.random.random_range(0..4)];
            limits.usd[span] = self.random.random_bool(0.7).then_some(Pico(most));
        }
        self.world.note(format_args!("operator binds {account}: {limits:?}"));
        self.world.money.borrow_mut().bound(account, &limits);
        let limits = Arc::new(limits);
        self.world.limits.borrow_mut().insert(account, Arc::clone(&limits));
        let subject = match account {
            AccountId::User(user) => Subject::User(user, limits),
            AccountId::Key(key) => Subject::Key(Money::user_of(key), key, limits),
            AccountId::Provider(provider) => Subject::Provider(provider),
        };
        if self.random.random_bool(0.2)
            && let Ok(Some(forgiven)) = self.world.gateway.reset(subject, Span::Day).await
        {
            self.world.records.record_reset(account, Span::Day, forgiven);
            self.world.note(format_args!("operator resets {account}: {forgiven:?}"));
            self.world.mark("a window was reset");
        }
    }

    /// Whoever keeps the records is slow, away, or well again.
    fn away_or_back(&mut self) {
        let manner = match self.random.random_range(0..4) {
            0 => Manner::Away,
            1 => Manner::Late(even_ms(&mut self.random, 2..4_000)),
            _ => Manner::Prompt,
        };
        self.world.note(format_args!("records: {manner:?}"));
        self.world.records.answer(manner);
    }

    fn some(&mut self) -> usize {
        self.random.random_range(0..self.cards.len())
    }

    async fn set_breaker(&mut self, wish: SetBreaker) {
        let nth = self.some();
        let id = self.cards[nth].id;
        self.world.checks.borrow_mut().watch(id).disturbed = true;
        let answer = self.world.gateway.set_breaker(id, wish).await;
        // Other inhabitants may have had a turn, even a quiet moment, while the answer was on its way.
        self.world.checks.borrow_mut().watch(id).disturbed = true;
        self.world.note(format_args!("operator sets p{id} {wish:?}: {answer:?}"));
    }

    async fn change_one(&mut self) {
        let nth = self.some();
        let (limit, weight, priority) =
            (self.random.random_range(0..4), self.random.random_range(0..4), self.random.random_range(0..2));
        let turn = self.random.random_bool(0.3);
        self.change(nth, |card| {
            card.limits.concurrency = (limit > 0).then_some(limit);
            card.weight = weight;
            card.priority = priority;
            card.enabled ^= turn;
        });
        self.configure().await;
    }

    /// Two providers trade names: the roster must not lose one over it.
    async fn swap_names(&mut self) {
        let (one, other) = (self.some(), self.some());
        let names = [self.cards[one].name.clone(), self.cards[other].name.clone()];
        self.change(one, |card| card.name = names[1].clone());
        self.change(other, |card| card.name = names[0].clone());
        self.configure().await;
    }

    async fn come_or_go(&mut self) {
        if self.cards.len() < 2 || (self.cards.len() < MOST_PROVIDERS && self.random.random_bool(0.5)) {
            self.add();
        } else {
            let nth = self.some();
            self.cards.remove(nth);
        }
        self.configure().await;
    }

    async fn unbind(&mut self) {
        let nth = self.random.random_range(0..1_000);
        let Some(session) = self.world.checks.borrow().some_session(nth) else { return };
        self.world.checks.borrow_mut().homes.untie(session);
        let answer = self.world.gateway.unbind(session).await;
        self.world.checks.borrow_mut().homes.untie(session);
        self.world.note(format_args!("operator unbinds {}: {answer:?}", session.short()));
    }

    /// Lights the fuse of one fault point.
    fn bad_luck(&mut self) {
        let nth = self.some();
        let (id, name) = (self.cards[nth].id, self.cards[nth].name.clone());
        let times = self.random.random_range(1..6);
        let user = format!("user/{}", self.random.random_range(1..3));
        let (point, actor, times) = match self.random.random_range(0..12) {
            0..3 => (fault::ADMIT, name, times),
            3..6 => (fault::REPORT, name, times),
            8 => (fault::RESERVE, user, times),
            9 => (fault::SETTLE, user, times),
            10 => (fault::VOID, user, times),
            11 => (fault::LEARNED, user, times),
            // Seldom enough that the dispatcher never has to rest: the whole house would.
            6 if self.dispatcher_is_calm() => (fault::PICK, "dispatcher".to_owned(), 2),
            _ => (fault::RESOLVE, "tracker".to_owned(), times),
        };
        match point {
            fault::ADMIT => self.world.checks.borrow_mut().watch(id).fused = true,
            fault::RESOLVE => self.world.checks.borrow_mut().homes.shake(),
            _ => {}
        }
        fault::arm(point, &actor, times);
        self.world.mark("a fuse was lit");
        self.world.note(format_args!("bad luck: {point} of {actor}, {times} times"));
    }

    fn dispatcher_is_calm(&mut self) -> bool {
        let now = self.world.now().at;
        let calm = self.dispatcher_fuse.is_none_or(|lit| now.duration_since(lit) > Duration::from_secs(60));
        if calm {
            self.dispatcher_fuse = Some(now);
        }
        calm && fault::left(fault::PICK, "dispatcher") == 0
    }

    fn add(&mut self) {
        self.last_id += 1;
        self.names += 1;
        let (id, name) = (self.last_id, format!("name {}", self.names));
        let open_ms = [4_000, 10_000, 20_000][self.random.random_range(0..3)];
        let concurrency = self.random.random_bool(0.5).then_some(3);
        let usd_5h = self.random.random_bool(0.3).then_some(Pico(300));
        let card = cards::with(id, |card| {
            card.name = name;
            card.allowed_models = vec![MODEL.to_owned(), only(ProviderId(id))];
            card.limits = Limits { concurrency, ..Limits::default() };
            card.limits.usd[Span::FiveHours] = usd_5h;
            card.breaker =
                BreakerSettings { failure_threshold: THRESHOLD, open_ms, half_open_successes: GOOD_PROBES };
            card.timeouts = Timeouts { connect_ms: 2_000, first_byte_ms: 10_000, ..Timeouts::default() };
        });
        self.world.upstream.script(card.id, MOODS_FOR, &mut self.random);
        self.cards.push(card);
    }

    fn change(&mut self, nth: usize, change: impl FnOnce(&mut Card)) {
        let mut card = Card::clone(&self.cards[nth]);
        card.version += 1;
        change(&mut card);
        self.cards[nth] = Arc::new(card);
    }

    async fn configure(&mut self) {
        configure(&self.world, self.cards.clone()).await;
    }
}

/// The model that only this provider offers.
pub(super) fn only(provider: ProviderId) -> String {
    format!("only {provider}")
}

/// Hands the house its providers.
pub(super) async fn configure(world: &World, cards: Vec<Arc<Card>>) {
    let names: BTreeMap<_, _> = cards.iter().map(|card| (card.id, card.name.clone())).collect();
    world.note(format_args!("operator configures {names:?}"));
    world.checks.borrow_mut().configured(names.clone());
    if world.gateway.configure(cards.clone()).await.is_err() {
        world.broken("the dispatcher took no configuration");
    }
    world.checks.borrow_mut().configured(names);
    *world.cards.borrow_mut() = cards;
}
