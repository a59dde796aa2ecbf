//! Callers who vanish: in the middle of a stream or before its head, with FIN, with RST, in every format.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pointsman::{
    demo::upstream,
    journal::record::{Ending, Metering},
};
use protocol::Format;
use tokio::time::sleep;

use crate::{
    caller::{Ask, Caller},
    figures::{Ms, Times},
    rig::{self, Rig},
    rows, turn,
};

const BATCHES: usize = 20;
const IN_A_BATCH: usize = 50;

/// How a caller leaves.
#[derive(Clone, Copy, PartialEq)]
enum Exit {
    Fin,
    Rst,
    /// Nothing has come yet.
    BeforeTheHead,
}

/// Every way in every format comes up once in twelve.
fn part(number: usize) -> (Format, Exit) {
    let exits = [Exit::Fin, Exit::Rst, Exit::BeforeTheHead];
    (Format::ALL[number % 4], exits[number / 4 % 3])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i10_i16_i28_a_thousand_callers_vanish_and_leave_nothing_behind() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let rig = Rig::serve(vec![rig::provider("only", upstream.base_url())], |_| ()).await;
    let mut closed = Vec::new();
    for batch in 0..BATCHES {
        let numbers = (batch * IN_A_BATCH)..((batch + 1) * IN_A_BATCH);
        let callers = join_all(numbers.map(|number| settle_in(&rig, number))).await;
        until_open(&upstream, IN_A_BATCH).await;

        let left = Instant::now();
        let leaving = callers.into_iter().map(|(caller, exit)| async move {
            match exit {
                Exit::Fin => Some(caller.leave_politely().await.unwrap()),
                Exit::Rst => {
                    caller.leave_rudely().unwrap();
                    None
                }
                Exit::BeforeTheHead => None,
            }
        });
        let lingering = join_all(leaving).await;
        closed.extend(closings(&upstream, left).await);
        drop(lingering);
    }
    let quiet = rig.quiet().await;
    let closed = Times::of(closed);
    assert_eq!(closed.count(), BATCHES * IN_A_BATCH);
    assert!(closed.max() < Duration::from_secs(1), "{closed}");

    rig.house.recorder.flush().await;
    let rows = rows::all(&rig.house.store).await;
    assert_eq!(rows.len(), BATCHES * IN_A_BATCH, "one row each (I-28)");
    let mut before_the_head = 0;
    for row in &rows {
        assert_eq!(row.ending, Ending::CallerLeft, "{row:?}");
        assert!(matches!(row.metering, Metering::Estimated(_) | Metering::None), "{row:?}");
        assert_eq!(row.attempts.len(), 1, "{row:?}");
        assert_eq!(row.attempts[0].outcome.name(), "caller_left", "{row:?}");
        before_the_head += usize::from(row.status == 499);
    }
    let expected = (0..BATCHES * IN_A_BATCH).filter(|number| part(*number).1 == Exit::BeforeTheHead).count();
    assert_eq!(before_the_head, expected, "rows of those who got no head");

    let provider = rig.provider("only").await;
    let breaker = &provider.detail.as_ref().unwrap()["breaker"];
    assert_eq!((&breaker["state"], &breaker["failures_in_a_row"]), (&"closed".into(), &0.into()), "I-16");
    assert_eq!((provider.restarts, rig.unordered_panics()), (0, 0));
    println!(
        "vanishing: {} callers left, upstream closed after {closed}; gauges zero {} after the last; \
         {} rows, all caller_left; breaker closed; 0 panics",
        closed.count(),
        Ms(quiet),
        rows.len(),
    );
}

/// A caller in the middle of an answer, or waiting for one that will not come.
async fn settle_in(rig: &Rig, number: usize) -> (Caller, Exit) {
    let (format, exit) = part(number);
    let prompt = match exit {
        Exit::BeforeTheHead => format!("caller {number} [[hang]]"),
        Exit::Fin | Exit::Rst => format!("caller{number} [[events 200]] [[slow 50ms]]"),
    };
    let mut caller = Caller::connect(rig.address()).await.unwrap();
    caller.send(&Ask::stream(&rig.key, "some-model", &prompt).in_format(format)).await.unwrap();
    if exit != Exit::BeforeTheHead {
        // The first event that carries its name is the middle of the answer.
        caller.wait_for(format!("caller{number}:2 ").as_bytes()).await.unwrap();
    }
    (caller, exit)
}

async fn until_open(upstream: &upstream::Running, count: usize) {
    let start = Instant::now();
    while upstream.open() < count {
        assert!(start.elapsed() < Duration::from_secs(5), "{} of {count} arrived", upstream.open());
        sleep(Duration::from_millis(2)).await;
    }
}

/// When each of the open requests was closed at the upstream, counted from `left`.
async fn closings(upstream: &upstream::Running, left: Instant) -> Vec<Duration> {
    let mut closed = Vec::new();
    while closed.len() < IN_A_BATCH {
        let (open, at) = (upstream.open(), left.elapsed());
        closed.resize(IN_A_BATCH - open, at);
        assert!(at < Duration::from_secs(5), "{open} are still open at the upstream");
        sleep(Duration::from_micros(500)).await;
    }
    closed
}
