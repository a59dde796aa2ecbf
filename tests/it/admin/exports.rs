//! Exports of the request log: ordered, waited for, fetched, and safe to open.

use std::{fs, io::Read as _, time::Duration};

use actix_web::{http::Method, test::TestRequest};
use actors::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
};
use chrono::{DateTime, TimeZone as _, Utc};
use pointsman::{
    journal::record::{Failure, Metering, Record},
    store::Role,
};
use protocol::Usage;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Api, api::Reply};
use crate::admin::house::{TestHouse, on_both};

on_both! {
    c13_a_spreadsheet_finds_no_formula_in_an_export
    an_export_holds_what_the_same_filters_list
    c04_an_export_holds_own_rows_and_is_ones_own
    an_export_under_way_is_cancelled_and_one_that_has_ended_is_removed
}

fn at(minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2030, 1, 31, 12, minute, 0).unwrap()
}

/// Asks until it has ended.
async fn ended(api: &Api, id: &str) -> Value {
    for _ in 0..2_000 {
        let shown = api.get(&format!("/api/v1/exports/{id}")).await.ok(200);
        if shown["state"] != "waiting" && shown["state"] != "running" {
            return shown;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("the export does not end")
}

/// Orders one, waits, and fetches its file.
async fn exported(api: &Api, order: Value) -> (Value, Reply) {
    let ordered = api.post("/api/v1/exports", order).await;
    let taken = ordered.ok(202);
    let id = taken["id"].as_str().unwrap();
    assert_eq!(ordered.header("location"), Some(&*format!("/api/v1/exports/{id}")));
    let done = ended(api, id).await;
    assert_eq!((&done["state"], &done["error"]), (&json!("done"), &Value::Null));
    let file = api.get(&format!("/api/v1/exports/{id}/file")).await;
    assert_eq!((file.status, file.bytes.len() as u64), (200, done["bytes"].as_u64().unwrap()));
    (done, file)
}

/// A row of a CSV file by its headings.
fn rows(file: &Reply) -> Vec<std::collections::HashMap<String, String>> {
    csv::Reader::from_reader(&*file.bytes).deserialize().collect::<Result<_, _>>().unwrap()
}

/// The first sheet of a workbook, as it is written.
fn sheet(file: &Reply) -> String {
    let mut book = zip::ZipArchive::new(std::io::Cursor::new(&file.bytes)).unwrap();
    let mut xml = String::new();
    book.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut xml).unwrap();
    xml
}

async fn c13_a_spreadsheet_finds_no_formula_in_an_export(house: TestHouse) {
    let api = Api::of(&house).await;
    let user = api.post("/api/v1/users", json!({"name": "＝1+1"})).await.ok(201)["id"].as_i64().unwrap();
    let key = json!({"name": "@SUM(A1)"});
    let key = api.post(&format!("/api/v1/users/{user}/keys"), key).await.ok(201)["id"].as_i64().unwrap();
    let mut record = Record::plain(at(1));
    (record.user_id, record.key_id) = (Some(UserId(user)), Some(KeyId(key)));
    record.model = Some("=HYPERLINK(\"http://evil.example\",\"look\")".to_owned());
    record.upstream_model = Some("gpt-5".to_owned());
    record.session = Some("+1-2".to_owned());
    record.user_agent = Some("\u{a0} -2+3|cmd' /C calc'!A0".to_owned());
    record.failure = Some(Failure { kind: "upstream_failed".into(), message: "\t=1".to_owned() });
    let usage = Usage { input_tokens: 5, output_tokens: 7, ..Usage::default() };
    record.settle(Metering::Exact(usage), Some(Pico(12_000_000)), false);
    house.recorder.record(record);

    let (_, file) = exported(&api, json!({"format": "csv"})).await;
    let rows = rows(&file);
    let cell = |heading: &str| rows[0][heading].as_str();
    assert_eq!(cell("model"), "'=HYPERLINK(\"http://evil.example\",\"look\")");
    assert_eq!([cell("user"), cell("key"), cell("session")], ["'＝1+1", "'@SUM(A1)", "'+1-2"]);
    assert_eq!(cell("user_agent"), "'\u{a0} -2+3|cmd' /C calc'!A0");
    assert!(cell("error_message").starts_with('\''), "{}", cell("error_message"));
    assert_eq!([cell("upstream_model"), cell("error")], ["gpt-5", "upstream_failed"]);
    assert_eq!([cell("cost_usd"), cell("input_tokens"), cell("correction_usd")], ["0.000012", "5", ""]);
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8; header=present"));

    let (_, file) = exported(&api, json!({"format": "xlsx"})).await;
    let xml = sheet(&file);
    assert!(!xml.contains("<f>") && !xml.contains("<f ") && !xml.contains("hyperlink"), "{xml}");
    for text in ["=HYPERLINK(", "＝1+1", "@SUM(A1)", "+1-2"] {
        let before = xml.split(text).next().unwrap();
        assert!(before.len() < xml.len(), "{text} is missing");
        assert!(before.rfind("inlineStr") > before.rfind("</c>"), "{text} is not written as text");
    }
    assert!(xml.contains("<v>0.000012</v>") && xml.contains("<v>5</v>"), "{xml}");
    let disposition = file.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"pointsman-requests-"), "{disposition}");
    assert!(disposition.ends_with(".xlsx\""), "{disposition}");
}

