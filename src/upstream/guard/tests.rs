//! The guard between two ends of an in-memory pipe, on a stopped clock.

use std::{future::poll_fn, io, pin::Pin, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::{Instant, advance, sleep, timeout},
};

use super::{Fault, Generation, Guard, Limits};

const FIRST_BYTE: Duration = Duration::from_secs(180);
const IDLE: Duration = Duration::from_secs(240);
const ASK: &[u8] = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";

fn pair(capacity: usize) -> (Guard<DuplexStream>, DuplexStream, Generation) {
    let (ours, theirs) = duplex(capacity);
    let generation = Generation::default();
    let limits = Limits { first_byte: FIRST_BYTE, idle: IDLE };
    (Guard::new(ours, limits, generation.clone()), theirs, generation)
}

/// A guard that has asked.
async fn asked() -> (Guard<DuplexStream>, DuplexStream, Generation) {
    let (mut guard, theirs, generation) = pair(64 * 1024);
    guard.write_all(ASK).await.unwrap();
    (guard, theirs, generation)
}

fn fault(error: &io::Error) -> Option<Fault> {
    Fault::inside(error)
}

/// What awc's pool finds when it looks at a resting connection: nothing, or a reason to drop it.
async fn is_usable(guard: &mut Guard<DuplexStream>) -> bool {
    let look = poll_fn(|cx| Pin::new(&mut *guard).poll_read(cx, &mut ReadBuf::new(&mut [0; 2])));
    look.now_or_never().is_none()
}

/// Whether the other end of the pipe is closed, without waiting.
fn is_closed(theirs: &mut DuplexStream) -> bool {
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn i32_the_head_limit_fires_on_time_whatever_trickles_in() {
    let (mut guard, mut theirs, _) = asked().await;
    let start = Instant::now();
    let trickle = async {
        for byte in b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nx: y" {
            sleep(Duration::from_secs(10)).await;
            let _ = theirs.write_all(&[*byte]).await;
        }
    };
    let (read, ()) = tokio::join!(
        async {
            let read = guard.read_u8().await;
            (read, start.elapsed())
        },
        trickle
    );
    assert_eq!(fault(&read.0.unwrap_err()), Some(Fault::HeadTimeout));
    assert_eq!(read.1, FIRST_BYTE);
    assert!(is_closed(&mut theirs), "and everything is released");
}

#[tokio::test(start_paused = true)]
async fn i32_the_idle_limit_fires_on_time_and_spares_a_slow_but_living_stream() {
    let (mut guard, mut theirs, _) = asked().await;
    let mut head = [0; 60];
    theirs.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let _ = guard.read(&mut head).await.unwrap();
    let writer = async {
        for byte in b"5\r\nhello\r\n".repeat(100) {
            sleep(IDLE - Duration::from_secs(1)).await;
            theirs.write_all(&[byte]).await.unwrap();
        }
        Instant::now()
    };
    let reader = async {
        let mut passed = Vec::new();
        loop {
            match guard.read_u8().await {
                Ok(byte) => passed.push(byte),
                Err(error) => return (passed, fault(&error), Instant::now()),
            }
        }
    };
    let both = timeout(1_200 * IDLE, async { tokio::join!(reader, writer) });
    let ((passed, fault, ended), last) = both.await.expect("an end at all");
    assert_eq!(passed, b"5\r\nhello\r\n".repeat(100));
    assert_eq!((fault, ended - last), (Some(Fault::IdleTimeout), IDLE));
}

#[tokio::test(start_paused = true)]
async fn i32_a_reader_that_stays_away_is_not_taken_for_a_silent_upstream() {
    let (mut guard, mut theirs, _) = asked().await;
    theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
    let mut part = [0; 1024];
    let _ = guard.read(&mut part).await.unwrap();
    // The reader is busy elsewhere for ten times the limit, and the rest has come meanwhile.
    theirs.write_all(b"wor").await.unwrap();
    advance(10 * IDLE).await;
    assert_eq!(guard.read(&mut part).await.unwrap(), 3);
    // Away again, and nothing has come: silence counts from when someone listens.
    advance(10 * IDLE).await;
    let start = Instant::now();
    let error = guard.read(&mut part).await.unwrap_err();
    assert_eq!((fault(&error), start.elapsed()), (Some(Fault::IdleTimeout), IDLE));
}

