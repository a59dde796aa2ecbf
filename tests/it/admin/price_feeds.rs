//! Price lists from outside: what one may change without being asked twice, and what a hostile one can do
//! (C-23).

use std::{cell::Cell, rc::Rc};

use chrono::Utc;
use pointsman::config::{Flags, load_with};
use serde_json::{Value, json};

use super::Api;
use crate::{
    admin::house::{TestHouse, on_both},
    scripted::{Conn, Upstream},
};

const SOURCE: &str = "/api/v1/prices/import/source";
const IMPORT: &str = "/api/v1/prices/import";

on_both! {
    c23_prices_that_move_far_need_a_yes
}

fn list(per_token: &str) -> String {
    format!(r#"{{"m": {{"input_cost_per_token": {per_token}, "output_cost_per_token": 1e-05}}}}"#)
}

fn input(house: &TestHouse, model: &str) -> Option<String> {
    let prices = house.current.prices();
    prices.find(model, Utc::now()).map(|listed| listed.price.rates.input_usd_per_mtok.to_string())
}

async fn c23_prices_that_move_far_need_a_yes(house: TestHouse) {
    let api = Api::of(&house).await;
    api.post(IMPORT, list("3e-06")).await.ok(200);
    for (far, told) in [("0", "0"), ("1e-9", "0.001"), ("9.000001e-06", "9.000001")] {
        let report = api.post(&format!("{IMPORT}?dry_run=true"), list(far)).await.ok(200);
        assert_eq!(report["large"][0]["after"], told, "a trial tells");
        let problem = api.post(IMPORT, list(far)).await.problem(409);
        let flaw = format!("m: out_of_range: input_usd_per_mtok would go from 3 to {told}");
        assert_eq!(problem[..2], ["large_changes".to_owned(), flaw]);
        assert_eq!(input(&house, "m").as_deref(), Some("3"), "nothing was stored");
    }
    api.post(IMPORT, list("9e-06")).await.ok(200);
    assert_eq!(input(&house, "m").as_deref(), Some("9"), "three times is not far");
    let did = api.post(&format!("{IMPORT}?accept_large_changes=true"), list("0")).await.ok(200);
    assert_eq!((&did["counts"]["large"], input(&house, "m").as_deref()), (&json!(4), Some("0")));

    let imports = api.get("/api/v1/prices/imports").await.ok(200);
    let imports = imports["items"].as_array().unwrap();
    assert_eq!(imports.len(), 3, "refused lists and trials are not among them");
    assert_eq!((&imports[0]["origin"], &imports[0]["prices"]), (&json!("upload"), &json!(1)));
    assert_eq!(imports[0]["sha256"], did["sha256"]);
    assert_eq!(did["sha256"].as_str().unwrap().len(), 64);
}

#[actix::test]
async fn c23_a_list_that_lost_most_of_its_models_needs_a_yes() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let entry = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6});
    api.post(IMPORT, json!({"a": entry, "b": entry, "c": entry})).await.ok(200);
    let report = api.post(IMPORT, json!({"a": entry, "b": entry})).await.ok(200);
    assert_eq!(report["gone"], json!(["c"]));
    assert_eq!(input(&house, "c").as_deref(), Some("1"), "its price goes on counting (I-07)");
    let problem = api.post(IMPORT, json!({"a": entry})).await.problem(409);
    assert_eq!(problem, ["large_changes", "gone: out_of_range: 2 of 3 imported models are gone"]);
    let renamed = json!({"a": {"price_in": 1e-6}, "b": {}});
    assert_eq!(
        api.post(&format!("{IMPORT}?accept_large_changes=true"), renamed).await.problem(422),
        ["invalid"]
    );
}

