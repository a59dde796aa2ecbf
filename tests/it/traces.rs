//! Traces: what a collector on loopback is told of requests, read with the official messages.

use std::{cell::Cell, rc::Rc};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use protocol::Format;

use crate::{
    house::{Asking, Speech, TestHouse, plain},
    scripted::Upstream,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector that answers with these statuses first, and takes everything from then on.
async fn collector(troubles: &'static [u16]) -> Upstream {
    let answered = Rc::new(Cell::new(0));
    Upstream::start(move |mut conn| {
        let answered = Rc::clone(&answered);
        async move {
            while conn.request().await.is_some() {
                let number = answered.replace(answered.get() + 1);
                match troubles.get(number) {
                    Some(status) => conn.send(plain(*status, "retry-after: 0\r\n", "{}")).await,
                    None => conn.answer("").await,
                }
            }
        }
    })
    .await
}

/// An upstream that gives each request that answer.
async fn upstream(answer: Vec<u8>) -> Upstream {
    Upstream::start(move |mut conn| {
        let answer = answer.clone();
        async move {
            while conn.request().await.is_some() {
                conn.send(&answer).await;
            }
        }
    })
    .await
}

fn failing() -> Vec<u8> {
    plain(529, "", r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#)
}

fn sound() -> Vec<u8> {
    Speech::new(Format::Anthropic, "yes").on_the_wire(true)
}

fn asking() -> Asking {
    Asking::in_format(Format::Anthropic, "m", true, "tides?")
}

/// All that a collector was sent.
fn told(collector: &Upstream) -> (Vec<Span>, Vec<Resource>) {
    let (mut spans, mut resources) = (Vec::new(), Vec::new());
    for request in collector.requests() {
        assert_eq!(request.line(), "POST /v1/traces HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        let told = ExportTraceServiceRequest::decode(&*request.body).unwrap();
        for from in told.resource_spans {
            resources.extend(from.resource);
            spans.extend(from.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    (spans, resources)
}

fn attribute<'s>(attributes: &'s [KeyValue], name: &str) -> Option<&'s Value> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    found.value.as_ref()?.value.as_ref()
}

fn words<'s>(span: &'s Span, name: &str) -> &'s str {
    match attribute(&span.attributes, name) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{name} of {}: {other:?}", span.name),
    }
}

fn number(span: &Span, name: &str) -> i64 {
    match attribute(&span.attributes, name) {
        Some(Value::IntValue(number)) => *number,
        other => panic!("{name} of {}: {other:?}", span.name),
    }
}

fn is_within(inner: &Span, outer: &Span) -> bool {
    outer.start_time_unix_nano <= inner.start_time_unix_nano
        && inner.start_time_unix_nano <= inner.end_time_unix_nano
        && inner.end_time_unix_nano <= outer.end_time_unix_nano
}

fn status(span: &Span) -> StatusCode {
    span.status.as_ref().map_or(StatusCode::Unset, |status| status.code())
}

#[actix::test]
async fn a_failed_over_request_is_one_trace_with_both_attempts_in_their_place() {
    let (bad, good, collector) = (upstream(failing()).await, upstream(sound()).await, collector(&[]).await);
    let house = TestHouse::open(|setup| {
        setup.provider("bad", bad.address);
        setup.provider("good", good.address).priority = 1;
        setup.environment = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address)),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue%20team".to_owned()),
            ("OTEL_SERVICE_NAME", "gateway-of-blue".to_owned()),
        ];
    })
    .await;
    let parent = format!("traceparent: 00-{TRACE}-{CALLER}-01");
    let heard = house.ask(asking().header(parent).header("tracestate: vendor=1")).await;
    assert_eq!(heard.status, 200);
    let row = house.row(&heard).await;
    house.tracer.flush().await;

    let (spans, resources) = told(&collector);
    assert_eq!(collector.requests()[0].header("x-tenant"), Some("blue team"));
    let service = attribute(&resources[0].attributes, "service.name");
    assert_eq!(service, Some(&Value::StringValue("gateway-of-blue".to_owned())));
    for span in &spans {
        assert_eq!(hex::encode(&span.trace_id), TRACE);
        assert_eq!((span.trace_state.as_str(), span.flags & 1), ("vendor=1", 1));
    }
    let whole = spans.iter().find(|span| span.kind() == SpanKind::Server).expect("a span of the request");
    assert_eq!(whole.name, "POST /v1/messages");
    assert_eq!(hex::encode(&whole.parent_span_id), CALLER);
    let started = row.started_at.timestamp_micros().unsigned_abs();
    assert_eq!(whole.start_time_unix_nano / 1_000, started, "to the digit that rows keep");
    assert_eq!(status(whole), StatusCode::Unset);
    assert_eq!(words(whole, "pointsman.request.id"), row.id.to_string());
    assert_eq!((words(whole, "pointsman.ending"), words(whole, "gen_ai.request.model")), ("complete", "m"));
    assert_eq!((number(whole, "http.response.status_code"), number(whole, "pointsman.attempts")), (200, 2));
    let used = ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"].map(|name| number(whole, name));
    assert_eq!(used, [25, 15]);
    assert_eq!(attribute(&whole.attributes, "user.id"), None, "nobody asked for names");

    let children = |parent: &Span| {
        let mut children: Vec<&Span> =
            spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect();
        children.sort_by_key(|span| span.start_time_unix_nano);
        assert!(children.iter().all(|child| is_within(child, parent)), "{parent:#?} {children:#?}");
        children
    };
    let names = |of: &[&Span]| of.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    let stages = children(whole);
    assert_eq!(names(&stages), ["read", "admission", "chat m", "admission", "chat m", "record"]);
    let [first, second] = [stages[2], stages[4]];
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano);
    for (attempt, provider, outcome, answered, ended) in [
        (first, "bad", "overloaded", 529, StatusCode::Error),
        (second, "good", "answered", 200, StatusCode::Unset),
    ] {
        assert_eq!(attempt.kind(), SpanKind::Client);
        let about = (words(attempt, "pointsman.provider"), words(attempt, "pointsman.outcome"));
        assert_eq!(about, (provider, outcome));
        assert_eq!((number(attempt, "http.response.status_code"), status(attempt)), (answered, ended));
    }
    assert_eq!(first.status.as_ref().unwrap().message, "overloaded_error: busy");
    assert_eq!(names(&children(first))[0], "wait for head");
    assert_eq!(names(&children(second)), ["wait for head", "wait for first frame", "stream"]);
    let children_of_all: usize = spans.iter().map(|span| children(span).len()).sum();
    assert_eq!(children_of_all, spans.len() - 1, "no span is lost or hangs in the air");

    let mut ids: Vec<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    let upstreams = bad.requests().into_iter().chain(good.requests());
    assert!(upstreams.into_iter().all(|request| request.header("traceparent").is_none()), "not turned on");
    house.close().await;
}

