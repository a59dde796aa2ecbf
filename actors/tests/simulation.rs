//! Many seeded stories of a house in trouble; each must keep every promise and must be tellable again.
//!
//! `SIM_SEEDS=n` tells n stories, `SIM_SEED=x` tells that one and shows how it ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ops::Range,
    time::{Duration, Instant},
};

use actors::testkit::simulation::{self, Story};

/// Situations that are rare but must come up, or the stories prove less than they seem to.
const MUST_COME_UP: [&str; 16] = [
    "a caller left",
    "a fuse was lit",
    "a failover found another",
    "a grant was dropped unclosed",
    "a limit was reached",
    "a probe was cancelled",
    "a probe was sent",
    "a window was reset",
    "all had failed",
    "all were at their limits",
    "an actor rested",
    "nobody could say what was used",
    "none was available",
    "the attempts were spent",
    "the dispatcher lost the question",
    "the retry budget was spent",
];

#[test]
fn i01_i04_i05_i10_i12_i14_i15_i16_i17_i21_i22_i34_i49_every_seed_keeps_every_promise_and_tells_one_story() {
    let (seeds, all) = seeds();
    let started = Instant::now();
    let (mut simulated, mut steps) = (Duration::ZERO, 0);
    let mut marks = BTreeMap::<&str, u64>::new();
    let mut digests = BTreeSet::new();
    for seed in seeds.clone() {
        let story = simulation::run(seed);
        assert!(story.broken.is_none(), "{}", told(&story));
        let again = simulation::run(seed);
        assert_eq!(story.digest, again.digest, "told again, it differs\n{}\n{}", told(&story), told(&again));
        simulated += story.simulated + again.simulated;
        steps += story.steps + again.steps;
        digests.insert(story.digest);
        story.marks.iter().for_each(|(what, times)| *marks.entry(what).or_default() += times);
        if !all {
            println!("{}", told(&story));
        }
    }
    let count = seeds.end - seeds.start;
    println!(
        "{count} seeds, each twice, in {:.1} s: {:.0} simulated hours, {steps} steps; {marks:#?}",
        started.elapsed().as_secs_f64(),
        simulated.as_secs_f64() / 3_600.0,
    );
    assert_eq!(digests.len() as u64, count, "two seeds told the same story");
    if all {
        let missed: Vec<_> = MUST_COME_UP.iter().filter(|what| !marks.contains_key(*what)).collect();
        assert!(missed.is_empty(), "never came up: {missed:?}");
    }
}

/// Which seeds, and whether they are so many that every rare situation must come up.
fn seeds() -> (Range<u64>, bool) {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("SIM_SEED") {
        Some(seed) => (seed..seed + 1, false),
        None => (0..number("SIM_SEEDS").unwrap_or(500), true),
    }
}

fn told(story: &Story) -> String {
    let Story { seed, digest, simulated, tail, .. } = story;
    let end = story.broken.as_deref().unwrap_or("all promises kept");
    format!("seed {seed} ({digest:016x}, {simulated:?}): {end}\n  {}", tail.join("\n  "))
}
