//! The request log.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, TimeDelta, Utc};
use protocol::{Format, Operation, Usage};
use serde_json::json;

use super::{Rig, on_both};
use crate::{
    journal::record::{AttemptRecord, Document, Ending, Failure, Metering, Record, Settlement},
    store::{RequestCursor, RequestFilter, StoreError},
};

on_both! {
    a_request_comes_back_as_recorded
    i40_a_record_is_stored_once_however_often_it_is_posted
    a_group_larger_than_a_statement_is_stored_whole
    i42_a_group_with_one_bad_record_is_refused_whole
    s15_what_callers_send_never_makes_a_record_bad
    each_filter_finds_its_own
    pages_neither_repeat_nor_skip_requests_of_one_instant
    c11_filters_are_data_whatever_they_say
    a_rehearsal_leaves_nothing_behind
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_900_000_000_000_001).unwrap()
}

fn rich() -> Record {
    let attempt = AttemptRecord {
        provider_id: ProviderId(3),
        provider_name: "first".into(),
        outcome: Outcome::Overloaded,
        status: Some(529),
        started: Duration::from_micros(150),
        head: Some(Duration::from_micros(2_000)),
        first_frame: None,
        total: Duration::from_micros(2_100),
        retried_stale: false,
        sent: true,
        error: Some("overloaded".into()),
        settlement: Some(Settlement::Estimated),
        cost: Some(Pico(77)),
    };
    let second = AttemptRecord {
        provider_id: ProviderId(4),
        provider_name: "second".into(),
        outcome: Outcome::Answered,
        status: Some(200),
        first_frame: Some(Duration::from_micros(5_000)),
        retried_stale: true,
        error: None,
        settlement: None,
        cost: None,
        ..attempt.clone()
    };
    Record {
        duration: Duration::from_micros(7_654_321),
        user_id: Some(UserId(1)),
        key_id: Some(KeyId(2)),
        format: Some(Format::Anthropic),
        operation: Some(Operation::Generate),
        model: Some("claude-opus-4".into()),
        upstream_model: Some("claude-opus-4-1".into()),
        streamed: true,
        session: Some("s-1".into()),
        provider_id: Some(ProviderId(4)),
        status: 200,
        ending: Ending::Cut,
        failure: Some(Failure { kind: "upstream_cut".into(), message: "ended early".into() }),
        ttfb: Some(Duration::from_micros(5_200)),
        metering: Metering::Estimated(Usage {
            input_tokens: 1,
            cache_read_tokens: 2,
            cache_write_5m_tokens: 3,
            cache_write_1h_tokens: 4,
            output_tokens: 5,
            reasoning_tokens: 6,
        }),
        settlement: Settlement::Estimated,
        cost: Some(Pico(9_528_000_000)),
        reserved: Some(Pico(20_000_000_000)),
        price: Some(Document::of(&json!({ "input_usd_per_mtok": "3" })).unwrap()),
        decisions: Some(Document::of(&json!([{ "provider": 3, "skipped": "full" }])).unwrap()),
        client_address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("claude-cli/2.0".into()),
        bytes_up: 12,
        bytes_down: 34,
        attempts: vec![attempt, second],
        ..Record::plain(noon())
    }
}

/// Everything of a record that can be compared; documents by what they say.
fn said(record: &Record) -> String {
    // One of the databases gives the members of an object back in an order of its own.
    let value = |document: &Option<Document>| -> Option<serde_json::Value> {
        document.as_ref().map(|text| {
            let mut value: serde_json::Value = serde_json::from_str(text.get()).unwrap();
            value.sort_all_objects();
            value
        })
    };
    let told = (value(&record.price), value(&record.decisions));
    format!("{:?} {told:?}", Record { price: None, decisions: None, ..record.clone() })
}

async fn ids(rig: &Rig, filter: RequestFilter) -> Vec<RequestId> {
    let page = rig.store.requests(filter, None, 500).await.unwrap();
    page.items.iter().map(|record| record.id).collect()
}

