//! The records of a run as Markdown tables.
//!
//! Rounds of one target are joined by their median, figure by figure: a round that something else on the
//! machine disturbed then moves nothing. Ratios are against nginx and the bare relay *of the same run*.

use std::fmt::Write as _;

use crate::{
    record::{Record, Spread},
    scenario::{self, Scenario},
};

/// The targets that ratios are taken against.
const NGINX: &str = "nginx";
const RELAY: &str = "bare relay";

/// What the rounds of one load at one target gave, taken together.
struct Row<'a> {
    target: &'a str,
    requests_per_second: f64,
    events_per_second: f64,
    whole_us: Spread,
    first_event_us: Spread,
    delay_us: Spread,
    /// CPU seconds per 1,000 requests are the same number as CPU milliseconds per request.
    cpu_per_thousand: Option<f64>,
    cpu_us_per_event: Option<f64>,
    rss_mib: f64,
    peak_mib: f64,
    upstream_connections: u64,
    failed: u64,
}

/// Writes every scenario that was run.
pub(crate) fn markdown(records: &[Record]) -> String {
    let mut out = String::new();
    for scenario in &scenario::ALL {
        let rows = rows(records, scenario);
        if !rows.is_empty() {
            section(&mut out, scenario, &rows);
        }
    }
    failures(&mut out, records);
    out
}

fn rows<'a>(records: &'a [Record], scenario: &Scenario) -> Vec<Row<'a>> {
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
    fn cpu(&self, streams: bool) -> Option<f64> {
        if streams { self.cpu_us_per_event } else { self.cpu_per_thousand }
    }

    fn rate(&self, streams: bool) -> f64 {
        if streams { self.events_per_second } else { self.requests_per_second }
    }
}

fn section(out: &mut String, scenario: &Scenario, rows: &[Row<'_>]) {
    let streams = scenario.streams();
    let head = if streams {
        "| target | events/s | streams/s | first event p50 · p99 | event delay p50 · p90 · p99 | CPU µs per event \
         | CPU × nginx | CPU × relay | events/s × relay | RSS · peak MiB | new upstream conns | failed |"
    } else {
        "| target | req/s | p50 | p90 | p99 | CPU s per 1,000 req | CPU × nginx | CPU × relay | req/s × relay \
         | p50 − relay | RSS · peak MiB | new upstream conns | failed |"
    };
    let columns = head.matches('|').count() - 1;
    let rule = "|---".repeat(columns);
    writeln!(out, "### {}\n\n{head}\n{rule}|", scenario.title).expect("a String takes it");
    let find = |name: &str| rows.iter().find(|row| row.target == name);
    let (nginx, relay) = (find(NGINX), find(RELAY));
    for row in rows {
        let cells = if streams { stream_cells(row) } else { plain_cells(row) };
        let ratio = |base: Option<&Row<'_>>| match (row.cpu(streams), base.and_then(|base| base.cpu(streams)))
        {
            (Some(own), Some(base)) if base > 0.0 => format!("{:.2}", own / base),
            _ => "–".to_owned(),
        };
        let rate = relay.map_or("–".to_owned(), |relay| {
            format!("{:.2}", row.rate(streams) / relay.rate(streams).max(f64::MIN_POSITIVE))
        });
        let mut ratios = vec![ratio(nginx), ratio(relay), rate];
        if !streams {
            let added = relay.map(|relay| row.whole_us.p50 - relay.whole_us.p50);
            ratios.push(added.map_or("–".to_owned(), |added| format!("{added:+.0} µs")));
        }
        let memory = match row.peak_mib {
            0.0 => "–".to_owned(),
            peak => format!("{:.0} · {peak:.0}", row.rss_mib),
        };
        let tail = [memory, row.upstream_connections.to_string(), row.failed.to_string()];
        let line = cells.into_iter().chain(ratios).chain(tail).collect::<Vec<_>>().join(" | ");
        writeln!(out, "| {} | {line} |", row.target).expect("a String takes it");
    }
    out.push('\n');
}

fn plain_cells(row: &Row<'_>) -> Vec<String> {
    vec![
        thousands(row.requests_per_second),
        time(row.whole_us.p50),
        time(row.whole_us.p90),
        time(row.whole_us.p99),
        row.cpu_per_thousand.map_or("–".to_owned(), |cpu| format!("{cpu:.4}")),
    ]
}

fn stream_cells(row: &Row<'_>) -> Vec<String> {
    let first = match row.first_event_us.p50 {
        0.0 => "–".to_owned(),
        p50 => format!("{} · {}", time(p50), time(row.first_event_us.p99)),
    };
    vec![
        thousands(row.events_per_second),
        format!("{:.0}", row.requests_per_second),
        first,
        format!("{} · {} · {}", time(row.delay_us.p50), time(row.delay_us.p90), time(row.delay_us.p99)),
        row.cpu_us_per_event.map_or("–".to_owned(), |cpu| format!("{cpu:.1}")),
    ]
}

fn failures(out: &mut String, records: &[Record]) {
    for record in records.iter().filter(|record| record.failed > 0) {
        let why = record.first_failure.as_deref().unwrap_or("not told");
        let (target, scenario, round, failed) =
            (&record.target, &record.scenario, record.round, record.failed);
        writeln!(out, "**{target}, {scenario}, round {round}: {failed} wrong answers**, the first: {why}\n")
            .expect("a String takes it");
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

fn time(micros: f64) -> String {
    if micros < 10_000.0 { format!("{micros:.0} µs") } else { format!("{:.1} ms", micros / 1_000.0) }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
