//! The goals of docs/performance.md, held against a run.

use std::fmt::Write as _;

use crate::{
    figures::{Row, rows},
    record::Record,
    report::{NGINX, RELAY},
    scenario::Scenario,
};

/// Targets whose name begins so are held against the goals.
const OURS: &str = "Pointsman";

/// One goal: a figure of ours, mostly beside the same figure of somebody else.
struct Goal {
    scenario: &'static str,
    what: &'static str,
    beside: &'static str,
    figure: fn(&Row<'_>, &Row<'_>) -> Option<f64>,
    bound: Bound,
}

/// Where a figure has to lie: for the first release, and in the end.
enum Bound {
    AtMost(f64, f64),
    AtLeast(f64, f64),
}

const GOALS: [Goal; 7] = [
    Goal {
        scenario: "plain-64",
        what: "CPU per request against nginx",
        beside: NGINX,
        figure: |own, nginx| Some(own.cpu_per_thousand? / nginx.cpu_per_thousand?),
        bound: Bound::AtMost(3.0, 1.8),
    },
    Goal {
        scenario: "plain-64",
        what: "throughput against the bare relay",
        beside: RELAY,
        figure: |own, relay| Some(own.requests_per_second / relay.requests_per_second),
        bound: Bound::AtLeast(0.6, 0.8),
    },
    Goal {
        scenario: "plain-1",
        what: "median latency over the bare relay, µs",
        beside: RELAY,
        figure: |own, relay| Some(own.whole_us.p50 - relay.whole_us.p50),
        bound: Bound::AtMost(60.0, 25.0),
    },
    Goal {
        scenario: "burst-32",
        what: "CPU per event against nginx",
        beside: NGINX,
        figure: |own, nginx| Some(own.cpu_us_per_event? / nginx.cpu_us_per_event?),
        bound: Bound::AtMost(1.25, 1.1),
    },
    Goal {
        scenario: "pace-50",
        what: "event delay p99 over the bare relay, µs",
        beside: RELAY,
        figure: |own, relay| Some(own.delay_us.p99 - relay.delay_us.p99),
        bound: Bound::AtMost(1_000.0, 300.0),
    },
    Goal {
        scenario: "big-8",
        what: "CPU per request against nginx",
        beside: NGINX,
        figure: |own, nginx| Some(own.cpu_per_thousand? / nginx.cpu_per_thousand?),
        bound: Bound::AtMost(3.0, 2.0),
    },
    Goal {
        scenario: "slow-1000",
        what: "peak memory, MiB",
        beside: RELAY,
        figure: |own, _| Some(own.peak_mib),
        bound: Bound::AtMost(80.0, 50.0),
    },
];

/// Writes how the gateway stands, if it was measured.
pub(crate) fn check(out: &mut String, records: &[Record]) {
    let mut lines = String::new();
    for goal in &GOALS {
        let Some(scenario) = Scenario::named(goal.scenario) else { continue };
        let rows = rows(records, scenario);
        let Some(beside) = rows.iter().find(|row| row.target == goal.beside) else { continue };
        for own in rows.iter().filter(|row| row.target.starts_with(OURS)) {
            let Some(figure) = (goal.figure)(own, beside) else { continue };
            let (first, last) = goal.bound.verdicts(figure);
            let (target, scenario, what) = (own.target, goal.scenario, goal.what);
            writeln!(lines, "| {target} | {scenario} | {what} | {figure:.2} | {first} | {last} |")
                .expect("a String takes it");
        }
    }
    if !lines.is_empty() {
        let head = "### Against the goals\n\n| target | load | figure | is | first goal | final goal |\n\
                    |---|---|---|---|---|---|\n";
        out.push_str(head);
        out.push_str(&lines);
        out.push('\n');
    }
}

impl Bound {
    fn verdicts(&self, figure: f64) -> (String, String) {
        let verdict = |sign: &str, bound: f64, met: bool| {
            format!("{sign} {bound} {}", if met { "met" } else { "**missed**" })
        };
        match *self {
            Self::AtMost(first, last) => {
                (verdict("≤", first, figure <= first), verdict("≤", last, figure <= last))
            }
            Self::AtLeast(first, last) => {
                (verdict("≥", first, figure >= first), verdict("≥", last, figure >= last))
            }
        }
    }
}