async fn a_request_comes_back_as_recorded(rig: Rig) {
    let (rich, plain) = (rich(), Record::plain(noon() - TimeDelta::seconds(1)));
    let records = [rich.clone(), plain.clone()];
    assert_eq!(rig.store.insert_requests(&records).await, Ok(2));
    for record in &records {
        let found = rig.store.request(record.id).await.unwrap();
        assert_eq!(said(&found), said(record));
    }
    let listed = rig.store.requests(RequestFilter::default(), None, 10).await.unwrap().items;
    assert_eq!(listed.iter().map(said).collect::<Vec<_>>(), [said(&rich), said(&plain)]);
    let nothing = rig.store.request(RequestId::new()).await.unwrap_err();
    assert_eq!(nothing, StoreError::NotFound { what: "request" });
    assert_eq!(rig.store.insert_requests(&[]).await, Ok(0));
}

async fn i40_a_record_is_stored_once_however_often_it_is_posted(rig: Rig) {
    let (one, two) = (rich(), rich());
    assert_eq!(rig.store.insert_requests(std::slice::from_ref(&one)).await, Ok(1));
    // As after a lost reply: some of the group are there already, and a repost changes nothing.
    let mut changed = one.clone();
    changed.cost = None;
    changed.attempts.pop();
    assert_eq!(rig.store.insert_requests(&[changed, two.clone()]).await, Ok(1));
    assert_eq!(rig.store.insert_requests(&[one.clone(), two.clone()]).await, Ok(0));
    assert_eq!(said(&rig.store.request(one.id).await.unwrap()), said(&one));
    assert_eq!(rig.texts("SELECT CAST(COUNT(*) AS text) AS text FROM attempts").await, ["4"]);
}

async fn a_group_larger_than_a_statement_is_stored_whole(rig: Rig) {
    let records: Vec<Record> = (0..2_100).map(|_| rich()).collect();
    assert_eq!(rig.store.insert_requests(&records).await, Ok(2_100));
    let count =
        "SELECT CAST((SELECT COUNT(*) FROM requests) + (SELECT COUNT(*) FROM attempts) AS text) AS text";
    assert_eq!(rig.texts(count).await, ["6300"]);
}

async fn i42_a_group_with_one_bad_record_is_refused_whole(rig: Rig) {
    let bad = [
        Record { metering: Metering::Exact(Usage { output_tokens: u64::MAX, ..Usage::default() }), ..rich() },
        Record { bytes_down: 1 << 63, ..rich() },
        Record { cost: Some(Pico(10_000_000 * 1_000_000_000_000)), ..rich() },
    ];
    for (bad, field) in bad.into_iter().zip(["output_tokens", "bytes_down", "cost"]) {
        let refused = rig.store.insert_requests(&[rich(), bad]).await.unwrap_err();
        assert!(!refused.is_temporary(), "{refused}");
        assert!(refused.to_string().starts_with(field), "{refused}");
    }
    assert_eq!(ids(&rig, RequestFilter::default()).await, []);
}

async fn s15_what_callers_send_never_makes_a_record_bad(rig: Rig) {
    let nasty = format!("a\0\u{FFFF}\u{1F980}'\"\\{}", "é".repeat(100_000));
    let mut record = rich();
    record.model = Some(nasty.clone());
    record.session = Some(nasty.clone());
    record.user_agent = Some(nasty.clone());
    record.upstream_model = Some(nasty.clone());
    record.failure = Some(Failure { kind: "k\0".into(), message: nasty.clone() });
    record.decisions = Some(Document::of(&json!({ "nul\0": [nasty, "\\u0000"] })).unwrap());
    record.attempts[0].error = Some("\0".into());
    record.attempts[0].provider_name = "\0".into();
    record.duration = Duration::MAX;
    assert_eq!(rig.store.insert_requests(&[rich(), record.clone(), rich()]).await, Ok(3));
    let found = rig.store.request(record.id).await.unwrap();
    let model = found.model.unwrap();
    assert!(model.starts_with("a\u{FFFD}\u{FFFF}\u{1F980}'\"\\éé") && model.len() <= 260, "{model}");
    let decisions: serde_json::Value = serde_json::from_str(found.decisions.unwrap().get()).unwrap();
    assert_eq!(decisions["nul\u{FFFD}"][1], "\\u0000");
    assert!(decisions["nul\u{FFFD}"][0].as_str().unwrap().starts_with("a\u{FFFD}\u{FFFF}"));
    let by_model = RequestFilter { model: record.model, ..RequestFilter::default() };
    assert_eq!(ids(&rig, by_model).await, [record.id], "cut the same way when looked for");
}

