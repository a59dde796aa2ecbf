//! Events go down when they come up, and are fetched no faster than they are read.

use std::{cell::Cell, rc::Rc, time::Duration};

use protocol::Format;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    house::{Asking, End, HEAD_OF_STREAM, Speech, TestHouse, chunk},
    scripted::{Conn, Upstream},
};

/// An upstream that sends so many events of its answer, and the rest at a signal.
async fn waiting(format: Format, events: usize) -> (Upstream, Rc<Notify>) {
    let signal = Rc::new(Notify::new());
    let given = signal.clone();
    let script = move |mut conn: Conn| {
        let signal = signal.clone();
        async move {
            if conn.request().await.is_none() {
                return;
            }
            let speech = Speech::new(format, "word");
            let (now, later) = speech.events.split_at(events);
            conn.send(HEAD_OF_STREAM).await;
            conn.send(chunk(now.concat())).await;
            signal.notified().await;
            conn.send(chunk(later.concat())).await;
            conn.send("0\r\n\r\n").await;
        }
    };
    (Upstream::start(script).await, given)
}

#[actix_rt::test]
async fn the_first_event_that_says_something_is_not_held_back() {
    for format in Format::ALL {
        let preamble = Speech::new(format, "word").preamble;
        let (upstream, signal) = waiting(format, preamble + 2).await;
        let house = TestHouse::open(|setup| {
            setup.provider("only", upstream.address);
        })
        .await;
        let mut answering = house.begin(Asking::in_format(format, "m", true, "x")).await;
        // The upstream waits for the signal, which is only given when this was heard.
        assert!(answering.hears("\"word\"").await, "{format:?}");
        signal.notify_one();
        let heard = answering.rest().await;
        assert_eq!((heard.end, heard.text()), (End::Clean, Speech::new(format, "word").stream().as_str()));
        house.close().await;
    }
}

#[actix_rt::test]
async fn a_preamble_followed_by_silence_is_let_go_after_half_a_second() {
    for format in Format::ALL {
        let speech = Speech::new(format, "word");
        let (upstream, signal) = waiting(format, speech.preamble).await;
        let house = TestHouse::open(|setup| {
            setup.provider("only", upstream.address);
        })
        .await;
        let asked = Instant::now();
        let mut answering = house.begin(Asking::in_format(format, "m", true, "x")).await;
        assert!(answering.hears(&speech.events[..speech.preamble].concat()).await, "{format:?}");
        let held = asked.elapsed();
        assert!((450..3_000).contains(&held.as_millis()), "held for {held:?}");
        signal.notify_one();
        assert_eq!(answering.rest().await.text(), speech.stream());
        house.close().await;
    }
}

#[actix_rt::test]
async fn i29_a_caller_who_does_not_read_keeps_the_upstream_from_sending() {
    const SENT_AT_MOST: usize = 64 << 20;
    let sent = Rc::new(Cell::new(0));
    let counted = sent.clone();
    let upstream = Upstream::start(move |mut conn| {
        let sent = counted.clone();
        async move {
            if conn.request().await.is_none() {
                return;
            }
            let speech = Speech::new(Format::Anthropic, &"word".repeat(4_000));
            conn.send(HEAD_OF_STREAM).await;
            for event in &speech.events[..3] {
                conn.send(chunk(event)).await;
            }
            let delta = chunk(&speech.events[3]);
            while sent.get() < SENT_AT_MOST {
                conn.send(&delta).await;
                sent.set(sent.get() + delta.len());
            }
            for event in &speech.events[4..] {
                conn.send(chunk(event)).await;
            }
            conn.send("0\r\n\r\n").await;
        }
    })
    .await;
    let house = TestHouse::open(|setup| {
        setup.provider("only", upstream.address);
    })
    .await;
    let answering = house.begin(Asking::in_format(Format::Anthropic, "m", true, "x")).await;
    // Quiet is when a second goes by without a byte; the kernel's buffers fill first.
    let quiet = async {
        let mut before = usize::MAX;
        while before != sent.get() {
            before = sent.get();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(20), quiet).await.expect("the upstream is made to wait");
    assert!(sent.get() < SENT_AT_MOST / 2, "{} bytes went up the line unread", sent.get());
    let heard = answering.rest().await;
    assert_eq!(heard.end, End::Clean);
    assert!(heard.body.len() > SENT_AT_MOST - (1 << 20), "only {} bytes arrived", heard.body.len());
    house.close().await;
}

#[actix_rt::test]
async fn i28_a_caller_who_leaves_ends_the_upstreams_work_at_once() {
    for format in Format::ALL {
        let gone = Rc::new(Notify::new());
        let noticed = gone.clone();
        let upstream = Upstream::start(move |mut conn| {
            let gone = gone.clone();
            async move {
                if conn.request().await.is_none() {
                    return;
                }
                let speech = Speech::new(format, "word");
                conn.send(HEAD_OF_STREAM).await;
                conn.send(chunk(speech.events[..speech.preamble + 2].concat())).await;
                conn.closed().await;
                gone.notify_one();
            }
        })
        .await;
        let house = TestHouse::open(|setup| {
            setup.provider("only", upstream.address);
        })
        .await;
        let mut answering = house.begin(Asking::in_format(format, "m", true, "x")).await;
        assert!(answering.hears("\"word\"").await, "{format:?}");
        answering.leave();
        timeout(Duration::from_secs(1), noticed.notified())
            .await
            .expect("the upstream is let go within a second");
        let row = &house.rows().await[0];
        let told = (row.status, row.ending.name(), row.metering.name(), row.attempts[0].outcome.name());
        assert_eq!(told, (200, "caller_left", "estimated", "caller_left"), "{format:?}");
        house.close().await;
    }
}
