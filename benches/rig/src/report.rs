//! The records of a run as Markdown tables. Ratios are against nginx and the bare relay *of the same run*.

use std::fmt::Write as _;

use crate::{
    figures::{Row, rows},
    goals,
    record::Record,
    scenario::{self, Scenario},
};

/// The targets that ratios are taken against.
pub(crate) const NGINX: &str = "nginx";
pub(crate) const RELAY: &str = "bare relay";

/// Writes every scenario that was run.
pub(crate) fn markdown(records: &[Record]) -> String {
    let mut out = String::new();
    for scenario in &scenario::ALL {
        let rows = rows(records, scenario);
        if !rows.is_empty() {
            section(&mut out, scenario, &rows);
        }
    }
    goals::check(&mut out, records);
    failures(&mut out, records);
    out
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
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let (target, scenario, round, failed) =
            (&record.target, &record.scenario, record.round, record.failed);
        writeln!(out, "**{target}, {scenario}, round {round}: {failed} wrong answers**, the first: {why}\n")
            .expect("a String takes it");
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
