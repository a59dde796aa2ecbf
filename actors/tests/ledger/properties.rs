//! Random lives of three accounts, step by step against the second reckoning.

use std::sync::atomic::Ordering;

use actors::{
    ledger::{
        claim::{Estimate, Running},
        limits::{AccountId, Day, FiveHours, Limits, Span},
    },
    money::Pico,
};
use chrono::NaiveTime;
use proptest::prelude::*;

use crate::world::{KEYS, USER, World};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Reserve { key: usize, estimate: Estimate },
    Adjust { nth: usize, running: Running },
    Record { nth: usize, cost: Pico },
    Tell { nth: usize },
    Settle { nth: usize, cost: Pico },
    Void { nth: usize },
    Expire,
    Wait { seconds: u64 },
    Configure { who: usize, limits: Limits },
    Reset { who: usize, span: Span },
    Ask,
    Answer,
    Away,
    Renew,
    Doubt,
}

fn estimate() -> impl Strategy<Value = Estimate> {
    let most = prop_oneof![Just(None), (0u64..40).prop_map(Some)];
    (0i128..60, 0i128..3, most, 0i128..40, 1u64..50).prop_map(
        |(input, price, max_output, more, worst_output)| Estimate {
            input: Pico(input),
            input_tokens: 10,
            per_output_token: Pico(price),
            max_output,
            worst_input: Pico(input + more),
            worst_output: max_output.map_or(worst_output, |most| worst_output.min(most)),
        },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    let usd = proptest::collection::vec(
        prop_oneof![2 => Just(None), 3 => (0i128..300).prop_map(|n| Some(Pico(n)))],
        5,
    );
    let five_hours = prop_oneof![Just(None), Just(Some(FiveHours::Fixed))];
    let noon = NaiveTime::from_hms_opt(12, 30, 0).expect("a time of day");
    let day = prop_oneof![Just(None), Just(Some(Day::Rolling)), Just(Some(Day::Fixed(noon)))];
    let concurrency = prop_oneof![3 => Just(None), 1 => (0u32..4).prop_map(Some)];
    (usd, five_hours, day, concurrency, any::<(Option<bool>, Option<bool>)>()).prop_map(
        |(usd, five_hours, day, concurrency, (strict, hard_stop))| {
            let mut limits = Limits { five_hours, day, concurrency, strict, hard_stop, ..Limits::default() };
            for (span, usd) in Span::ALL.into_iter().zip(usd) {
                limits.usd[span] = usd;
            }
            limits
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0usize..40;
    let cost = (0i128..120).prop_map(Pico);
    let running = (proptest::option::of((0i128..60).prop_map(Pico)), 0u64..60)
        .prop_map(|(input, output_tokens)| Running { input, output_tokens });
    let seconds = prop_oneof![
        Just(1),
        Just(31),
        Just(61),
        Just(600),
        Just(3_700),
        Just(18_000),
        Just(86_400),
        Just(800_000)
    ];
    prop_oneof![
        10 => (0..2usize, estimate()).prop_map(|(key, estimate)| Step::Reserve { key, estimate }),
        3 => (nth.clone(), running).prop_map(|(nth, running)| Step::Adjust { nth, running }),
        2 => (nth.clone(), cost.clone()).prop_map(|(nth, cost)| Step::Record { nth, cost }),
        3 => nth.clone().prop_map(|nth| Step::Tell { nth }),
        4 => (nth.clone(), cost).prop_map(|(nth, cost)| Step::Settle { nth, cost }),
        2 => nth.prop_map(|nth| Step::Void { nth }),
        1 => Just(Step::Expire),
        5 => seconds.prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..3usize, limits()).prop_map(|(who, limits)| Step::Configure { who, limits }),
        1 => (0..3usize, 0..5usize).prop_map(|(who, span)| Step::Reset { who, span: Span::ALL[span] }),
        2 => Just(Step::Ask),
        2 => Just(Step::Answer),
        1 => Just(Step::Away),
        1 => Just(Step::Renew),
        1 => Just(Step::Doubt),
    ]
}

fn account(who: usize) -> AccountId {
    [USER, KEYS[0], KEYS[1]][who]
}

fn take(world: &mut World, step: &Step) {
    // Counted from the latest: the early ones have long ended.
    let nth = |nth: usize| world.given.len().checked_sub(nth % world.given.len().max(1) + 1);
    match *step {
        Step::Reserve { key, estimate } => {
            // A refusal is held against the second reckoning where it is made.
            let _ = world.reserve(key, estimate);
        }
        Step::Adjust { nth: n, running } => nth(n).into_iter().for_each(|n| world.adjust(n, running)),
        Step::Record { nth: n, cost } => nth(n).into_iter().for_each(|n| world.record(n, cost)),
        Step::Tell { nth: n } => nth(n).into_iter().for_each(|n| world.tell(n)),
        Step::Settle { nth: n, cost } => nth(n).into_iter().for_each(|n| {
            world.record(n, cost);
            world.tell(n);
        }),
        Step::Void { nth: n } => nth(n).into_iter().for_each(|n| world.void(n)),
        Step::Expire => world.expire(),
        Step::Wait { seconds } => world.wait(seconds),
        Step::Configure { who, limits } => world.configure(account(who), limits),
        Step::Reset { who, span } => world.reset(account(who), span),
        Step::Ask => world.ask(),
        Step::Answer => world.answer(),
        Step::Away => world.away(),
        Step::Renew => world.book.renew(world.now),
        Step::Doubt => world.book.doubt(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// I-01, I-03, I-04, I-05, I-09 and I-10 are checked at every step.
    #[test]
    fn i01_to_i05_whatever_happens_both_reckonings_agree(
        limits in limits(), steps in proptest::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new(limits);
        world.know_all();
        for step in &steps {
            take(&mut world, step);
            world.agrees();
        }
        // After quiet nothing is reserved, and whoever wakes now finds the same sums.
        for nth in 0..world.given.len() {
            world.void(nth);
        }
        prop_assert_eq!(world.book.open(), 0, "I-05");
        world.know_all();
        world.agrees();
        world.book.renew(world.now);
        world.know_all();
        world.agrees();
    }

    /// What is posted passes a limit by no more than what requests cost beyond the least that was held for
    /// them while they ran; nothing when the worst case is held.
    #[test]
    fn i02_overshoot_is_bounded_by_what_requests_cost_beyond_what_was_held(
        strict: bool,
        limit in 50i128..400,
        steps in proptest::collection::vec((estimate(), proptest::option::of((0i128..60, 0u64..60)), 0i128..200, 0..3usize), 1..60)
    ) {
        let mut limits = Limits { strict: Some(strict), ..Limits::default() };
        limits.usd[Span::Total] = Some(Pico(limit));
        let mut world = World::new(limits);
        world.know_all();
        // What each request can cost at most, as its estimate and the exact count of its input say.
        let mut worst = Vec::new();
        let mut beyond = Pico::ZERO;
        for (estimate, running, cost, ends) in steps {
            if let Ok(nth) = world.reserve(0, estimate) {
                let mut input = estimate.worst_input;
                if let Some((exact, output_tokens)) = running {
                    // The exact input is never more than its worst.
                    input = input.min(Pico(exact));
                    let output_tokens = output_tokens.min(estimate.worst_output);
                    world.adjust(nth, Running { input: Some(input), output_tokens });
                }
                worst.push(input + estimate.per_output_token.times(estimate.worst_output));
            }
            for _ in 0..ends {
                let Some(nth) = (0..world.given.len()).find(|nth| world.given[*nth].permits[0].is_some()) else { break };
                let cost = if strict { Pico(cost).min(worst[nth]) } else { Pico(cost) };
                world.record(nth, cost);
                world.tell(nth);
                if !strict {
                    beyond += (cost - world.given[nth].least[0]).or_nothing();
                }
                let (posted, _) = world.model.sums(USER, Span::Total, world.now.wall);
                prop_assert!(posted <= Pico(limit) + beyond, "I-02: {posted} of {limit}, {beyond} beyond");
            }
            world.agrees();
        }
    }

    /// A stream that has used all that was left is told to end, and no sooner.
    #[test]
    fn i02_a_hard_stop_comes_exactly_when_nothing_is_left(
        limit in 20i128..200, others in 0i128..100, tokens in proptest::collection::vec(1u64..40, 1..10)
    ) {
        let mut limits = Limits { hard_stop: Some(true), ..Limits::default() };
        limits.usd[Span::Day] = Some(Pico(limit));
        let mut world = World::new(limits);
        world.know_all();
        let estimate = |input| Estimate { input: Pico(input), per_output_token: Pico(1), max_output: Some(1), worst_output: 1, ..Estimate::default() };
        if others > 0 && world.reserve(0, Estimate { per_output_token: Pico(0), ..estimate(others) }).is_err() {
            return Ok(());
        }
        let Ok(nth) = world.reserve(1, estimate(5)) else { return Ok(()) };
        let mut output_tokens = 0;
        for more in tokens {
            output_tokens += more;
            world.adjust(nth, Running { input: None, output_tokens });
            let left = limit - others - 5;
            let used_all = i128::from(output_tokens) > left;
            prop_assert_eq!(world.given[nth].must_stop.load(Ordering::Acquire), used_all);
            if used_all {
                break;
            }
        }
    }
}