async fn an_export_holds_what_the_same_filters_list(house: TestHouse) {
    let api = Api::of(&house).await;
    let card = json!({"name": "one", "kind": "claude", "base_url": "https://one.example", "credential": "credential-of-one"});
    let provider = api.post("/api/v1/providers", card).await.ok(201)["id"].as_i64().unwrap();
    // More than a page.
    for number in 0..1_234_u32 {
        let mut record = Record::plain(at(number % 60));
        record.user_id = Some(UserId(i64::from(number % 3)));
        record.status = if number % 2 == 0 { 200 } else { 502 };
        record.model = Some(if number % 5 == 0 { "a" } else { "b" }.to_owned());
        record.provider_id = (number == 0).then_some(ProviderId(provider));
        house.recorder.record(record);
    }
    house.recorder.flush().await;
    for (filter, query) in [
        (json!({}), ""),
        (json!({"user_id": 1}), "?user_id=1"),
        (json!({"status": 502, "model": "a"}), "?status=502&model=a"),
        (json!({"class": "error", "from": "2030-01-31T12:30:00Z"}), "?class=error&from=2030-01-31T12:30:00Z"),
        (json!({"not_status": 200, "min_attempts": 0}), "?not_status=200&min_attempts=0"),
        (
            json!({"wire_format": "anthropic", "operation": "generate"}),
            "?wire_format=anthropic&operation=generate",
        ),
        (json!({"model": "nobody's"}), "?model=nobody%27s"),
        (
            json!({"min_cost_usd": "0.25", "client": "x", "session": "s", "to": "2030-01-31T12:30:00Z"}),
            "?client=x",
        ),
    ] {
        let mut order = filter.clone();
        order["format"] = json!("csv");
        let (done, file) = exported(&api, order).await;
        let totals = api.get(&format!("/api/v1/requests/totals{query}")).await.ok(200);
        let rows = rows(&file);
        assert_eq!(json!(rows.len()), totals["requests"], "{query}");
        assert_eq!((&done["rows_written"], &done["rows_expected"]), (&json!(rows.len()), &json!(rows.len())));
        assert_eq!(done["filter"], filter);
        assert!(rows.is_sorted_by(|a, b| a["started_at"] >= b["started_at"]), "newest first");
        let mut ids: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rows.len(), "each once");
        if query.is_empty() {
            let named: Vec<_> =
                rows.iter().map(|row| &*row["provider"]).filter(|name| !name.is_empty()).collect();
            assert_eq!(named, ["one"]);
        }
        assert_eq!(
            api.delete(&format!("/api/v1/exports/{}", done["id"].as_str().unwrap())).await.status,
            204
        );
    }
    let wrong = json!({"status": 70_000, "model": "", "from": "today", "class": "bad", "min_cost_usd": "-1", "who": 1});
    let wrong = api.post("/api/v1/exports", wrong).await.problem(422);
    let fields: Vec<_> = wrong.iter().skip(1).map(|told| told.split(':').next().unwrap()).collect();
    assert_eq!(fields, ["model", "status", "class", "from", "min_cost_usd", "who"]);
    assert_eq!(
        api.post("/api/v1/exports", json!({})).await.problem(422)[1],
        "format: required: must be given"
    );
}

