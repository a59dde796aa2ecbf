//! Metrics, as Prometheus asks for them: who may see them, what they say, and that the table says the same.

use std::{collections::BTreeMap, net::SocketAddr};

use actors::{
    ledger::limits::Limits,
    money::Money,
    pricing::{Price, Rates},
};
use chrono::Utc;
use pointsman::{
    metrics::names::{ALL, Kind, Metric},
    store::PriceSource,
};
use protocol::Format;

use crate::{
    house::{ADMIN_TOKEN, Asking, Speech, TestHouse},
    scripted::Upstream,
};

/// A series with its value.
type Series = BTreeMap<String, f64>;

/// Asks for `/metrics`; status, content type and text.
async fn ask(address: SocketAddr, token: Option<&str>) -> (u16, String, String) {
    let url = format!("http://{address}/metrics");
    let mut request = awc::Client::default().get(url);
    if let Some(token) = token {
        request = request.insert_header(("authorization", format!("Bearer {token}")));
    }
    let mut answer = request.send().await.unwrap();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let text = answer.body().limit(4 << 20).await.unwrap();
    (answer.status().as_u16(), kind.unwrap_or_default(), String::from_utf8(text.to_vec()).unwrap())
}

/// What is shown, series by series, held against the table.
fn read(text: &str) -> Series {
    let mut series = Series::new();
    let (mut help, mut kind) = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest;
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            check_against_table(name, help, kind);
            assert!(
                series.insert(name.to_owned(), value.parse().unwrap()).is_none(),
                "{name} is shown twice"
            );
        }
    }
    series
}

fn check_against_table(series: &str, help: &str, kind: &str) {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let is_it = |metric: &&Metric| match metric.kind {
        Kind::Histogram(_) => {
            name.strip_prefix(metric.name).is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end))
        }
        Kind::Counter | Kind::Gauge => name == metric.name,
    };
    let metric = ALL.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not in the table"));
    assert_eq!(help, format!("{} {}", metric.name, metric.help));
    assert_eq!(kind, format!("{} {}", metric.name, metric.kind.name()));
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
    let mut labels: Vec<_> = labels.map(|label| label.split('=').next().unwrap()).collect();
    labels.retain(|label| !(matches!(metric.kind, Kind::Histogram(_)) && *label == "le"));
    let mut wanted = metric.labels.to_vec();
    wanted.sort_unstable();
    labels.sort_unstable();
    assert_eq!(labels, wanted, "{name}");
}

/// A house with metrics on a port of their own, an upstream that answers, and a price for `m`.
async fn house() -> (TestHouse, Upstream) {
    let upstream = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let streamed = request.text().contains("\"stream\":true");
            conn.send(Speech::new(Format::Anthropic, "high tide").on_the_wire(streamed)).await;
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        setup.metrics_listener = true;
        setup.provider("north", upstream.address);
    })
    .await;
    let rate = || Money::parse("1").unwrap();
    let price = Price::from(Rates::completed(rate(), rate(), None, None, None));
    house.store.put_prices(PriceSource::Manual, Utc::now(), vec![("m".to_owned(), price)]).await.unwrap();
    house.current.load().await.unwrap();
    (house, upstream)
}

#[actix::test]
async fn c30_metrics_take_the_admin_token_or_a_port_of_their_own() {
    let (house, _upstream) = house().await;
    // A key of ours identifies somebody, who may not look.
    for (wrong, refused) in [(None, 401), (Some("wrong"), 401), (Some(house.key.as_str()), 403)] {
        let (status, _, text) = ask(house.address, wrong).await;
        assert_eq!(status, refused, "{text}");
        assert!(!text.contains("pointsman_"), "{text}");
    }
    let (status, kind, text) = ask(house.address, Some(ADMIN_TOKEN)).await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4"));
    assert!(text.contains("pointsman_build_info{"), "{text}");
    let own = house.metrics_address.unwrap();
    let (status, _, text) = ask(own, None).await;
    assert_eq!(status, 200);
    assert!(text.contains("pointsman_build_info{"), "{text}");
    let other = awc::Client::default().get(format!("http://{own}/api/v1/users")).send().await.unwrap();
    assert_eq!(other.status(), 404, "nothing else is served there");
    house.close().await;
}

