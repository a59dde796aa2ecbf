//! Requests on their way up and answers on their way down: what passes, what does not, and what is refused
//! before a byte goes up (I-31, C-18).

use pointsman::store::NewProvider;
use protocol::Format;

use crate::{
    house::{Asking, Heard, Speech, TestHouse, credential, plain},
    scripted::Upstream,
};

/// Answers soundly, with headers of every sort.
async fn upstream() -> Upstream {
    Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            let headers = "request-id: req_1\r\nanthropic-ratelimit-tokens-remaining: 9\r\nset-cookie: a=b\r\n\
                           x-pointsman-provider: forged\r\nx-private: 1\r\nconnection: x-private\r\n\
                           keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n";
            conn.send(plain(200, headers, &Speech::new(Format::Anthropic, "hi").plain)).await;
        }
    })
    .await
}

async fn open(upstream: &Upstream, change: impl FnOnce(&mut NewProvider)) -> TestHouse {
    TestHouse::open(|setup| {
        setup.max_body_bytes = 10_000;
        change(setup.provider("only", upstream.address));
    })
    .await
}

fn question() -> Asking {
    Asking::in_format(Format::Anthropic, "m", false, "hello")
}

#[actix_rt::test]
async fn i31_what_belongs_to_the_connection_stays_and_what_belongs_to_the_request_passes() {
    let upstream = upstream().await;
    let house = open(&upstream, |_| {}).await;
    let passing =
        ["anthropic-beta: a,b", "anthropic-version: 2024-01-01", "user-agent: story/1", "x-stainless-os: L"];
    let staying = [
        "keep-alive: timeout=5",
        "te: trailers",
        "proxy-authorization: Basic eDp5",
        "proxy-connection: x",
        "x-forwarded-for: 10.9.8.7",
        "x-real-ip: 10.9.8.7",
        "forwarded: for=10.9.8.7",
        "via: 1.1 x",
        "accept-encoding: gzip, br",
        "x-hop: 1",
        "x-pointsman-provider: other",
    ];
    let mut asking = question()
        .keeping_alive()
        .header("connection: keep-alive, X-Hop, authorization, x-api-key, anthropic-beta");
    for line in passing.iter().chain(&staying) {
        asking = asking.header(*line);
    }
    let heard = house.ask(asking).await;
    let request = &upstream.requests()[0];
    for line in passing {
        let (name, value) = line.split_once(": ").expect("a header");
        assert_eq!(request.header(name), Some(value), "{}", request.head);
    }
    for line in staying {
        let (name, value) = line.split_once(": ").expect("a header");
        assert_ne!(request.header(name), Some(value), "{}", request.head);
    }
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {}", credential("only")).as_str()));
    assert_eq!(request.header("x-api-key"), Some(credential("only").as_str()));

    assert_eq!(heard.header("request-id"), Some("req_1"));
    assert_eq!(heard.header("anthropic-ratelimit-tokens-remaining"), Some("9"));
    assert_eq!(heard.header("x-pointsman-provider"), Some("only"));
    for dropped in ["set-cookie", "x-private", "keep-alive", "proxy-authenticate"] {
        assert_eq!(heard.header(dropped), None, "{}", heard.head);
    }
    house.close().await;
}

#[actix_rt::test]
async fn a_redirected_model_is_all_that_changes_in_a_body() {
    let upstream = upstream().await;
    let house = open(&upstream, |provider| {
        provider.model_redirects = [("asked".to_owned(), "sent \"so\"".to_owned())].into();
    })
    .await;
    let body = "{ \"messages\":[{\"role\":\"user\",\"content\":\"model: asked \\u00e9 é\"}],\n\t\"model\" : \"asked\", \
                \"max_tokens\": 1e2,\"unknown\":{\"model\":\"asked\"}, \"x\":1.0 }";
    let heard = house.ask(Asking::post("/v1/messages?beta=true", body)).await;
    let request = &upstream.requests()[0];
    assert_eq!(request.text(), body.replace("\"model\" : \"asked\"", "\"model\" : \"sent \\\"so\\\"\""));
    assert_eq!(request.line(), "POST /v1/messages?beta=true HTTP/1.1");
    let row = house.row(&heard).await;
    assert_eq!((row.model.as_deref(), row.upstream_model.as_deref()), (Some("asked"), Some("sent \"so\"")));

    let untouched = body.replace("asked", "m");
    house.ask(Asking::post("/v1/messages", untouched.as_str())).await;
    assert_eq!(upstream.requests()[1].text(), untouched, "without a redirect the caller's own bytes go up");
    house.close().await;
}