async fn c04_an_export_holds_own_rows_and_is_ones_own(house: TestHouse) {
    let api = Api::of(&house).await;
    let mut people = Vec::new();
    for role in [Role::User, Role::User, Role::Auditor] {
        let key = house.console_key(role, true).await;
        let user = house.current.keys().find(&key).unwrap().user;
        let mut record = Record::plain(at(1));
        record.user_id = Some(user);
        house.recorder.record(record);
        people.push((key, user.0));
    }
    house.recorder.flush().await;
    let ask = async |who: usize, method: Method, path: &str, body: Value| {
        let request =
            TestRequest::default().method(method).uri(path).insert_header(("x-api-key", &*people[who].0));
        let json = ("content-type", "application/json");
        api.send(request.insert_header(json).set_payload(body.to_string())).await
    };
    let order = json!({"format": "csv"});
    let mut ids = Vec::new();
    for (who, (_, user)) in people.iter().enumerate() {
        let taken = ask(who, Method::POST, "/api/v1/exports", order.clone()).await.ok(202);
        assert_eq!(taken["user_id"], *user);
        let id = taken["id"].as_str().unwrap().to_owned();
        ended(&api, &id).await;
        ids.push(id);
    }
    let path = |which: usize, rest: &str| format!("/api/v1/exports/{}{rest}", ids[which]);
    let users = async |who: usize, which: usize| {
        let file = ask(who, Method::GET, &path(which, "/file"), Value::Null).await;
        assert_eq!(file.status, 200, "{}", file.text);
        rows(&file).iter().map(|row| row["user_id"].parse::<i64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(users(0, 0).await, [people[0].1]);
    assert_eq!(users(2, 1).await, [people[1].1], "who may look at everything may look at this");
    assert_eq!(users(2, 2).await.len(), 3);
    // Another's is not there, whatever is asked of it.
    let listed = ask(0, Method::GET, "/api/v1/exports", Value::Null).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    for which in [1, 2] {
        for (method, rest) in [(Method::GET, ""), (Method::GET, "/file"), (Method::DELETE, "")] {
            let reply = ask(0, method.clone(), &path(which, rest), Value::Null).await;
            assert_eq!(reply.problem(404), ["not_found"], "{method} {rest}");
        }
    }
    assert_eq!(ask(2, Method::DELETE, &path(0, ""), Value::Null).await.problem(403), ["forbidden"]);
    let others = json!({"format": "csv", "user_id": people[1].1});
    assert_eq!(ask(0, Method::POST, "/api/v1/exports", others).await.problem(404), ["not_found"]);
    // A key that can only look at its own usage sees none, since other keys' rows are in them.
    let looks = house.console_key(Role::User, false).await;
    let list = TestRequest::get().uri("/api/v1/exports").insert_header(("x-api-key", &*looks));
    assert_eq!(api.send(list).await.ok(200)["items"], json!([]));
    // An auditor who is none any more does not keep what only auditors may see.
    api.patch(&format!("/api/v1/users/{}", people[2].1), json!({"role": "user"})).await.ok(200);
    assert_eq!(ask(2, Method::GET, &path(2, "/file"), Value::Null).await.problem(404), ["not_found"]);
    assert_eq!(ask(0, Method::DELETE, &path(0, ""), Value::Null).await.status, 204);
}

async fn an_export_under_way_is_cancelled_and_one_that_has_ended_is_removed(house: TestHouse) {
    let api = Api::of(&house).await;
    for number in 0..1_500 {
        house.recorder.record(Record::plain(at(number % 60)));
    }
    house.recorder.flush().await;
    let lying = || {
        let names = fs::read_dir(house.directory.path().join("exports")).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let mut ids = Vec::new();
    for _ in 0..5 {
        let taken = api.post("/api/v1/exports", json!({"format": "xlsx"})).await.ok(202);
        ids.push(taken["id"].as_str().unwrap().to_owned());
    }
    let file = |id: &str| format!("/api/v1/exports/{id}/file");
    assert_eq!(api.get(&file(&ids[4])).await.problem(409), ["export_not_done"], "others are before it");
    assert_eq!(
        api.post("/api/v1/exports", json!({"format": "csv"})).await.problem(409),
        ["too_many_exports"]
    );
    for id in &ids[1..] {
        assert_eq!(api.delete(&format!("/api/v1/exports/{id}")).await.status, 204);
        assert_eq!(api.get(&format!("/api/v1/exports/{id}")).await.ok(200)["state"], "cancelled");
        assert_eq!(api.get(&file(id)).await.problem(409), ["export_not_done"]);
    }
    assert_eq!(ended(&api, &ids[0]).await["state"], "done");
    // What was cancelled makes room for more, and leaves nothing on the disk.
    let (done, _) = exported(&api, json!({"format": "csv"})).await;
    let mut names = [format!("{}.xlsx", ids[0]), format!("{}.csv", done["id"].as_str().unwrap())];
    names.sort_unstable();
    for _ in 0..1_000 {
        let mut there = lying();
        there.sort_unstable();
        if there == names {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let mut there = lying();
    there.sort_unstable();
    assert_eq!(there, names);
    for id in [&*ids[0], done["id"].as_str().unwrap()] {
        assert_eq!(api.delete(&format!("/api/v1/exports/{id}")).await.status, 204);
        assert_eq!(api.get(&format!("/api/v1/exports/{id}")).await.problem(404), ["not_found"]);
    }
    assert_eq!(lying(), Vec::<String>::new());
}