#[actix::test]
async fn upstreams_are_told_the_trace_where_that_is_turned_on_and_names_go_along_where_they_are() {
    let (bad, good, collector) =
        (upstream(plain(500, "", "{}")).await, upstream(sound()).await, collector(&[]).await);
    let house = TestHouse::open(|setup| {
        setup.provider("bad", bad.address);
        setup.provider("good", good.address).priority = 1;
        setup.file = format!(
            "[traces]\nurl = \"http://{}/v1/traces\"\npropagate = true\nidentities = true\n",
            collector.address
        );
    })
    .await;
    let of_caller = |flags| format!("traceparent: 00-{TRACE}-{CALLER}-{flags}");
    house.ask(asking().header(of_caller("01")).header("tracestate: vendor=1")).await;
    house.ask(asking().header(of_caller("00"))).await;
    house.rows().await;
    house.tracer.flush().await;
    let (spans, _) = told(&collector);
    let whole: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Server).collect();
    assert_eq!(whole.len(), 1, "the caller wanted the second one not to be recorded");
    assert_ne!(words(whole[0], "user.id"), "");
    for upstream in [&bad, &good] {
        let requests = upstream.requests();
        let [sampled, unsampled] = &requests[..] else { panic!("{requests:?}") };
        let told = sampled.header("traceparent").unwrap();
        let attempt =
            spans.iter().find(|span| told == format!("00-{TRACE}-{}-01", hex::encode(&span.span_id)));
        assert_eq!(attempt.map(Span::kind), Some(SpanKind::Client), "{told}");
        assert_eq!(sampled.header("tracestate"), Some("vendor=1"));
        let told = unsampled.header("traceparent").unwrap();
        assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
        assert!(!told.contains(CALLER), "{told}");
    }
    house.close().await;
}

#[actix::test]
async fn a_collector_in_trouble_is_tried_again_and_one_that_refuses_is_not() {
    let (good, collector) = (upstream(sound()).await, collector(&[503, 429, 400]).await);
    let house = TestHouse::open(|setup| {
        setup.provider("good", good.address);
        setup.environment = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address)),
            ("OTEL_BSP_SCHEDULE_DELAY", "1".to_owned()),
        ];
    })
    .await;
    let counts = async |expected: [u64; 3]| loop {
        let counts = house.tracer.counts().expect("traces are made");
        if [counts.exported, counts.dropped, counts.failed] == expected {
            return;
        }
        tokio::task::yield_now().await;
    };
    // 503, 429, then 400.
    house.ask(asking()).await;
    counts([0, 0, 1]).await;
    house.ask(asking()).await;
    counts([1, 0, 1]).await;
    assert_eq!(collector.requests().len(), 4);
    house.close().await;
}

#[actix::test]
async fn a_collector_that_hangs_costs_traces_and_no_request() {
    let good = upstream(sound()).await;
    let hanging = Upstream::start(|mut conn| async move {
        conn.request().await;
        conn.closed().await;
    })
    .await;
    let house = TestHouse::open(|setup| {
        setup.provider("good", good.address);
        setup.file = format!(
            "[traces]\nendpoint = \"http://{}\"\nqueue = 2\ndelay_ms = 1\ntimeout_ms = 600000\n",
            hanging.address
        );
        setup.metrics_listener = true;
    })
    .await;
    house.ask(asking()).await;
    house.rows().await;
    // The first is being sent once the collector has heard of it.
    while hanging.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        assert_eq!(house.ask(asking()).await.status, 200);
    }
    house.rows().await;
    assert_eq!(house.tracer.counts().unwrap().dropped, 3, "two of five wait");
    let url = format!("http://{}/metrics", house.metrics_address.unwrap());
    let scraped = awc::Client::default().get(url).send().await.unwrap().body().limit(4 << 20).await.unwrap();
    let scraped = String::from_utf8(scraped.to_vec()).unwrap();
    for line in
        ["pointsman_traces_total{outcome=\"dropped\"} 3", "pointsman_traces_total{outcome=\"failed\"} 0"]
    {
        assert!(scraped.contains(line), "{scraped}");
    }
    house.close().await;
}