#[tokio::test(start_paused = true)]
async fn i32_an_upstream_that_takes_no_more_of_the_request_is_given_up_from_its_last_sip() {
    let (mut guard, mut theirs, _) = pair(64);
    let start = Instant::now();
    let asking = async {
        guard.write_all(ASK).await.unwrap();
        guard.write_all(&[b'x'; 1000]).await.unwrap(); // the rest goes nowhere, reading tells why
        let error = guard.read_u8().await.unwrap_err();
        (fault(&error), start.elapsed())
    };
    let sip = async {
        sleep(Duration::from_secs(100)).await;
        theirs.read_exact(&mut [0; 64]).await.unwrap();
    };
    let (given_up, ()) = tokio::join!(asking, sip);
    assert_eq!(given_up, (Some(Fault::HeadTimeout), Duration::from_secs(100) + FIRST_BYTE));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_begins_well_does_not_stop_the_request() {
    let (mut guard, mut theirs, _) = pair(64);
    let asking = async {
        guard.write_all(ASK).await.unwrap();
        guard.write_all(&[b'x'; 1000]).await.unwrap();
        let mut answer = Vec::new();
        guard.read_buf(&mut answer).await.unwrap();
        answer
    };
    let upstream = async {
        theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let mut all = vec![0; ASK.len() + 1000];
        theirs.read_exact(&mut all).await.unwrap();
    };
    let (answer, ()) = tokio::join!(asking, upstream);
    assert_eq!(answer, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert!(is_usable(&mut guard).await, "the request went out whole");
}

#[tokio::test(start_paused = true)]
async fn i30_a_request_within_the_answer_to_another_is_refused_and_costs_the_connection() {
    let (mut guard, mut theirs, _) = asked().await;
    theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
    let _ = guard.read(&mut [0; 1024]).await.unwrap();
    let error = guard.write_all(ASK).await.unwrap_err();
    assert_eq!(fault(&error), Some(Fault::StaleReuse));
    assert!(is_closed(&mut theirs));
}

#[tokio::test(start_paused = true)]
async fn i30_a_resting_connection_is_usable_until_it_speaks_closes_or_is_retired() {
    type Spoil = fn(DuplexStream, &Generation) -> Option<DuplexStream>;
    let spoils: [(Spoil, bool); 4] = [
        (|theirs, _| Some(theirs), true),
        (|_, _| None, false),
        (
            |mut theirs, _| {
                theirs.write_all(b"H").now_or_never();
                Some(theirs)
            },
            false,
        ),
        (
            |theirs, generation| {
                generation.retire_resting();
                Some(theirs)
            },
            false,
        ),
    ];
    for (number, (spoil, usable)) in spoils.into_iter().enumerate() {
        let (mut guard, mut theirs, generation) = asked().await;
        generation.retire_resting(); // while at work: no matter
        theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        let read = guard.read(&mut [0; 1024]).await.unwrap();
        assert_eq!(read, 40);
        let theirs = spoil(theirs, &generation);
        assert_eq!(is_usable(&mut guard).await, usable, "case {number}");
        assert_eq!(
            theirs.is_some_and(|mut theirs| is_closed(&mut theirs)),
            !usable && number != 1,
            "case {number}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_can_serve_nothing_more_is_closed_at_once() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi there",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (mut guard, mut theirs, _) = asked().await;
        theirs.write_all(answer.as_bytes()).await.unwrap();
        let mut seen = [0; 1024];
        let read = guard.read(&mut seen).await.unwrap();
        assert!(seen[..read].ends_with(b"\r\n\r\nhi"), "{answer:?}");
        assert!(is_closed(&mut theirs), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn i26_a_reader_with_room_for_one_byte_gets_every_byte() {
    let (mut guard, mut theirs, _) = asked().await;
    let body = "5;x=y\r\nhello\r\n0\r\nsum: 1\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    theirs.write_all(format!("HTTP/1.1 100 Continue\r\n\r\n{head}{body}").as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < head.len() + body.len() {
        seen.push(timeout(Duration::from_secs(1), guard.read_u8()).await.unwrap().unwrap());
    }
    assert_eq!(seen, format!("{head}{body}").into_bytes());
    assert!(is_usable(&mut guard).await);
}
