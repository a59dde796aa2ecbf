//! One accepted connection, as a script sees it.

use std::{io, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Record;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line and headers, blank line included.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Which of the upstream's connections it came on.
    pub(crate) connection: usize,
    /// The name asked for in the TLS handshake.
    pub(crate) server_name: Option<String>,
}

impl Request {
    /// The value of the first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The first line.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }
}

/// An accepted connection.
pub(crate) struct Conn {
    io: Io,
    /// Received and not yet part of a request.
    pending: Vec<u8>,
    /// Counts the upstream's connections from 0.
    pub(crate) number: usize,
    record: Rc<Record>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Conn {
    pub(super) async fn open(
        tcp: TcpStream,
        tls: Option<TlsAcceptor>,
        number: usize,
        record: Rc<Record>,
    ) -> Option<Self> {
        tcp.set_nodelay(true).expect("an open socket");
        let io = match tls {
            None => Io::Plain(tcp),
            Some(tls) => Io::Tls(Box::new(tls.accept(tcp).await.ok()?)),
        };
        Some(Self { io, pending: Vec::new(), number, record })
    }

    /// Waits for a whole request with a `content-length` or no body; none if the peer closed instead.
    pub(crate) async fn request(&mut self) -> Option<Request> {
        let head = self.head().await?;
        let mut request =
            Request { head, body: Vec::new(), connection: self.number, server_name: self.server_name() };
        let length = request.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        while self.pending.len() < length {
            self.receive().await?;
        }
        request.body = self.pending.drain(..length).collect();
        self.record.requests.borrow_mut().push(request.clone());
        Some(request)
    }

    /// Waits for the head of a request and leaves the body where it is.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.pending.drain(..end + 4).collect();
                return Some(String::from_utf8(head).expect("a text head"));
            }
            self.receive().await?;
        }
    }

    /// Sends; a peer that is gone is no concern of the script.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await;
    }

    /// Sends; whether the peer is still there to take it.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let sent = match &mut self.io {
            Io::Plain(io) => io.write_all(bytes).await,
            Io::Tls(io) => match io.write_all(bytes).await {
                Ok(()) => io.flush().await,
                Err(error) => Err(error),
            },
        };
        sent.is_ok()
    }

    /// Sends a `200` with this body.
    pub(crate) async fn answer(&mut self, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        let tcp = match &self.io {
            Io::Plain(io) => io,
            Io::Tls(io) => io.get_ref().0,
        };
        tcp.set_zero_linger().expect("an open socket");
    }

    /// Waits until the peer closes or resets.
    pub(crate) async fn closed(&mut self) {
        while self.receive().await.is_some() {}
    }

    async fn receive(&mut self) -> Option<()> {
        let read = match &mut self.io {
            Io::Plain(io) => io.read_buf(&mut self.pending).await,
            Io::Tls(io) => io.read_buf(&mut self.pending).await,
        };
        match read {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }

    fn server_name(&self) -> Option<String> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(io) => io.get_ref().1.server_name().map(str::to_owned),
        }
    }

    /// Says goodbye in TLS, then closes; on a plain connection, closes.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(io) => io.shutdown().await,
            Io::Tls(io) => io.shutdown().await,
        }
    }
}
