//! Faults are off and every upstream is healthy: within bounded time all must be well again, without
//! anybody's help but callers who come back when they were told to (I-15).

use std::{rc::Rc, sync::Arc, time::Duration};

use super::{
    money::{GIVEN_BACK, Money},
    operator::{configure, only},
    world::{Held, World},
};
use crate::{
    Subject,
    dispatcher::messages::NoProvider,
    ledger::limits::{AccountId, Limits},
    provider::{card::Card, outcome::Outcome},
    supervisor::roster::Condition,
    testkit::{cards, time},
};

/// The longest pause anything may impose: a credential that was rejected again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// A provider refuses for at most three reasons, one after the other: rest, cool-down, breaker, probes.
const MOST_REFUSALS: u32 = 8;
/// Longer than a ledger stays awake for nobody.
const ASLEEP: Duration = Duration::from_secs(3_700);
/// Enough good answers to close any breaker.
const ANSWERS: u32 = 4;

/// Requires that each provider serves again, and that nothing is left over.
pub(super) async fn prove(world: &Rc<World>) {
    let all: Vec<_> = world.cards.borrow().iter().map(enabled).collect();
    for account in Money::of_callers() {
        world.money.borrow_mut().bound(account, &Limits::default());
    }
    configure(world, all.clone()).await;
    for card in &all {
        serves_again(world, card).await;
    }
    // Nobody visited the tracker, which may still have its rest.
    tokio::time::sleep(world.settings.leash.rest).await;
    time::quiet().await;
    world.look().await;
    everything_is_back(world).await;
    every_cost_is_counted(world).await;
}

/// However the ends of requests were lost, nothing is reserved any more, and what is settled is what is on
/// record, to the last digit; the same for ledgers that went to sleep meanwhile and are woken by the question.
async fn every_cost_is_counted(world: &World) {
    for pause in [GIVEN_BACK, ASLEEP] {
        tokio::time::sleep(pause).await;
        let unbound = Arc::<Limits>::default;
        let callers = Money::of_callers().filter_map(|account| match account {
            AccountId::User(user) => Some(Subject::User(user, unbound())),
            AccountId::Key(key) => Some(Subject::Key(Money::user_of(key), key, unbound())),
            AccountId::Provider(_) => None,
        });
        let providers: Vec<_> = world.cards.borrow().iter().map(|card| Subject::Provider(card.id)).collect();
        for subject in callers.chain(providers) {
            let verdict = match world.gateway.quota(subject.clone()).await {
                Ok(Some(view)) => world.money.borrow().look_at_the_end(&view),
                other => Err(format!("{subject:?} shows {other:?}")),
            };
            if let Err(promise) = verdict {
                world.broken(promise);
            }
        }
    }
}

fn enabled(card: &Arc<Card>) -> Arc<Card> {
    let mut card = Card::clone(card);
    card.version += 1;
    card.enabled = true;
    card.limits = Limits { concurrency: card.limits.concurrency, ..Limits::default() };
    Arc::new(card)
}

async fn serves_again(world: &Rc<World>, card: &Card) {
    let (mut refusals, mut answers) = (0, 0);
    while answers < ANSWERS && !world.is_broken() {
        let mut journey = world.gateway.journey(cards::ask(&only(card.id)));
        match journey.next().await {
            Ok(grant) => {
                let mut held = Held::take(world, &"the visitor", &journey, &[], grant);
                held.begin();
                held.close(Outcome::Answered, None);
                answers += 1;
            }
            Err(NoProvider::Unavailable { coming_back: Some(pause), .. })
                if refusals < MOST_REFUSALS && pause <= LONGEST_PAUSE =>
            {
                refusals += 1;
                world.note(format_args!("p{} is expected back in {pause:?}", card.id));
                tokio::time::sleep(even(pause)).await;
            }
            Err(why) => world.broken(format_args!("I-15: p{} does not serve again: {why:?}", card.id)),
        }
        drop(journey);
        // An odd millisecond belongs to the inspector.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn everything_is_back(world: &World) {
    let live = world.checks.borrow().live();
    if live != 0 {
        world.broken(format_args!("I-10: {live} grants are still live"));
    }
    for actor in world.gateway.actors().await {
        let detail = actor.detail.unwrap_or_default();
        if actor.state != Condition::Running {
            world.broken(format_args!("{} {} is {:?}", actor.kind, actor.name, actor.state));
        }
        if actor.kind == crate::dispatcher::PROVIDER
            && (detail["breaker"]["state"] != "closed" || detail["in_flight"] != 0)
        {
            world.broken(format_args!("I-15: {} ended as {detail}", actor.name));
        }
    }
}

/// The next even millisecond at or after that pause.
fn even(pause: Duration) -> Duration {
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX / 2);
    Duration::from_millis(millis.div_ceil(2) * 2)
}
