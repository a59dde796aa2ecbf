//! C-32: TLS to upstreams is verified, and the guard works above it.

use std::{path::Path, sync::Arc};

use actors::provider::card::Card;
use pointsman::upstream::{Clients, Fault, Settings, TlsFault};

use super::{Here, card, drain, exchange, post};
use crate::scripted::{Authority, Upstream};

fn trusting(extra_ca: Option<&Path>) -> Clients {
    let settings = Settings::new(extra_ca).expect("a readable certificate");
    Clients::new(&Settings { lookup: Arc::new(Here), ..settings })
}

fn card_for(name: &str, upstream: &Upstream) -> Card {
    card(format!("https://{name}:{}/v1", upstream.address.port()))
}

async fn serving(server: Arc<rustls::ServerConfig>) -> Upstream {
    Upstream::start_tls(server, |mut conn| async move {
        while let Some(request) = conn.request().await {
            conn.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
            conn.answer(request.text()).await;
        }
    })
    .await
}

#[actix_rt::test]
async fn c32_a_trusted_certificate_for_the_right_name_is_taken_and_the_connection_reused() {
    let authority = Authority::new("ours");
    let upstream = serving(authority.server("api.test", 2999)).await;
    let clients = trusting(Some(authority.path()));
    let card = card_for("api.test", &upstream);
    for _ in 0..3 {
        assert_eq!(exchange(&clients, &card, "hi").await, Ok((200, "hi".to_owned())));
    }
    assert_eq!(upstream.connections(), 1);
    let request = upstream.requests().remove(0);
    assert_eq!(request.server_name.as_deref(), Some("api.test"));
    assert_eq!(request.header("host"), Some(format!("api.test:{}", upstream.address.port()).as_str()));
    assert_eq!(request.line(), "POST /v1/v1/messages HTTP/1.1");
}

#[actix_rt::test]
async fn c32_an_address_can_have_a_certificate_too() {
    let authority = Authority::new("ours");
    let upstream = serving(authority.server("127.0.0.1", 2999)).await;
    let clients = trusting(Some(authority.path()));
    let card = card_for("127.0.0.1", &upstream);
    assert_eq!(exchange(&clients, &card, "hi").await, Ok((200, "hi".to_owned())));
}

#[actix_rt::test]
async fn c32_every_other_certificate_is_refused_before_a_byte_of_the_request() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    for (server, fault) in [
        (other.server("api.test", 2999), TlsFault::UnknownIssuer),
        (ours.server("other.test", 2999), TlsFault::WrongName),
        (ours.server("api.test", 2001), TlsFault::Expired),
    ] {
        let upstream = serving(server).await;
        let clients = trusting(Some(ours.path()));
        let refused = exchange(&clients, &card_for("api.test", &upstream), "hi").await.unwrap_err();
        assert_eq!((refused, refused.nothing_was_sent()), (Fault::Tls(fault), true));
        assert_eq!(upstream.requests().len(), 0);
    }
}

#[actix_rt::test]
async fn c32_an_upstream_that_speaks_no_tls_is_a_tls_fault() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        conn.closed().await;
    })
    .await;
    let refused = exchange(&trusting(None), &card_for("api.test", &upstream), "hi").await;
    assert_eq!(refused, Err(Fault::Tls(TlsFault::Handshake)));
}

#[actix_rt::test]
async fn i27_a_body_that_ends_with_the_connection_is_whole_only_after_a_goodbye() {
    let authority = Authority::new("ours");
    for (goodbye, end) in [(true, Ok(())), (false, Err(Fault::Cut))] {
        let upstream = Upstream::start_tls(authority.server("api.test", 2999), move |mut conn| async move {
            conn.request().await;
            conn.send("HTTP/1.1 200 OK\r\n\r\nhello").await;
            if goodbye {
                conn.finish().await.unwrap();
            }
        })
        .await;
        let clients = trusting(Some(authority.path()));
        let incoming = clients.send(&card_for("api.test", &upstream), post("hi")).await.unwrap();
        assert_eq!(drain(incoming.body).await, (b"hello".to_vec(), end));
    }
}

#[actix_rt::test]
async fn an_early_answer_is_read_above_tls_too() {
    let authority = Authority::new("ours");
    let upstream = Upstream::start_tls(authority.server("api.test", 2999), |mut conn| async move {
        conn.head().await;
        conn.send("HTTP/1.1 401 Unauthorized\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwho?").await;
    })
    .await;
    let clients = trusting(Some(authority.path()));
    let card = card_for("api.test", &upstream);
    for _ in 0..10 {
        let incoming = clients.send(&card, post(vec![b'x'; 4 << 20])).await.unwrap();
        assert_eq!(incoming.status.as_u16(), 401);
        assert_eq!(drain(incoming.body).await, (b"who?".to_vec(), Ok(())));
    }
}
