//! The rounds of one load at one target, taken together.
//!
//! Rounds are joined by their median, figure by figure: of three, one that something else on the machine
//! disturbed moves nothing.

use crate::{
    record::{Record, Spread},
    scenario::Scenario,
};

/// What the rounds of one load at one target gave, taken together.
pub(crate) struct Row<'a> {
    pub(crate) target: &'a str,
    pub(crate) requests_per_second: f64,
    pub(crate) events_per_second: f64,
    pub(crate) whole_us: Spread,
    pub(crate) first_event_us: Spread,
    pub(crate) delay_us: Spread,
    /// CPU seconds per 1,000 requests are the same number as CPU milliseconds per request.
    pub(crate) cpu_per_thousand: Option<f64>,
    pub(crate) cpu_us_per_event: Option<f64>,
    pub(crate) rss_mib: f64,
    pub(crate) peak_mib: f64,
    pub(crate) upstream_connections: u64,
    pub(crate) failed: u64,
}

/// One row per target, in the order in which they were measured.
pub(crate) fn rows<'a>(records: &'a [Record], scenario: &Scenario) -> Vec<Row<'a>> {
    let mut targets: Vec<&str> = Vec::new();
    for record in records.iter().filter(|record| record.scenario == scenario.name) {
        if !targets.contains(&record.target.as_str()) {
            targets.push(&record.target);
        }
    }
    targets.into_iter().map(|target| Row::of(records, scenario, target)).collect()
}

impl<'a> Row<'a> {
    fn of(records: &[Record], scenario: &Scenario, target: &'a str) -> Self {
        let rounds: Vec<&Record> = records
            .iter()
            .filter(|record| record.scenario == scenario.name && record.target == target)
            .collect();
        let figure =
            |read: &dyn Fn(&Record) -> f64| median(rounds.iter().map(|record| read(record)).collect());
        let spread = |read: &dyn Fn(&Record) -> Spread| Spread {
            p50: figure(&|record| read(record).p50),
            p90: figure(&|record| read(record).p90),
            p99: figure(&|record| read(record).p99),
        };
        let cpu_per = |count: fn(&Record) -> u64| {
            let shares: Option<Vec<f64>> = rounds
                .iter()
                .map(|record| Some(record.cpu_seconds? / count(record) as f64))
                .filter(|share| share.is_none_or(f64::is_finite))
                .collect();
            shares.filter(|shares| !shares.is_empty()).map(median)
        };
        Self {
            target,
            requests_per_second: figure(&|record| record.requests as f64 / record.seconds),
            events_per_second: figure(&|record| record.events as f64 / record.seconds),
            whole_us: spread(&|record| record.whole_us),
            first_event_us: spread(&|record| record.first_event_us),
            delay_us: spread(&|record| record.delay_us),
            cpu_per_thousand: cpu_per(|record| record.requests).map(|seconds| seconds * 1e3),
            cpu_us_per_event: cpu_per(|record| record.events).map(|seconds| seconds * 1e6),
            rss_mib: figure(&|record| record.rss_kib as f64 / 1024.0),
            peak_mib: figure(&|record| record.peak_kib as f64 / 1024.0),
            upstream_connections: rounds.iter().map(|record| record.upstream_connections).max().unwrap_or(0),
            failed: rounds.iter().map(|record| record.failed).sum(),
        }
    }

    /// CPU per unit of work of this scenario.
    pub(crate) fn cpu(&self, streams: bool) -> Option<f64> {
        if streams { self.cpu_us_per_event } else { self.cpu_per_thousand }
    }

    /// Work done per second in this scenario.
    pub(crate) fn rate(&self, streams: bool) -> f64 {
        if streams { self.events_per_second } else { self.requests_per_second }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        length if length % 2 == 1 => figures[length / 2],
        length => f64::midpoint(figures[length / 2 - 1], figures[length / 2]),
    }
}
