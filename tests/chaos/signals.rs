//! The end of a process: asked to stop with streams running, asked twice, and killed.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use pointsman::demo::upstream;
use tokio::time::sleep;

use crate::{
    caller::{Answer, Ask, Caller},
    figures::{Ms, Times},
    process::{Premises, Process},
    rig::{self, Rig},
    rows, turn,
};

const STREAMS: usize = 20;

/// Callers in the middle of a stream that takes so many steps of 100 ms.
async fn streaming(gateway: SocketAddr, key: &str, steps: usize) -> Vec<Caller> {
    let prompt = format!("steady [[events {steps}]] [[slow 100ms]]");
    let ask = Ask::stream(key, "some-model", &prompt);
    join_all((0..STREAMS).map(|_| async {
        let mut caller = Caller::connect(gateway).await.unwrap();
        caller.send(&ask).await.unwrap();
        caller.wait_for(b"steady:2 ").await.unwrap();
        caller
    }))
    .await
}

/// What becomes of a request on a new connection.
async fn knock(process: &Process, key: &str) -> std::io::Result<Answer> {
    Caller::connect(process.address).await?.ask(&Ask::plain(key, "some-model", "hello")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i44_asked_to_stop_it_lets_every_stream_end_and_begins_nothing_new() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let premises = Premises::with(vec![rig::provider("only", upstream.base_url())]).await;
    let mut process = premises.start("drained", "info", &[]).await;
    let mut regular = Caller::connect(process.address).await.unwrap();
    let hello = Ask::plain(&premises.key, "some-model", "hello");
    assert_eq!(regular.ask(&hello).await.unwrap().status, 200);
    let callers = streaming(process.address, &premises.key, 20).await;

    let told = Instant::now();
    process.terminate();
    // `regular` keeps its connection open and idle all the while: that must not hold anybody up.
    let (admitted, closed) = until_closed_to_new(&process, &premises.key).await;
    let answers = callers.into_iter().map(|mut caller| async move { caller.answer().await });
    let mut whole = 0;
    for answer in join_all(answers).await {
        let answer = answer.expect("the stream ends cleanly");
        assert!(answer.body.contains("steady:20 ") && answer.body.contains("message_stop"), "{answer:?}");
        whole += 1;
    }
    let streams_ended = told.elapsed();
    let (status, idle) = process.end(Duration::from_secs(10)).await;
    assert!(status.success(), "{status} {}", process.stderr());
    assert!(idle < Duration::from_secs(3), "it lingered for {idle:?} with nothing to do");

    let rows = rows::all(&premises.store()).await;
    let complete = rows::count(&rows, "complete");
    assert_eq!(complete, STREAMS + 1 + admitted, "{}", process.stderr());
    println!(
        "SIGTERM: {whole} of {STREAMS} streams ended whole within {}, {complete} complete rows, new work {closed}; \
         exit code 0, {} after the last stream",
        Ms(streams_ended),
        Ms(idle)
    );
}

/// Knocks until the door is shut; says how often it was still opened, and how it is shut.
async fn until_closed_to_new(process: &Process, key: &str) -> (usize, String) {
    let (told, mut admitted) = (Instant::now(), 0);
    loop {
        match knock(process, key).await {
            Ok(answer) if answer.status == 200 => {
                assert!(told.elapsed() < Duration::from_secs(1), "it still begins new work");
                admitted += 1;
                sleep(Duration::from_millis(5)).await;
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503);
                return (admitted, "answered 503".to_owned());
            }
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::TimedOut, "left standing at the door");
                return (admitted, format!("refused ({:?})", error.kind()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_signal_cuts_what_still_runs_and_writes_it_down() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let premises = Premises::with(vec![rig::provider("only", upstream.base_url())]).await;
    let mut process = premises.start("cut", "info", &[]).await;
    let callers = streaming(process.address, &premises.key, 600).await;
    process.terminate();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(upstream.open(), STREAMS, "one signal cuts nobody");
    process.terminate();
    let (status, cut) = process.end(Duration::from_secs(10)).await;
    assert!(status.success(), "{status} {}", process.stderr());
    assert!(cut < Duration::from_secs(2), "at once is not {cut:?}");
    let ends = callers.into_iter().map(|mut caller| async move { caller.answer().await.is_err() });
    assert_eq!(join_all(ends).await, [true; STREAMS], "no cut stream looks whole (I-27)");
    let rows = rows::all(&premises.store()).await;
    assert_eq!((rows.len(), rows::count(&rows, "draining")), (STREAMS, STREAMS), "{}", process.stderr());
    println!("second SIGTERM: {STREAMS} streams cut, exit code 0 after {}, {STREAMS} rows draining", Ms(cut));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i44_streams_that_outlast_the_drain_limit_are_cut_and_written_down() {
    let _turn = turn().await;
    const LIMIT: Duration = Duration::from_secs(1);
    let upstream = upstream::start(0).unwrap();
    let rig = Rig::serve(vec![rig::provider("only", upstream.base_url())], |config| {
        config.server.drain_timeout = LIMIT;
    })
    .await;
    let callers = streaming(rig.address(), &rig.key, 600).await;
    let told = Instant::now();
    rig.house.stopper.stop();
    let ends = callers.into_iter().map(|mut caller| async move { caller.answer().await.is_err() });
    assert_eq!(join_all(ends).await, [true; STREAMS], "no cut stream looks whole (I-27)");
    let cut = told.elapsed();
    assert!((LIMIT..LIMIT + Duration::from_secs(1)).contains(&cut), "{cut:?}");
    rig.ended().await;
    let ended = told.elapsed();
    assert!(ended < LIMIT + Duration::from_secs(2), "{ended:?}");
    let rows = rows::all(&rig.house.store).await;
    assert_eq!((rows.len(), rows::count(&rows, "draining")), (STREAMS, STREAMS));
    println!(
        "drain limit of {}: {STREAMS} streams cut after {}, {STREAMS} rows draining",
        Ms(LIMIT),
        Ms(cut)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_it_starts_again_and_keys_still_work() {
    let _turn = turn().await;
    const KILLS: usize = 3;
    let upstream = upstream::start(0).unwrap();
    let premises = Premises::with(vec![rig::provider("only", upstream.base_url())]).await;
    let mut process = premises.start("first", "info", &[]).await;
    let mut starts = Vec::new();
    for life in 1..=KILLS {
        assert_eq!(knock(&process, &premises.key).await.unwrap().status, 200);
        let callers = streaming(process.address, &premises.key, 600).await;
        // Written in groups: the row of the first request is safe once the group is (I-42).
        sleep(Duration::from_millis(200)).await;
        process.kill();
        let start = Instant::now();
        process = premises.start(&format!("life-{life}"), "info", &[]).await;
        assert_eq!(knock(&process, &premises.key).await.unwrap().status, 200, "the key still works");
        starts.push(start.elapsed());
        drop(callers);
    }
    process.terminate();
    let (status, _) = process.end(Duration::from_secs(10)).await;
    assert!(status.success(), "{status} {}", process.stderr());
    let rows = rows::all(&premises.store()).await;
    assert_eq!(rows::count(&rows, "complete"), 2 * KILLS, "what had ended before a kill is there");
    println!(
        "kill -9: {KILLS} times under {STREAMS} streams; start to first answer {}; {} finished rows all there",
        Times::of(starts),
        rows.len()
    );
}
