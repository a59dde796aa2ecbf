//! C-06, C-07, C-15: requests go where the operator said, and nothing else is done for them.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use awc::http::header::{HeaderName, HeaderValue};
use futures_util::{FutureExt as _, future::BoxFuture};
use pointsman::upstream::{Clients, Fault, Lookup, Outgoing, Settings, Unfit, Unsendable, UrlRefused};

use super::{card, card_of, clients, drain, exchange, post, settings, text};
use crate::scripted::Upstream;

async fn echo() -> Upstream {
    Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            conn.answer(request.text()).await;
        }
    })
    .await
}

/// Answers every name with these addresses and counts how often it is asked.
#[derive(Debug)]
struct Counting(Vec<IpAddr>, AtomicUsize);

impl Lookup for Counting {
    fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Relaxed);
        async { Ok(self.0.clone()) }.boxed()
    }
}

fn resolving_to(addresses: &[&str]) -> (Clients, Arc<Counting>) {
    let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
    let lookup = Arc::new(Counting(addresses, AtomicUsize::new(0)));
    (Clients::new(&Settings { lookup: lookup.clone(), ..settings() }), lookup)
}

#[actix_rt::test]
async fn c06_a_name_that_resolves_to_a_private_address_is_not_connected_to() {
    let upstream = echo().await;
    let port = upstream.address.port();
    for (addresses, reason) in [
        (&["127.0.0.1"][..], Unfit::Loopback),
        (&["::ffff:127.0.0.1"], Unfit::Loopback),
        (&["10.0.0.1", "127.0.0.1"], Unfit::Loopback),
        (&["169.254.169.254"], Unfit::Metadata),
    ] {
        let (clients, lookup) = resolving_to(addresses);
        let mut card = card(format!("https://harmless.example:{port}"));
        card.allow_private_network = false;
        let fault = exchange(&clients, &card, "hi").await.unwrap_err();
        assert_eq!((fault, fault.nothing_was_sent()), (Fault::AddressRefused(reason), true));
        assert_eq!(lookup.1.load(Relaxed), 1);
    }
    assert_eq!(upstream.connections(), 0);
}

#[actix_rt::test]
async fn c06_the_address_that_was_checked_is_the_one_connected_to() {
    // One question per connection: there is no second answer that could differ from the checked one.
    let upstream = echo().await;
    let (clients, lookup) = resolving_to(&["169.254.169.254", "127.0.0.1"]);
    let card = card(format!("http://mixed.example:{}", upstream.address.port()));
    for _ in 0..3 {
        assert_eq!(exchange(&clients, &card, "hi").await, Ok((200, "hi".to_owned())));
    }
    assert_eq!((upstream.connections(), lookup.1.load(Relaxed)), (1, 1));
}

#[actix_rt::test]
async fn c06_a_literal_private_address_and_plain_http_need_permission() {
    let upstream = echo().await;
    let mut card = card_of(&upstream);
    card.allow_private_network = false;
    let refused = exchange(&clients(), &card, "hi").await;
    assert_eq!(refused, Err(Fault::BaseUrl(UrlRefused::Scheme)));
    card.base_url = format!("https://{}", upstream.address);
    card.version += 1;
    let refused = exchange(&clients(), &card, "hi").await;
    assert_eq!(refused, Err(Fault::BaseUrl(UrlRefused::Address(Unfit::Loopback))));
    assert_eq!(upstream.connections(), 0);
}

#[actix_rt::test]
async fn c07_a_redirect_is_returned_and_not_followed() {
    let target = echo().await;
    let location = format!("http://{}/steal", target.address);
    let upstream = Upstream::start({
        let location = location.clone();
        move |mut conn| {
            let location = location.clone();
            async move {
                conn.request().await;
                conn.send(format!(
                    "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
                ))
                .await;
            }
        }
    })
    .await;
    let incoming = clients().send(&card_of(&upstream), post("a prompt")).await.unwrap();
    assert_eq!(incoming.status.as_u16(), 307);
    assert_eq!(incoming.headers.get("location").unwrap(), location.as_str());
    assert_eq!((upstream.connections(), target.connections()), (1, 0));
}

#[actix_rt::test]
async fn c07_no_path_speaks_for_the_host_or_climbs_out_of_the_prefix() {
    let upstream = echo().await;
    let mut card = card_of(&upstream);
    card.base_url.push_str("/prefix/");
    let clients = clients();
    for (path, unsendable) in [
        ("@evil.example/", Unsendable::Path),
        (":80@evil.example/", Unsendable::Path),
        ("http://evil.example/", Unsendable::Path),
        ("", Unsendable::Path),
        ("/a b", Unsendable::Path),
        ("/a\r\nhost: evil.example", Unsendable::Path),
        ("/../admin", Unsendable::DotSegments),
        ("/%2e%2e/admin", Unsendable::DotSegments),
    ] {
        let outgoing = Outgoing { path_and_query: path.to_owned(), ..post("hi") };
        let ended = clients.send(&card, outgoing).await;
        assert_eq!(ended.err(), Some(Fault::Unsendable(unsendable)), "{path:?}");
    }
    assert_eq!(upstream.connections(), 0);
    let outgoing = Outgoing { path_and_query: "/v1/x?beta=true&y=//evil".to_owned(), ..post("hi") };
    text(clients.send(&card, outgoing).await.unwrap()).await;
    assert_eq!(upstream.requests()[0].line(), "POST /prefix/v1/x?beta=true&y=//evil HTTP/1.1");
}

#[actix_rt::test]
async fn c07_headers_of_the_connection_and_the_host_are_ours() {
    let upstream = echo().await;
    let mut outgoing = post("hello");
    for (name, value) in [
        ("host", "evil.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("accept-encoding", "gzip, br"),
        ("x-api-key", "secret"),
        ("anthropic-beta", "a"),
    ] {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        outgoing.headers.insert(name, value);
    }
    text(clients().send(&card_of(&upstream), outgoing).await.unwrap()).await;
    let request = upstream.requests().remove(0);
    assert_eq!(request.header("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!(request.header("content-length"), Some("5"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("x-api-key"), Some("secret"));
    assert_eq!(request.header("anthropic-beta"), Some("a"));
    for gone in ["connection", "upgrade", "expect", "transfer-encoding", "user-agent"] {
        assert_eq!(request.header(gone), None, "{gone}");
    }
}

#[actix_rt::test]
async fn c15_a_compressed_answer_is_passed_on_as_it_came() {
    // "hello", gzipped, many times over.
    const MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let bomb = MEMBER.repeat(1_000);
    let expected = bomb.clone();
    let upstream = Upstream::start(move |mut conn| {
        let bomb = bomb.clone();
        async move {
            conn.request().await;
            let length = bomb.len();
            conn.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
            ))
            .await;
            conn.send(bomb).await;
        }
    })
    .await;
    let incoming = clients().send(&card_of(&upstream), post("hi")).await.unwrap();
    assert_eq!(incoming.headers.get("content-encoding").unwrap(), "gzip");
    let (body, end) = drain(incoming.body).await;
    assert_eq!((body == expected, end), (true, Ok(())));
}
