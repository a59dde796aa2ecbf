//! A client as plain as can be: a socket, so that every byte and every end shows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::Running;

/// An answer, and whether it ended as its framing promised.
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) whole: bool,
}

impl Heard {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The `data:` of every event.
    pub(super) fn data(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }
}

pub(super) fn send(upstream: &Running, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(upstream.addr()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    socket
}

pub(super) fn hear(mut socket: TcpStream) -> Heard {
    let mut bytes = Vec::new();
    // A reset after a break is as good as an end; what has come before counts.
    let _ = socket.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = text(&bytes[..end]).to_lowercase();
    let raw = &bytes[end + 4..];
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (body, whole) = if head.contains("transfer-encoding: chunked") {
        dechunked(raw)
    } else {
        let length = head.split("content-length: ").nth(1).unwrap();
        (raw.to_vec(), length.split("\r\n").next().unwrap() == raw.len().to_string())
    };
    Heard { status, head, body: text(&body), whole }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The body, and whether its last chunk has come.
fn dechunked(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let (mut body, mut whole) = (Vec::new(), false);
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(&text(&raw[..end]), 16).unwrap();
        whole = size == 0;
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 4 + size..];
    }
    (body, whole)
}

pub(super) fn post(upstream: &Running, path: &str, body: &Value) -> Heard {
    hear(send(upstream, "POST", path, "anthropic-version: 2023-06-01\r\n", &body.to_string()))
}

/// Waits for what the server is about to notice, by asking it things: every answer is a turn of its loop.
pub(super) fn eventually(upstream: &Running, done: impl Fn() -> bool) {
    let mut asked = (0..20_000).map(|_| hear(send(upstream, "GET", "/_script/open", "", "")));
    assert!(asked.any(|_| done()), "it did not happen");
}