fn check_refused(heard: &Heard, status: u16, word: &str) {
    assert_eq!(heard.status, status, "{}", heard.text());
    assert_eq!(heard.header("x-pointsman-error-source"), Some("gateway"));
    assert!(heard.text().contains(word), "{}", heard.text());
}

#[actix_rt::test]
async fn c18_a_body_with_two_readings_is_refused_before_a_byte_goes_up() {
    let upstream = upstream().await;
    let house = open(&upstream, |_| {}).await;
    let messages = r#""max_tokens":9,"messages":[{"role":"user","content":"x"}]"#;
    let bodies: [&[u8]; 9] = [
        &format!(r#"{{"model":"a","model":"b",{messages}}}"#).into_bytes(),
        &format!(r#"{{"model":"a","Model":"b",{messages}}}"#).into_bytes(),
        &format!(r#"{{"model":"a","mod\u0065l":"b",{messages}}}"#).into_bytes(),
        &format!(r#"{{"model":"a",{messages},"max_tokens":10}}"#).into_bytes(),
        &format!(r#"{{"model":"a",{messages}}} {{"model":"b"}}"#).into_bytes(),
        &format!(r#"{{"model":"a",{messages},"stream":false,"stream":true}}"#).into_bytes(),
        b"{\"model\":\"a\xff\",\"messages\":[]}",
        b"{\"model\":\"a\"",
        b"",
    ];
    for body in bodies {
        let heard = house.ask(Asking::post("/v1/messages", body)).await;
        check_refused(&heard, 400, "invalid_request_error");
    }
    assert_eq!(upstream.connections(), 0);
    house.close().await;
}

#[actix_rt::test]
async fn a_body_that_is_too_large_is_refused_in_every_dialect() {
    let upstream = upstream().await;
    let house = open(&upstream, |_| {}).await;
    for (format, word) in [
        (Format::Anthropic, "\"request_too_large\""),
        (Format::OpenaiChat, "\"invalid_request_error\""),
        (Format::OpenaiResponses, "\"invalid_request_error\""),
        (Format::Gemini, "\"INVALID_ARGUMENT\""),
    ] {
        let heard = house.ask(Asking::in_format(format, "m", false, &"x".repeat(20_000))).await;
        check_refused(&heard, 413, word);
        assert_eq!(house.row(&heard).await.failure.expect("a failure").kind, "body_too_large");
    }
    assert_eq!(upstream.connections(), 0);
    house.close().await;
}

#[actix_rt::test]
async fn c15_a_compressed_body_is_refused() {
    let upstream = upstream().await;
    let house = open(&upstream, |_| {}).await;
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, identity"] {
        let heard = house.ask(question().header(format!("content-encoding: {encoding}"))).await;
        check_refused(&heard, 400, "invalid_request_error");
    }
    assert_eq!(house.ask(question().header("content-encoding: identity")).await.status, 200);
    assert_eq!(upstream.requests().len(), 1);
    house.close().await;
}

#[actix_rt::test]
async fn a_websocket_is_refused_with_the_answer_that_sends_codex_to_plain_http() {
    let upstream = upstream().await;
    let house = open(&upstream, |_| {}).await;
    let upgrade = Asking::post("/v1/responses", "").method("GET").keeping_alive();
    let upgrade = upgrade.header("connection: Upgrade").header("upgrade: websocket");
    for asking in [upgrade.clone(), upgrade.without_key()] {
        check_refused(&house.ask(asking).await, 426, "websocket");
    }
    assert_eq!(upstream.connections(), 0);
    house.close().await;
}
