//! A caller as plain as can be: a socket, so that every byte and every end shows.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Nothing in a story takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    method: &'static str,
    pub(crate) path: String,
    /// Header lines, without line ends.
    headers: Vec<String>,
    body: Vec<u8>,
    /// Whether the house's own key is sent along.
    with_key: bool,
    keeps_alive: bool,
}

impl Asking {
    /// A POST with a JSON body and the house's key.
    pub(crate) fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let (path, body) = (path.into(), body.into());
        let headers = vec!["content-type: application/json".to_owned()];
        Self { method: "POST", path, headers, body, with_key: true, keeps_alive: false }
    }

    /// With another method.
    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// With one more header.
    pub(crate) fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    /// With one more field in its JSON body.
    pub(crate) fn field(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        let mut body: serde_json::Value = serde_json::from_slice(&self.body).expect("a JSON body");
        body[name] = value.into();
        self.body = body.to_string().into_bytes();
        self
    }

    /// Without the house's key.
    pub(crate) fn without_key(mut self) -> Self {
        self.with_key = false;
        self
    }

    /// With this key instead of the house's.
    pub(crate) fn with_key(self, key: &str) -> Self {
        self.without_key().header(format!("x-api-key: {key}"))
    }

    /// On a connection that stays open for another request.
    pub(crate) fn keeping_alive(mut self) -> Self {
        self.keeps_alive = true;
        self
    }

    fn written(&self, key: &str) -> Vec<u8> {
        let Self { method, path, body, .. } = self;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: house\r\ncontent-length: {}\r\n", body.len());
        if self.with_key {
            head += &format!("authorization: Bearer {key}\r\n");
        }
        if !self.keeps_alive {
            head += "connection: close\r\n";
        }
        for line in &self.headers {
            head += &format!("{line}\r\n");
        }
        head += "\r\n";
        [head.as_bytes(), body].concat()
    }
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing promised.
    Clean,
    /// The connection ended before that.
    Broken,
}

/// A whole answer, or as much as came of it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Heard {
    /// The value of the first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// An answer that is coming.
#[derive(Debug)]
pub(crate) struct Answering {
    socket: TcpStream,
    head: String,
    status: u16,
    /// Received and not yet understood.
    raw: Vec<u8>,
    body: Vec<u8>,
    left: Left,
}

/// What is still to come by the framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(usize),
    ChunkSize,
    Chunk(usize),
    Nothing,
}

/// Sends a request on a connection of its own and waits for the head of the answer.
pub(super) async fn send(house: SocketAddr, asking: Asking, key: &str) -> Option<Answering> {
    let socket = TcpStream::connect(house).await.ok()?;
    socket.set_nodelay(true).expect("an open socket");
    exchange(socket, &asking, key).await
}

async fn exchange(mut socket: TcpStream, asking: &Asking, key: &str) -> Option<Answering> {
    // A house that has heard enough may close while we still write; its answer counts.
    let _ = socket.write_all(&asking.written(key)).await;
    let mut raw = Vec::new();
    let end = loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        receive(&mut socket, &mut raw).await?;
    };
    let head = String::from_utf8(raw.drain(..end + 4).collect()).expect("a text head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let left = match header(&head, "content-length") {
        Some(length) => Left::Bytes(length.parse().expect("a length")),
        None => Left::ChunkSize,
    };
    Some(Answering { socket, head, status, raw, body: Vec::new(), left })
}

impl Answering {
    /// Waits until the body holds `text`; false if it ends without it.
    pub(crate) async fn hears(&mut self, text: &str) -> bool {
        while memchr::memmem::find(&self.body, text.as_bytes()).is_none() {
            if self.left == Left::Nothing || !self.more().await {
                return false;
            }
        }
        true
    }

    /// Hears the answer to its end.
    pub(crate) async fn rest(mut self) -> Heard {
        self.heard().await
    }

    /// Asks again over the same connection, once this answer has ended.
    pub(super) async fn ask_again(mut self, asking: Asking, key: &str) -> Option<Self> {
        self.heard().await;
        exchange(self.socket, &asking, key).await
    }

    /// What has come of the body and was not told yet.
    pub(crate) fn so_far(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.body)).expect("a text body")
    }

    /// Breaks the connection off with a reset.
    pub(crate) fn leave(self) {
        self.socket.set_zero_linger().expect("an open socket");
    }

    /// The same, and the connection stays.
    pub(crate) async fn heard(&mut self) -> Heard {
        let mut end = End::Clean;
        while self.left != Left::Nothing && end == End::Clean {
            if !self.more().await {
                end = End::Broken;
            }
        }
        let (head, body) = (self.head.clone(), std::mem::take(&mut self.body));
        Heard { status: self.status, head, body, end }
    }

    /// Takes in more; false if the connection ends too early.
    async fn more(&mut self) -> bool {
        if self.understand() {
            return true;
        }
        receive(&mut self.socket, &mut self.raw).await.is_some()
    }

    /// Moves what is understood into the body; false if nothing could be.
    fn understand(&mut self) -> bool {
        let Self { raw, body, left, .. } = self;
        match *left {
            Left::Nothing => return false,
            Left::Bytes(0) => *left = Left::Nothing,
            Left::Bytes(_) | Left::Chunk(_) if raw.is_empty() => return false,
            Left::Bytes(bytes) => {
                let taken = bytes.min(raw.len());
                body.extend(raw.drain(..taken));
                *left = Left::Bytes(bytes - taken);
            }
            Left::ChunkSize => {
                let Some(end) = raw.windows(2).position(|two| two == b"\r\n") else { return false };
                let size = std::str::from_utf8(&raw[..end]).expect("a chunk size");
                let size = usize::from_str_radix(size, 16).expect("a chunk size");
                // The last chunk has an empty line behind it, every other one its data and a line end.
                if size == 0 && raw.len() < end + 4 {
                    return false;
                }
                raw.drain(..end + 2);
                *left = if size == 0 { Left::Nothing } else { Left::Chunk(size) };
            }
            Left::Chunk(0) => {
                if raw.len() < 2 {
                    return false;
                }
                raw.drain(..2);
                *left = Left::ChunkSize;
            }
            Left::Chunk(bytes) => {
                let taken = bytes.min(raw.len());
                body.extend(raw.drain(..taken));
                *left = Left::Chunk(bytes - taken);
            }
        }
        true
    }
}

async fn receive(socket: &mut TcpStream, raw: &mut Vec<u8>) -> Option<()> {
    let read = timeout(PATIENCE, socket.read_buf(raw)).await.expect("the house waits for ever");
    read.is_ok_and(|bytes| bytes > 0).then_some(())
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}
