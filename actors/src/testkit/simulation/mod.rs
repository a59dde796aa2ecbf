//! A whole house of real actors in one thread, and everything around it drawn from one seed.
//!
//! ```text
//! faults on: moods, panics, operators, leaving callers --> faults off --> callers follow our hints
//!            safety: checked whenever all is quiet                        liveness: all is well again
//! ```
//!
//! The same seed tells the same story: each step is a line of the trace, and the trace has a digest.
//! Nothing here shares code with what it checks; what the house *should* do is written down once more in
//! [`watch`] and [`checks`], from the upstream's and the callers' side.

mod caller;
mod checks;
mod homes;
mod liveness;
mod money;
mod operator;
mod seen;
mod watch;
mod world;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::Arbiter;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::{caller::Caller, operator::Operator, world::World};
use super::{fault, records::Manner, records::Records, time, upstream::even_ms};
use crate::{Gateway, Settings, clock::Clock, ledger::queue::Waiting, supervisor::Leash};

/// Callers that set out while faults are on.
const CALLERS: u64 = 120;
/// However a request fares, it is over by then.
const LONGEST_REQUEST: Duration = Duration::from_secs(300);

/// What one seed led to.
#[derive(Debug)]
pub struct Story {
    /// Which seed.
    pub seed: u64,
    /// Equal for equal stories.
    pub digest: u64,
    /// Steps of the story.
    pub steps: u64,
    /// How long it took, by its own clock.
    pub simulated: Duration,
    /// How often each rare situation came up.
    pub marks: BTreeMap<&'static str, u64>,
    /// The first promise that was broken.
    pub broken: Option<String>,
    /// The last steps.
    pub tail: Vec<String>,
}

/// How the simulated house is set.
#[must_use]
pub fn settings(seed: u64) -> Settings {
    Settings {
        session_ttl: Duration::from_secs(60),
        max_attempts: 3,
        request_deadline: Duration::from_secs(120),
        leash: Leash { panics: 3, window: Duration::from_secs(10), rest: Duration::from_secs(10) },
        seed,
        longest_request: money::LONGEST,
        waiting: Waiting { most: 3, longest: Duration::from_secs(1) },
        ..Settings::default()
    }
}

/// Tells the story of one seed. Fault points are named for the whole process: one story at a time.
#[must_use]
pub fn run(seed: u64) -> Story {
    fault::hush();
    fault::disarm_all();
    time::simulated(async move {
        let clock = time::clock();
        let settings = settings(seed);
        let records = Arc::new(Records::default());
        let settings = Settings { balances: Arc::<Records>::clone(&records), ..settings };
        let gateway = Gateway::start(&Arbiter::current(), clock, settings.clone());
        let world = World::new(gateway, settings, records);
        let mut random = SmallRng::seed_from_u64(seed);
        let inspector = actix::spawn(Rc::clone(&world).inspect());
        faults_on(&world, &mut random).await;
        fault::disarm_all();
        world.records.answer(Manner::Prompt);
        world.upstream.heal();
        world.note("faults off");
        liveness::prove(&world).await;
        inspector.abort();
        world.story(seed, clock)
    })
}

/// The time of troubles: callers arrive, alone and in crowds, while an operator and bad luck are at work.
async fn faults_on(world: &Rc<World>, random: &mut SmallRng) {
    let mut operator = Operator::new(Rc::clone(world), SmallRng::from_rng(random));
    operator.open_shop().await;
    let operator = actix::spawn(operator.work());
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let pause = match random.random_range(0..3) {
            0 => Duration::ZERO,
            1 => even_ms(random, 0..500),
            _ => even_ms(random, 0..8_000),
        };
        tokio::time::sleep(pause).await;
        let caller = Caller::new(number, Rc::clone(world), SmallRng::from_rng(random));
        callers.push(actix::spawn(caller.live()));
    }
    let all = futures_util::future::join_all(callers);
    match tokio::time::timeout(LONGEST_REQUEST, all).await {
        Ok(ends) if ends.iter().any(Result::is_err) => world.broken("a caller panicked"),
        Ok(_) => {}
        Err(_) => world.broken("a request waits for ever"),
    }
    operator.abort();
    if operator.await.is_err_and(|end| end.is_panic()) {
        world.broken("the operator panicked");
    }
}

/// The wall clock's reading, on which snapshots tell their times.
fn wall(clock: Clock) -> chrono::DateTime<chrono::Utc> {
    clock.wall(clock.now())
}

/// How long it has been since.
fn since(clock: Clock, start: Instant) -> Duration {
    clock.now().duration_since(start)
}
