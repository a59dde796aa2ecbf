//! I-24 and S12: connections that went stale, and connections let go.

use std::{rc::Rc, time::Duration};

use actors::ids::ProviderId;
use futures_util::StreamExt as _;
use pointsman::upstream::Fault;
use tokio::{sync::Notify, time::timeout};

use super::{card_of, clients, exchange, post, text};
use crate::scripted::Upstream;

#[actix_rt::test]
async fn i24_a_keep_alive_closer_causes_no_visible_error() {
    let upstream = Upstream::start(|mut conn| async move {
        let first = conn.request().await.expect("a request");
        conn.answer(first.text()).await;
        conn.request().await; // and no answer to this one
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    let mut retried = 0;
    for number in 0..200 {
        let incoming = clients.send(&card, post(number.to_string())).await.expect("no visible error");
        retried += usize::from(incoming.retried_stale);
        assert_eq!(text(incoming).await, number.to_string());
    }
    assert_eq!(retried, 199, "every request but the first meets a connection about to close");
}

#[actix_rt::test]
async fn i24_the_retry_goes_out_on_a_fresh_connection_not_on_another_pooled_one() {
    let all_busy = Rc::new(tokio::sync::Barrier::new(8));
    let upstream = Upstream::start(move |mut conn| {
        let all_busy = all_busy.clone();
        async move {
            let first = conn.request().await.expect("a request");
            if conn.number < 8 {
                all_busy.wait().await;
            }
            conn.answer(first.text()).await;
            conn.request().await;
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    let eight = (0..8).map(|_| exchange(&clients, &card, "warm"));
    for outcome in futures_util::future::join_all(eight).await {
        assert_eq!(outcome, Ok((200, "warm".to_owned())));
    }
    assert_eq!(upstream.connections(), 8);
    // Eight stale connections in the pool: a retry on a second one would fail visibly.
    let incoming = clients.send(&card, post("ninth")).await.expect("no visible error");
    assert!(incoming.retried_stale);
    assert_eq!(text(incoming).await, "ninth");
    assert_eq!(upstream.connections(), 9);
}

#[actix_rt::test]
async fn i24_a_fresh_connection_without_an_answer_is_a_fault_and_not_retried() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.request().await;
    })
    .await;
    assert_eq!(exchange(&clients(), &card_of(&upstream), "hi").await, Err(Fault::NoAnswer));
    assert_eq!(upstream.requests().len(), 1);
}

#[actix_rt::test]
async fn i24_a_reused_connection_that_said_something_is_not_retried() {
    let upstream = Upstream::start(|mut conn| async move {
        let first = conn.request().await.expect("a request");
        conn.answer(first.text()).await;
        conn.request().await;
        conn.send("H").await;
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    assert!(exchange(&clients, &card, "one").await.is_ok());
    assert_eq!(exchange(&clients, &card, "two").await, Err(Fault::Cut));
    assert_eq!(upstream.requests().len(), 2);
}

#[actix_rt::test]
async fn a_connection_that_closes_at_rest_is_not_used_again() {
    let closed = Rc::new(Notify::new());
    let upstream = Upstream::start({
        let closed = closed.clone();
        move |mut conn| {
            let closed = closed.clone();
            async move {
                let request = conn.request().await.expect("a request");
                conn.answer(request.text()).await;
                drop(conn);
                closed.notify_one();
            }
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for _ in 0..3 {
        let incoming = clients.send(&card, post("hi")).await.unwrap();
        assert_eq!(text(incoming).await, "hi");
        closed.notified().await;
    }
    assert_eq!((upstream.connections(), upstream.requests().len()), (3, 3));
}

#[actix_rt::test]
async fn connection_close_is_respected() {
    let upstream = Upstream::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for _ in 0..3 {
        assert_eq!(exchange(&clients, &card, "hi").await, Ok((200, "ok".to_owned())));
    }
    assert_eq!(upstream.connections(), 3);
}

/// An upstream that starts an answer (or not) and reports when its peer has closed.
async fn waiting(begin: &'static str) -> (Upstream, Rc<Notify>, Rc<Notify>) {
    let (asked, closed) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let upstream = Upstream::start({
        let (asked, closed) = (asked.clone(), closed.clone());
        move |mut conn| {
            let (asked, closed) = (asked.clone(), closed.clone());
            async move {
                conn.request().await.expect("a request");
                conn.send(begin).await;
                asked.notify_one();
                conn.closed().await;
                closed.notify_one();
            }
        }
    })
    .await;
    (upstream, asked, closed)
}

#[actix_rt::test]
async fn s12_dropping_the_body_closes_the_upstream_connection_within_a_second() {
    let begin = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (upstream, _, closed) = waiting(begin).await;
    let (clients, card) = (clients(), card_of(&upstream));
    let mut body = clients.send(&card, post("hi")).await.unwrap().body;
    assert_eq!(body.next().await, Some(Ok("hello".into())));
    drop(body);
    timeout(Duration::from_secs(1), closed.notified()).await.expect("closed within a second");
}

#[actix_rt::test]
async fn s12_dropping_the_request_closes_the_upstream_connection_within_a_second() {
    let (upstream, asked, closed) = waiting("").await;
    let (clients, card) = (clients(), card_of(&upstream));
    tokio::select! {
        _ = clients.send(&card, post("hi")) => panic!("there is no answer"),
        () = asked.notified() => {}
    }
    timeout(Duration::from_secs(1), closed.notified()).await.expect("closed within a second");
}

#[actix_rt::test]
async fn a_newer_card_takes_the_pool_over_while_running_streams_go_on() {
    let go_on = Rc::new(Notify::new());
    let upstream = Upstream::start({
        let go_on = go_on.clone();
        move |mut conn| {
            let go_on = go_on.clone();
            async move {
                while let Some(request) = conn.request().await {
                    if request.text() == "slow" {
                        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsl").await;
                        go_on.notified().await;
                        conn.send("ow").await;
                    } else {
                        conn.answer(request.text()).await;
                    }
                }
            }
        }
    })
    .await;
    let clients = clients();
    let old = card_of(&upstream);
    let mut new = old.clone();
    new.version = 2;
    let running = clients.send(&old, post("slow")).await.unwrap();
    assert_eq!(exchange(&clients, &new, "a").await, Ok((200, "a".to_owned())));
    assert_eq!(
        exchange(&clients, &old, "b").await,
        Ok((200, "b".to_owned())),
        "a straggler with the old card"
    );
    assert_eq!(exchange(&clients, &new, "c").await, Ok((200, "c".to_owned())));
    go_on.notify_one();
    assert_eq!(text(running).await, "slow");
    let on: Vec<_> = upstream.requests().iter().map(|request| request.connection).collect();
    assert_eq!(on, [0, 1, 2, 1], "the new card keeps its pool");
    clients.forget(ProviderId(1));
    assert_eq!(exchange(&clients, &new, "d").await, Ok((200, "d".to_owned())));
    assert_eq!(upstream.connections(), 4);
}
