//! The bench upstream: an Anthropic Messages endpoint that costs next to nothing.
//!
//! What it answers is said in two request headers, so that it need not look into the prompt:
//! `x-bench-events: n` asks for a stream of n text deltas, `x-bench-pace-us: t` for a pause of t before
//! each. Without the first it answers plain JSON of about a kilobyte. Every delta carries the time at
//! which it was written, so that the far end can tell how long the way took. `GET /stats` tells how many
//! connections and requests have arrived.

use std::{cell::Cell, fmt::Write as _, io, rc::Rc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::{Instant, sleep_until},
};

use crate::{
    clock::unix_micros,
    wire::{Head, Wire},
};

/// Stands in every delta before the microseconds since 1970 at which it was written.
pub(crate) const STAMP: &[u8] = b"sent=";

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
     cache-control: no-cache\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n";

/// The start of the message and of its one block, sent together as vendors do.
const OPENING: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","#,
    r#""model":"bench-model","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":512,"#,
    r#""cache_creation_input_tokens":0,"cache_read_input_tokens":2048,"output_tokens":1}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\n"
);

/// The end of the block and of the message, with the final counts.
const CLOSING: &str = concat!(
    "event: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"#,
    r#""usage":{"output_tokens":250}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n"
);

/// What has arrived so far.
#[derive(Default)]
struct Seen {
    connections: Cell<u64>,
    requests: Cell<u64>,
}

/// Serves until the process is ended.
pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let seen = Rc::new(Seen::default());
    let plain: Rc<str> = json_response(&plain_body()).into();
    loop {
        let (stream, _) = listener.accept().await?;
        let (seen, plain) = (Rc::clone(&seen), Rc::clone(&plain));
        // A peer that goes away in mid-stream is the normal end of a slow stream, not an error.
        spawn_local(async move { converse(stream, &seen, &plain).await.ok() });
    }
}

async fn converse(stream: TcpStream, seen: &Seen, plain: &str) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    let mut counted = false;
    while let Some(head) = wire.head().await? {
        let script = Script::asked_for(&head);
        let asks_for_stats = head.path == "/stats";
        wire.body(head.framing, |_| ()).await?;
        if asks_for_stats {
            let (connections, requests) = (seen.connections.get(), seen.requests.get());
            let stats = format!(r#"{{"connections":{connections},"requests":{requests}}}"#);
            wire.send(json_response(&stats).as_bytes()).await?;
            continue;
        }
        // Counted by its first real request: whoever only asks for the numbers does not change them.
        if !std::mem::replace(&mut counted, true) {
            seen.connections.set(seen.connections.get() + 1);
        }
        seen.requests.set(seen.requests.get() + 1);
        match script {
            Some(script) => script.play(&mut wire).await?,
            None => wire.send(plain.as_bytes()).await?,
        }
    }
    Ok(())
}

/// A stream as it was asked for.
struct Script {
    events: u64,
    pace: Duration,
}

impl Script {
    fn asked_for(head: &Head) -> Option<Self> {
        let events = head.number("x-bench-events")?;
        let pace = Duration::from_micros(head.number("x-bench-pace-us").unwrap_or(0));
        Some(Self { events, pace })
    }

    /// One write per event: a vendor's events, too, arrive one by one.
    async fn play(&self, wire: &mut Wire) -> io::Result<()> {
        let mut piece = String::with_capacity(1024);
        piece.push_str(STREAM_HEAD);
        push_chunk(&mut piece, OPENING);
        wire.send(piece.as_bytes()).await?;

        let mut due = Instant::now();
        let mut event = String::with_capacity(256);
        for _ in 0..self.events {
            if !self.pace.is_zero() {
                due += self.pace;
                sleep_until(due).await;
            }
            event.clear();
            push_delta(&mut event, unix_micros());
            piece.clear();
            push_chunk(&mut piece, &event);
            wire.send(piece.as_bytes()).await?;
        }

        piece.clear();
        push_chunk(&mut piece, CLOSING);
        piece.push_str("0\r\n\r\n");
        wire.send(piece.as_bytes()).await
    }
}

fn push_delta(to: &mut String, now_us: u64) {
    let stamp = std::str::from_utf8(STAMP).expect("the stamp is ASCII");
    write!(
        to,
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{{\"type\":\"text_delta\",\"text\":\"{stamp}{now_us} and a few words\"}}}}\n\n"
    )
    .expect("a String takes all that is written");
}

fn push_chunk(to: &mut String, payload: &str) {
    write!(to, "{:x}\r\n{payload}\r\n", payload.len()).expect("a String takes all that is written");
}

/// The plain answer, about a kilobyte.
pub(crate) fn plain_body() -> String {
    let text = "All models are wrong, some are useful. ".repeat(18);
    format!(
        concat!(
            r#"{{"id":"msg_bench","type":"message","role":"assistant","model":"bench-model","#,
            r#""content":[{{"type":"text","text":"{}"}}],"stop_reason":"end_turn","stop_sequence":null,"#,
            r#""usage":{{"input_tokens":512,"cache_creation_input_tokens":0,"#,
            r#""cache_read_input_tokens":2048,"output_tokens":250}}}}"#
        ),
        text
    )
}

fn json_response(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
