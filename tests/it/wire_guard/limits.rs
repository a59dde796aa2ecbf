//! I-32, S6, S7: every wait ends, each by its own name, and none is another provider's.
//!
//! That the limits are exact is shown on a stopped clock beside the guard; here they are shown to be wired up.

use std::time::Duration;

use actors::{ids::ProviderId, provider::card::Timeouts};
use futures_util::future::join_all;
use pointsman::upstream::Fault;
use tokio::time::{Instant, timeout};

use super::{card, card_of, clients, exchange, post};
use crate::scripted::Upstream;

/// The shortest limit that is certainly not over by accident.
const SHORT: u64 = 150;

/// All limits far away.
fn far() -> Timeouts {
    Timeouts { connect_ms: 60_000, first_byte_ms: 60_000, idle_ms: 60_000, total_ms: 60_000 }
}

/// An upstream that sends `begin` and then nothing more; the one short limit must end the attempt.
async fn check(begin: &'static str, timeouts: Timeouts, fault: Fault) {
    let upstream = Upstream::start(move |mut conn| async move {
        conn.request().await;
        conn.send(begin).await;
        std::future::pending().await
    })
    .await;
    let mut card = card_of(&upstream);
    card.timeouts = timeouts;
    let start = Instant::now();
    let outcome = timeout(Duration::from_secs(10), exchange(&clients(), &card, "hi")).await;
    assert_eq!(outcome, Ok(Err(fault)));
    assert!(start.elapsed() >= Duration::from_millis(SHORT), "not before its time");
}

const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";

#[actix_rt::test]
async fn i32_no_head_in_time_is_a_head_timeout() {
    for begin in ["", "HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        check(begin, Timeouts { first_byte_ms: SHORT, ..far() }, Fault::HeadTimeout).await;
    }
}

#[actix_rt::test]
async fn i32_silence_within_an_answer_is_an_idle_timeout() {
    check(BEGUN, Timeouts { idle_ms: SHORT, ..far() }, Fault::IdleTimeout).await;
}

#[actix_rt::test]
async fn i32_the_total_limit_ends_a_wait_for_the_head_and_for_the_body() {
    for begin in ["", BEGUN] {
        check(begin, Timeouts { total_ms: SHORT, ..far() }, Fault::TotalTimeout).await;
    }
}

#[actix_rt::test]
async fn i32_a_stream_that_never_pauses_is_ended_by_the_total_limit() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\n\r\n").await;
        let endless = async {
            loop {
                conn.send([b'x'; 1024]).await
            }
        };
        let _ = timeout(Duration::from_secs(5), endless).await;
    })
    .await;
    let mut card = card_of(&upstream);
    card.timeouts = Timeouts { total_ms: SHORT, ..far() };
    assert_eq!(exchange(&clients(), &card, "hi").await, Err(Fault::TotalTimeout));
}

#[actix_rt::test]
async fn i24_a_deadline_of_the_dispatch_ends_the_attempt_before_the_cards_own_limits() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.request().await;
        std::future::pending().await
    })
    .await;
    let mut outgoing = post("hi");
    outgoing.deadline = Some(Instant::now() + Duration::from_millis(SHORT));
    let ended = clients().send(&card_of(&upstream), outgoing).await;
    assert_eq!(ended.err(), Some(Fault::TotalTimeout));
}

#[actix_rt::test]
async fn i32_an_upstream_that_takes_the_connection_and_no_handshake_is_a_connect_timeout() {
    let upstream = Upstream::start(|mut conn| async move { conn.closed().await }).await;
    let mut card = card(format!("https://{}", upstream.address));
    card.timeouts = Timeouts { connect_ms: SHORT, ..far() };
    assert_eq!(exchange(&clients(), &card, "hi").await, Err(Fault::ConnectTimeout));
}

#[actix_rt::test]
async fn i32_an_upstream_that_stops_taking_the_prompt_is_a_head_timeout() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.head().await;
        std::future::pending().await
    })
    .await;
    let mut card = card_of(&upstream);
    card.timeouts = Timeouts { first_byte_ms: SHORT, ..far() };
    let ended = clients().send(&card, post(vec![b'x'; 16 << 20])).await;
    assert_eq!(ended.err(), Some(Fault::HeadTimeout));
}

#[actix_rt::test]
async fn s7_a_head_that_takes_longer_than_awcs_own_five_seconds_is_waited_for() {
    let upstream = Upstream::start(|mut conn| async move {
        let request = conn.request().await.expect("a request");
        // Everyone waits for this answer, so the stopped clock jumps to whoever wakes first.
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(30)).await;
        tokio::time::resume();
        conn.answer(request.text()).await;
    })
    .await;
    assert_eq!(exchange(&clients(), &card_of(&upstream), "hi").await, Ok((200, "hi".to_owned())));
}

#[actix_rt::test]
async fn nothing_listening_is_a_connect_fault_with_nothing_sent() {
    let upstream = Upstream::start(|_| async {}).await;
    let card = card_of(&upstream);
    drop(upstream);
    tokio::task::yield_now().await; // the listener goes with its task
    let fault = exchange(&clients(), &card, "hi").await.unwrap_err();
    assert_eq!((fault, fault.nothing_was_sent()), (Fault::Connect, true));
}

#[actix_rt::test]
async fn i19_a_provider_that_hangs_does_not_hold_up_another() {
    let hung = Upstream::start(|mut conn| async move {
        conn.request().await;
        std::future::pending().await
    })
    .await;
    let healthy = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            conn.answer(request.text()).await;
        }
    })
    .await;
    let clients = clients();
    let mut healthy_card = card_of(&healthy);
    healthy_card.id = ProviderId(2);
    let hung_card = card_of(&hung);
    // More than the 100 connections that awc allows by default, for all hosts together.
    let waiting = join_all((0..150).map(|_| clients.send(&hung_card, post("hi"))));
    let others = async {
        while hung.requests().len() < 150 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let answer = timeout(Duration::from_secs(3), exchange(&clients, &healthy_card, "hi"));
            assert_eq!(answer.await.expect("not held up"), Ok((200, "hi".to_owned())));
        }
    };
    tokio::select! {
        _ = waiting => panic!("the hung provider answers nobody"),
        done = timeout(Duration::from_secs(20), others) => done.expect("nobody queues for a connection"),
    }
}