#[actix::test]
async fn c23_nothing_is_fetched_unless_an_address_is_configured() {
    let house = TestHouse::on_sqlite().await;
    assert_eq!(Api::of(&house).await.post(SOURCE, "").await.problem(404), ["not_found"]);
    let config = |value: &'static str| {
        load_with(&Flags::default(), move |name| (name == "PRICES_SOURCE_URL").then(|| value.into()))
    };
    assert_eq!(config("").unwrap().prices.source_url, None);
    for sound in ["https://example.com/prices.json", "http://127.0.0.1:8000/p", "http://[::1]/p"] {
        assert_eq!(config(sound).unwrap().prices.source_url.unwrap().as_str(), sound);
    }
    for odd in
        ["http://example.com/p", "http://localhost/p", "ftp://example.com", "https://u:p@example.com/", "x"]
    {
        assert!(config(odd).is_err(), "{odd}");
    }
}

async fn fetched(upstream: &Upstream, path: &str) -> (TestHouse, Api) {
    let house = TestHouse::on_sqlite().await;
    let url = format!("http://{}{path}", upstream.address);
    let api = Api::with(&house, house.admin_with_prices_from(Some(url))).await;
    (house, api)
}

#[actix::test]
async fn a_list_is_fetched_from_the_address_and_treated_like_any_other() {
    let upstream = Upstream::start(|mut conn: Conn| async move {
        while conn.request().await.is_some() {
            conn.answer(&list("3e-06")).await;
        }
    })
    .await;
    let (house, api) = fetched(&upstream, "/prices.json?v=1").await;
    let would = api.post(&format!("{SOURCE}?dry_run=true"), "").await.ok(200);
    assert_eq!((&would["counts"]["added"], input(&house, "m")), (&json!(1), None));
    api.post(SOURCE, "").await.ok(200);
    assert_eq!(input(&house, "m").as_deref(), Some("3"));
    let imports = api.get("/api/v1/prices/imports").await.ok(200);
    let url = format!("http://{}/prices.json?v=1", upstream.address);
    assert_eq!(imports["items"][0]["origin"], Value::String(url));
    for request in upstream.requests() {
        assert_eq!(request.line(), "GET /prices.json?v=1 HTTP/1.1");
        for ours in ["authorization", "x-api-key", "cookie"] {
            assert_eq!(request.header(ours), None, "nothing of ours goes along");
        }
    }
}

/// 500 MB are on offer; what is too much is not waited for.
#[actix::test]
async fn c23_a_list_without_end_is_left_at_the_limit() {
    const MEBIBYTE: usize = 1 << 20;
    let sent = Rc::new(Cell::new(0));
    let count = Rc::clone(&sent);
    let upstream = Upstream::start(move |mut conn: Conn| {
        let count = Rc::clone(&count);
        async move {
            if conn.request().await.is_some() {
                conn.send("HTTP/1.1 200 OK\r\ncontent-length: 524288000\r\n\r\n{\"m\":\"").await;
                let chunk = vec![b'x'; MEBIBYTE];
                while count.get() < 500 && conn.try_send(&chunk).await {
                    count.set(count.get() + 1);
                }
            }
        }
    })
    .await;
    let (_house, api) = fetched(&upstream, "/").await;
    let reply = api.post(SOURCE, "").await;
    assert_eq!(reply.problem(502), ["price_source_failed"]);
    assert!(reply.text.contains("more than 16777216 bytes came"), "{}", reply.text);
    assert!(sent.get() < 64, "{} MiB were taken", sent.get());
}

#[actix::test]
async fn c23_half_a_list_a_redirect_and_a_refusal_change_nothing() {
    for (answer, status, code) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"m\": {\"input_", 502, "price_source_failed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"m\": {\"input_co", 400, "malformed_json"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/x\r\ncontent-length: 0\r\n\r\n",
            502,
            "price_source_failed",
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 502, "price_source_failed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 422, "invalid"),
    ] {
        let upstream = Upstream::start(move |mut conn: Conn| async move {
            if conn.request().await.is_some() {
                conn.send(answer).await;
            }
        })
        .await;
        let (house, api) = fetched(&upstream, "/").await;
        let reply = api.post(&format!("{SOURCE}?accept_large_changes=true"), "").await;
        assert_eq!(reply.problem(status)[0], code, "{answer}");
        assert_eq!(house.store.price_imports(None, 9).await.unwrap().items, []);
        assert_eq!(upstream.requests().len(), 1);
    }
}
