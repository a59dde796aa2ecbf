//! I-30: every byte of an answer belongs to the request that got it, whatever upstreams do to their
//! connections.

use std::cell::Cell;

use futures_util::future::join_all;
use pointsman::config::server::Placement;
use protocol::Format;

use crate::{
    house::{Asking, End, HEAD_OF_STREAM, Heard, Speech, TestHouse, chunk, plain},
    scripted::{Conn, Upstream},
};

const CALLERS: usize = 64;
const REQUESTS: usize = 20;

/// The nonce in a request.
fn nonce(text: &str) -> &str {
    let nonce = text.split("nonce-").nth(1).and_then(|rest| rest.split('.').next());
    nonce.expect("every question has a nonce")
}

/// Answers with the question's nonce in every event, in every way that has led proxies astray: with interim
/// heads, by closing, by keeping the connection, and by closing it just when it is wanted again.
async fn echo() -> Upstream {
    let turn = std::rc::Rc::new(Cell::new(0));
    Upstream::start(move |mut conn| {
        let turn = turn.clone();
        async move {
            while let Some(request) = conn.request().await {
                turn.set(turn.get() + 1);
                let streamed = request.text().contains("\"stream\":true");
                let speech = Speech::new(Format::Anthropic, nonce(request.text()));
                if !answer(&mut conn, &speech, streamed, turn.get()).await {
                    return;
                }
            }
        }
    })
    .await
}

/// Gives one answer; says whether the connection goes on.
async fn answer(conn: &mut Conn, speech: &Speech, streamed: bool, turn: usize) -> bool {
    match turn % 7 {
        0 => conn.send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n").await,
        1 => conn.send("HTTP/1.1 100 Continue\r\n\r\n").await,
        2 if streamed => {
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
            conn.send(speech.stream()).await;
            return false;
        }
        // It said nothing about it: the next request on this connection finds it closed.
        3 => {
            conn.send(speech.on_the_wire(streamed)).await;
            return false;
        }
        4 => {
            // Bytes nobody asked for, behind the answer.
            let unasked = plain(200, "", &Speech::new(Format::Anthropic, "nobodys").plain);
            conn.send([speech.on_the_wire(streamed), unasked].concat()).await;
            return true;
        }
        5 if streamed => {
            conn.send(HEAD_OF_STREAM).await;
            for event in &speech.events {
                conn.send(chunk(event)).await;
                tokio::task::yield_now().await;
            }
            conn.send("0\r\n\r\n").await;
            return true;
        }
        _ => {}
    }
    conn.send(speech.on_the_wire(streamed)).await;
    true
}

fn check_heard(heard: &Heard, streamed: bool, own: &str) {
    let speech = Speech::new(Format::Anthropic, own);
    assert_eq!((heard.status, heard.end), (200, End::Clean), "{own}: {}", heard.text());
    assert_eq!(heard.text(), if streamed { speech.stream() } else { speech.plain });
}

async fn check(placement: Placement) {
    let upstream = echo().await;
    let opened = TestHouse::open(|setup| {
        setup.placement = placement;
        setup.provider("only", upstream.address);
    })
    .await;
    let house = &opened;
    join_all((0..CALLERS).map(async |caller| {
        let asking = |request: usize, streamed| {
            let question = format!("nonce-{caller}-{request}.");
            Asking::in_format(Format::Anthropic, "m", streamed, &question).keeping_alive()
        };
        let mut open = house.begin(asking(0, true)).await;
        for request in 1..REQUESTS {
            let streamed = request % 3 != 0;
            let asked = house.ask_again(open, asking(request, streamed)).await;
            open = asked.expect("an answer on the same connection");
            let heard = open.heard().await;
            check_heard(&heard, streamed, &format!("{caller}-{request}"));
        }
    }))
    .await;
    let rows = opened.rows().await;
    assert_eq!(rows.len(), CALLERS * REQUESTS);
    opened.close().await;
}

#[actix_rt::test]
async fn i30_no_caller_hears_what_was_meant_for_another_with_the_state_beside_the_worker() {
    check(Placement::Beside).await;
}

#[actix_rt::test]
async fn i30_no_caller_hears_what_was_meant_for_another_with_the_state_on_its_own_thread() {
    check(Placement::Own).await;
}