async fn each_filter_finds_its_own(rig: Rig) {
    let other = Record {
        user_id: Some(UserId(11)),
        key_id: Some(KeyId(12)),
        provider_id: Some(ProviderId(13)),
        model: Some("gpt-5".into()),
        status: 429,
        session: Some("s-2".into()),
        ..Record::plain(noon() + TimeDelta::seconds(1))
    };
    let nameless = Record::plain(noon() - TimeDelta::seconds(1));
    let one = rich();
    rig.store.insert_requests(&[one.clone(), other.clone(), nameless.clone()]).await.unwrap();
    let all = RequestFilter::default;
    for (filter, expected) in [
        (all(), vec![other.id, one.id, nameless.id]),
        (RequestFilter { user_id: Some(UserId(11)), ..all() }, vec![other.id]),
        (RequestFilter { key_id: Some(KeyId(2)), ..all() }, vec![one.id]),
        (RequestFilter { provider_id: Some(ProviderId(4)), ..all() }, vec![one.id]),
        (RequestFilter { model: Some("gpt-5".into()), ..all() }, vec![other.id]),
        (RequestFilter { status: Some(500), ..all() }, vec![nameless.id]),
        (RequestFilter { session: Some("s-1".into()), ..all() }, vec![one.id]),
        (RequestFilter { from: Some(noon()), ..all() }, vec![other.id, one.id]),
        (RequestFilter { to: Some(noon()), ..all() }, vec![nameless.id]),
        (RequestFilter { user_id: Some(UserId(1)), status: Some(429), ..all() }, vec![]),
    ] {
        assert_eq!(ids(&rig, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn pages_neither_repeat_nor_skip_requests_of_one_instant(rig: Rig) {
    let records: Vec<Record> =
        (0..10).map(|number| Record::plain(noon() + TimeDelta::seconds(number / 4))).collect();
    rig.store.insert_requests(&records).await.unwrap();
    let mut expected: Vec<_> = records.iter().map(|record| (record.started_at, record.id)).collect();
    expected.sort_by(|a, b| b.cmp(a));

    let mut seen = Vec::new();
    let mut cursor: Option<RequestCursor> = None;
    loop {
        let page = rig.store.requests(RequestFilter::default(), cursor, 3).await.unwrap();
        seen.extend(page.items.iter().map(|record| (record.started_at, record.id)));
        // What comes in meanwhile is newer and does not move the pages.
        let newer = Record::plain(noon() + TimeDelta::days(1));
        rig.store.insert_requests(&[newer]).await.unwrap();
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    for text in ["", "1", "x.y", "1.not-a-uuid", "99999999999999999999.0"] {
        assert!(text.parse::<RequestCursor>().is_err(), "{text}");
    }
}

async fn c11_filters_are_data_whatever_they_say(rig: Rig) {
    rig.store.insert_requests(&[rich()]).await.unwrap();
    for text in
        ["' OR '1'='1", "'; DELETE FROM requests; --", "%", "_", "$1", "?1", "\\' OR 1=1 --", "claude%"]
    {
        for filter in [
            RequestFilter { model: Some(text.into()), ..RequestFilter::default() },
            RequestFilter { session: Some(text.into()), ..RequestFilter::default() },
        ] {
            assert_eq!(ids(&rig, filter).await, [], "{text}");
        }
    }
    assert_eq!(ids(&rig, RequestFilter::default()).await.len(), 1);
}

async fn a_rehearsal_leaves_nothing_behind(rig: Rig) {
    rig.store.rehearse_insert().await.unwrap();
    assert_eq!(ids(&rig, RequestFilter::default()).await, []);
    rig.sql("DROP TABLE attempts; DROP TABLE requests").await.unwrap();
    let refused = rig.store.rehearse_insert().await.unwrap_err();
    assert!(!refused.is_temporary(), "{refused}");
}
