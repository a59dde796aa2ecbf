//! The measuring rig measures right: bodies and events are read the same however their bytes are cut.

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local, yield_now},
};

use crate::{
    events::Events,
    record::Spread,
    scenario::{self, Answer, Scenario},
    upstream,
    wire::Wire,
};

const STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n\
    event: content_block_delta\ndata: {\"text\":\"sent=12 a\"}\n\n: a comment\n\n\
    event: content_block_delta\ndata: {\"text\":\"sent=34 b\"}\n\nevent: message_stop\ndata: {}\n\n";

#[test]
fn events_are_counted_alike_for_any_cut_of_the_bytes() {
    for cut in 0..=STREAM.len() {
        let (head, tail) = STREAM.as_bytes().split_at(cut);
        let (mut events, mut delays) = (Events::default(), Vec::new());
        events.push(head, |delay| delays.push(delay));
        events.push(tail, |delay| delays.push(delay));
        assert_eq!((events.deltas, events.ended, delays.len()), (2, true, 2), "cut at {cut}");
    }
}

#[test]
fn a_stream_that_is_cut_short_has_no_end_mark() {
    let mut events = Events::default();
    events.push(&STREAM.as_bytes()[..STREAM.len() - 30], |_| ());
    assert_eq!((events.deltas, events.ended), (2, false));
}

#[test]
fn a_chunked_body_is_read_alike_for_any_cut_of_the_bytes() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                  5;why=not\r\nhello\r\n1\r\n \r\n0B\r\nworld\r\nagain\r\n0\r\nx-trailer: 1\r\n\r\n"
        .replace("world\r\nagain", "world again");
    let next = "HTTP/1.1 503 No\r\ncontent-length: 3\r\n\r\nbad";
    let bytes = format!("{answer}{next}").into_bytes();
    on_loopback(async |mut far, mut wire| {
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let (head, tail) = (head.to_vec(), tail.to_vec());
            let sending = spawn_local(async move {
                far.write_all(&head).await.unwrap();
                yield_now().await;
                far.write_all(&tail).await.unwrap();
                far
            });
            assert_eq!(read(&mut wire).await, (200, "hello world again".to_owned()), "cut at {cut}");
            assert_eq!(read(&mut wire).await, (503, "bad".to_owned()), "cut at {cut}");
            far = sending.await.unwrap();
        }
    });
}

#[test]
fn a_body_that_ends_too_early_is_an_error() {
    for whole in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        on_loopback(async |mut far, mut wire| {
            far.write_all(whole.as_bytes()).await.unwrap();
            drop(far);
            let head = wire.head().await.unwrap().unwrap();
            assert!(wire.body(head.framing, |_| ()).await.is_err(), "{whole}");
        });
    }
}

#[test]
fn the_upstream_answers_what_the_scenario_asks_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    on_one_thread(async {
        spawn_local(upstream::serve(TcpListener::from_std(listener).unwrap()));
        let mut wire = Wire::new(TcpStream::connect(&address).await.unwrap()).unwrap();
        for name in ["plain-1", "burst-32", "big-8"] {
            let scenario = Scenario::named(name).unwrap();
            wire.send(&scenario.request(&address, "sk-none", 7)).await.unwrap();
            let (status, body) = read(&mut wire).await;
            assert_eq!(status, 200, "{name}");
            if let Answer::Stream { events: asked, .. } = scenario.answer {
                let mut events = Events::default();
                events.push(body.as_bytes(), |_| ());
                assert_eq!((events.deltas, events.ended), (asked, true), "{name}");
            } else {
                assert_eq!(body, upstream::plain_body(), "{name}");
            }
        }
        wire.send(b"GET /stats HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut wire).await.1, r#"{"connections":1,"requests":3}"#);
    });
}

#[test]
fn requests_are_json_of_the_size_that_was_asked_for() {
    for scenario in &scenario::ALL {
        let request = scenario.request("host", "key", 1);
        let head = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let body: serde_json::Value = serde_json::from_slice(&request[head..]).unwrap();
        assert_eq!(body["stream"], scenario.streams(), "{}", scenario.name);
        let size = request.len() - head;
        assert!(size.abs_diff(scenario.prompt_bytes) < 5_000, "{}: {size} bytes", scenario.name);
    }
}

#[test]
fn a_spread_names_the_middle_and_the_tail() {
    let mut nanos: Vec<u64> = (0..=100).rev().map(|micros| micros * 1_000).collect();
    let spread = Spread::of(&mut nanos);
    assert_eq!((spread.p50, spread.p90, spread.p99), (50.0, 90.0, 99.0));
    assert_eq!(Spread::of(&mut []).p99, 0.0);
}

async fn read(wire: &mut Wire) -> (u16, String) {
    let head = wire.head().await.unwrap().unwrap();
    let mut body = Vec::new();
    wire.body(head.framing, |bytes| body.extend_from_slice(bytes)).await.unwrap();
    (head.status, String::from_utf8(body).unwrap())
}

fn on_loopback(work: impl AsyncFnOnce(TcpStream, Wire)) {
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        work(far, Wire::new(near).unwrap()).await;
    });
}

fn on_one_thread(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work);
}
