//! I-44: told to stop, the house lets running answers end, begins nothing new, and loses no row.

use std::{rc::Rc, time::Duration};

use protocol::Format;
use tokio::{sync::Notify, time::Instant};

use crate::{
    house::{Answering, Asking, End, HEAD_OF_STREAM, Speech, TestHouse, chunk},
    scripted::Upstream,
};

const STREAMS: usize = 8;

/// Sends all but the last event of its answer, and that at a signal. Plain questions it answers at once.
async fn waiting() -> (Upstream, Rc<Notify>) {
    let signal = Rc::new(Notify::new());
    let given = signal.clone();
    let upstream = Upstream::start(move |mut conn| {
        let signal = signal.clone();
        async move {
            let speech = Speech::new(Format::Anthropic, "word");
            while let Some(request) = conn.request().await {
                if !request.text().contains("\"stream\":true") {
                    conn.send(speech.on_the_wire(false)).await;
                    continue;
                }
                let (now, later) = speech.events.split_at(4);
                conn.send(HEAD_OF_STREAM).await;
                conn.send(chunk(now.concat())).await;
                signal.notified().await;
                conn.send(chunk(later.concat())).await;
                conn.send("0\r\n\r\n").await;
            }
        }
    })
    .await;
    (upstream, given)
}

async fn open(upstream: &Upstream, drain: Duration) -> TestHouse {
    TestHouse::open(|setup| {
        setup.drain_timeout = drain;
        setup.provider("only", upstream.address);
    })
    .await
}

fn question(streamed: bool) -> Asking {
    Asking::in_format(Format::Anthropic, "m", streamed, "hello")
}

async fn streams(house: &TestHouse) -> Vec<Answering> {
    let mut running = Vec::new();
    for _ in 0..STREAMS {
        let mut answering = house.begin(question(true)).await;
        assert!(answering.hears("word").await);
        running.push(answering);
    }
    running
}

/// Waits until the house takes no new connections: it has noticed that it shall stop.
async fn told(house: &TestHouse) {
    while tokio::net::TcpStream::connect(house.address).await.is_ok() {}
}

#[actix_rt::test]
async fn i44_running_streams_end_while_nothing_new_is_begun() {
    let (upstream, signal) = waiting().await;
    let house = open(&upstream, Duration::from_secs(60)).await;
    let running = streams(&house).await;
    house.stopper.stop();
    told(&house).await;
    for answering in running {
        signal.notify_one();
        let heard = answering.rest().await;
        assert_eq!(
            (heard.end, heard.text()),
            (End::Clean, Speech::new(Format::Anthropic, "word").stream().as_str())
        );
    }
    let rows = house.ended().await;
    let complete = rows.iter().filter(|row| row.ending.name() == "complete").count();
    assert_eq!((complete, rows.len()), (STREAMS, STREAMS));
}

#[actix_rt::test]
async fn i44_told_a_second_time_the_house_breaks_off_what_runs() {
    let (upstream, _signal) = waiting().await;
    let house = open(&upstream, Duration::from_secs(60)).await;
    let running = streams(&house).await;
    house.stopper.stop();
    told(&house).await;
    house.stopper.stop();
    check_broken_off(house, running).await;
}

#[actix_rt::test]
async fn i44_what_runs_beyond_the_drain_limit_is_broken_off() {
    let (upstream, _signal) = waiting().await;
    let house = open(&upstream, Duration::from_secs(1)).await;
    let running = streams(&house).await;
    house.stopper.stop();
    check_broken_off(house, running).await;
}

async fn check_broken_off(house: TestHouse, running: Vec<Answering>) {
    for answering in running {
        let heard = answering.rest().await;
        assert_eq!(heard.end, End::Broken);
        assert!(heard.text().contains("the gateway is shutting down"), "{}", heard.text());
    }
    let rows = house.ended().await;
    assert_eq!(rows.len(), STREAMS);
    for row in rows {
        let outcomes: Vec<_> = row.attempts.iter().map(|attempt| attempt.outcome.name()).collect();
        let told = (row.ending.name(), row.metering.name(), outcomes.as_slice());
        assert_eq!(told, ("draining", "estimated", &["drained"][..]), "{row:?}");
    }
}

#[actix_rt::test]
async fn i44_who_still_waits_for_an_answer_is_told_when_the_time_is_over() {
    let received = Rc::new(Notify::new());
    let told_of = received.clone();
    let silent = Upstream::start(move |mut conn| {
        let received = told_of.clone();
        async move {
            let _ = conn.request().await;
            received.notify_one();
            conn.closed().await;
        }
    })
    .await;
    let house = open(&silent, Duration::from_secs(60)).await;
    let stop = async {
        received.notified().await;
        house.stopper.stop();
        house.stopper.stop();
    };
    let (heard, ()) = tokio::join!(house.ask(question(true)), stop);
    assert_eq!((heard.status, heard.end), (503, End::Clean), "{}", heard.text());
    assert_eq!(heard.header("retry-after"), Some("1"));
    let rows = house.ended().await;
    assert_eq!((rows[0].status, rows[0].ending.name()), (503, "draining"));
    assert_eq!(rows[0].attempts[0].outcome.name(), "drained");
}

/// Clients keep connections open for minutes; nobody waits for these.
#[actix_rt::test]
async fn i44_an_idle_connection_does_not_hold_the_end_up() {
    let (upstream, _signal) = waiting().await;
    let house = open(&upstream, Duration::from_secs(60)).await;
    let mut idle = house.begin(question(false).keeping_alive()).await;
    idle.heard().await;
    let stopped = Instant::now();
    house.stopper.stop();
    assert_eq!(house.ended().await.len(), 1);
    assert!(stopped.elapsed() < Duration::from_secs(20), "it took {:?}", stopped.elapsed());
}