#[actix::test]
async fn what_requests_did_is_shown_under_the_names_of_the_table_and_nobody_is() {
    let (house, _upstream) = house().await;
    let limits = Limits { rpm: Some(1), ..Limits::default() };
    let limited = house.key_of("limited-user", |_| {}, |key| key.limits = limits).await;
    for streamed in [true, false] {
        let heard = house.ask(Asking::in_format(Format::Anthropic, "m", streamed, "tides?")).await;
        assert_eq!(heard.status, 200, "{}", heard.text());
    }
    let asking = || Asking::in_format(Format::Anthropic, "invented-by-a-caller", true, "tides?");
    assert_eq!(house.ask(asking().with_key(&limited)).await.status, 200);
    assert_eq!(house.ask(asking().with_key(&limited)).await.status, 429);
    assert_eq!(house.ask(asking().with_key("nobody's")).await.status, 401);
    house.recorder.flush().await;

    let (_, _, text) = ask(house.metrics_address.unwrap(), None).await;
    let series = read(&text);
    let value = |name: &str| *series.get(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    let request =
        r#"{ending="complete",format="anthropic",operation="generate",status="2xx",streamed="true"}"#;
    assert_eq!(value(&format!("pointsman_requests_total{request}")), 2.0);
    assert_eq!(value(r#"pointsman_attempts_total{outcome="answered",provider="north"}"#), 3.0);
    assert_eq!(value(r#"pointsman_refusals_total{kind="key_unknown"}"#), 1.0);
    assert_eq!(value(r#"pointsman_refusals_total{kind="over_rpm"}"#), 1.0);
    assert_eq!(value(r#"pointsman_limit_refusals_total{account="key",limit="rpm"}"#), 1.0);
    assert_eq!(value(r#"pointsman_settlements_total{settlement="exact"}"#), 2.0);
    assert_eq!(value(r#"pointsman_settlements_total{settlement="unpriced"}"#), 1.0);
    assert_eq!(value("pointsman_unpriced_requests_total"), 1.0);
    assert!(value(r#"pointsman_cost_dollars_total{model="m",provider="north"}"#) > 0.0);
    assert!(value(r#"pointsman_tokens_total{kind="output",model="other",provider="north"}"#) > 0.0);
    assert_eq!(value("pointsman_overhead_seconds_count"), 3.0);
    for (stage, times) in [
        ("arrive_to_pick", 3.0),
        ("pick_to_sent", 3.0),
        ("sent_to_head", 3.0),
        ("head_to_first_frame", 3.0),
        ("whole", 5.0),
    ] {
        assert_eq!(value(&format!(r#"pointsman_stage_seconds_count{{stage="{stage}"}}"#)), times, "{stage}");
    }
    let whole = value(r#"pointsman_stage_seconds_sum{stage="whole"}"#);
    assert!(value("pointsman_overhead_seconds_sum") < whole);
    let first = |family: &str| {
        value(&format!(
            r#"pointsman_time_to_first_token_seconds_count{{family="{family}",provider="north"}}"#
        ))
    };
    assert_eq!((first("m"), first("other")), (1.0, 1.0));
    assert_eq!(value(r#"pointsman_breaker_state{provider="north",state="closed"}"#), 1.0);
    assert_eq!(value(r#"pointsman_provider_permits_in_use{provider="north"}"#), 0.0);
    assert_eq!(value(r#"pointsman_degraded{mode="database_away"}"#), 0.0);
    assert_eq!(value("pointsman_database_up"), 1.0);
    assert_eq!(value("pointsman_records_posted_total"), 5.0);
    assert!(value("pointsman_record_posts_total") >= 1.0);
    assert!(value("pointsman_record_post_seconds_total") > 0.0);
    assert!(value(r#"pointsman_actor_longest_handler_seconds{kind="dispatcher"}"#) > 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6);

    for somebody in ["limited-user", "invented", house.key.as_str(), limited.as_str(), "127.0.0.1"] {
        assert!(!text.contains(somebody), "{somebody} is shown");
    }
    // Absent without a limit on concurrency, and without traces; the rest is there as soon as there is something to count.
    let absent = |metric: &&Metric| {
        !series.keys().any(|name| name.split('{').next().unwrap().starts_with(metric.name))
    };
    let absent: Vec<_> = ALL.iter().filter(absent).map(|metric| metric.name).collect();
    assert_eq!(absent, ["pointsman_provider_permits_limit", "pointsman_traces_total"]);
    house.close().await;
}

#[actix::test]
async fn a_breaker_that_opens_is_seen_and_counted() {
    use actors::provider::messages::SetBreaker;
    let (house, _upstream) = house().await;
    let provider = house.current.cards()[0].id;
    assert!(house.gateway.set_breaker(provider, SetBreaker::Open).await.unwrap());
    let (_, _, text) = ask(house.metrics_address.unwrap(), None).await;
    let series = read(&text);
    assert_eq!(series[r#"pointsman_breaker_state{provider="north",state="open"}"#], 1.0);
    assert_eq!(series[r#"pointsman_breaker_state{provider="north",state="closed"}"#], 0.0);
    assert_eq!(series[r#"pointsman_breaker_transitions_total{provider="north",to="opened"}"#], 1.0);
    assert_eq!(series[r#"pointsman_breaker_transitions_total{provider="north",to="closed"}"#], 0.0);
    house.close().await;
}

#[test]
fn the_docs_hold_the_table() {
    let rows: Vec<String> = ALL
        .iter()
        .map(|Metric { name, kind, labels, help }| {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{name}` | {} | {} | {help} |", kind.name(), labels.join(", "))
        })
        .collect();
    let docs = include_str!("../../docs/operating/monitoring.md");
    let held: Vec<_> = docs.lines().filter(|line| rows.iter().any(|row| row == line)).collect();
    assert_eq!(held, rows, "docs/operating/monitoring.md must hold these rows:\n{}", rows.join("\n"));
    let shown = docs.lines().filter(|line| {
        ["| `pointsman_", "| `gen_ai_", "| `process_"].iter().any(|start| line.starts_with(start))
    });
    assert_eq!(shown.count(), rows.len(), "a row there is of no metric");
}

#[test]
fn names_tell_what_they_count() {
    for metric in ALL {
        let unit = ["_seconds", "_bytes", "_dollars", "_total"];
        match metric.kind {
            Kind::Counter => assert!(metric.name.ends_with("_total"), "{}", metric.name),
            Kind::Gauge => assert!(!metric.name.ends_with("_total"), "{}", metric.name),
            Kind::Histogram(buckets) => {
                assert!(buckets.is_sorted(), "{}", metric.name);
                let known = unit.iter().any(|unit| metric.name.ends_with(unit));
                assert!(known || metric.name == "gen_ai_client_token_usage", "{}", metric.name);
            }
        }
        for forbidden in ["user", "key", "session", "address", "request"] {
            assert!(!metric.labels.contains(&forbidden), "{} has a label without bound", metric.name);
        }
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}
