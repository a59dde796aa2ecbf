//! A caller on a bare socket: speaks each of the four formats, and can leave in every way there is.

use std::{io, net::SocketAddr, time::Duration};

use protocol::Format;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Nothing in these tests takes so long; what does is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) format: Format,
    pub(crate) model: &'a str,
    pub(crate) prompt: &'a str,
    pub(crate) stream: bool,
    pub(crate) key: &'a str,
}

impl<'a> Ask<'a> {
    /// A plain request in Anthropic's format.
    pub(crate) fn plain(key: &'a str, model: &'a str, prompt: &'a str) -> Self {
        Self { format: Format::Anthropic, model, prompt, stream: false, key }
    }

    /// The same as a stream.
    pub(crate) fn stream(key: &'a str, model: &'a str, prompt: &'a str) -> Self {
        Self { stream: true, ..Self::plain(key, model, prompt) }
    }

    /// In another format.
    pub(crate) fn in_format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    fn path(&self) -> String {
        match (self.format, self.stream) {
            (Format::Anthropic, _) => "/v1/messages".to_owned(),
            (Format::OpenaiChat, _) => "/v1/chat/completions".to_owned(),
            (Format::OpenaiResponses, _) => "/v1/responses".to_owned(),
            (Format::Gemini, true) => format!("/v1beta/models/{}:streamGenerateContent?alt=sse", self.model),
            (Format::Gemini, false) => format!("/v1beta/models/{}:generateContent", self.model),
        }
    }

    fn body(&self) -> Value {
        let Self { model, prompt, stream, .. } = self;
        let messages = json!([{"role": "user", "content": prompt}]);
        match self.format {
            Format::Anthropic => {
                json!({"model": model, "max_tokens": 1_000, "stream": stream, "messages": messages})
            }
            Format::OpenaiChat => json!({"model": model, "stream": stream, "messages": messages}),
            Format::OpenaiResponses => json!({"model": model, "stream": stream, "input": prompt}),
            Format::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
        }
    }

    fn head(&self, length: usize) -> String {
        let (path, key) = (self.path(), self.key);
        let credential = match self.format {
            Format::Anthropic => format!("x-api-key: {key}\r\nanthropic-version: 2023-06-01"),
            Format::OpenaiChat | Format::OpenaiResponses => format!("authorization: Bearer {key}"),
            Format::Gemini => format!("x-goog-api-key: {key}"),
        };
        format!(
            "POST {path} HTTP/1.1\r\nhost: gateway\r\n{credential}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
    }
}

/// An answer, as far as these tests look at it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As it came, lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One connection to the gateway.
pub(crate) struct Caller {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Caller {
    /// Connects.
    pub(crate) async fn connect(gateway: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(gateway).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, unread: Vec::new() })
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, ask: &Ask<'_>) -> io::Result<()> {
        let body = ask.body().to_string();
        let request = ask.head(body.len()) + &body;
        self.raw(&request).await
    }

    /// Sends these very bytes.
    pub(crate) async fn raw(&mut self, bytes: &str) -> io::Result<()> {
        self.socket.write_all(bytes.as_bytes()).await
    }

    /// Sends a request and reads its whole answer; the connection can be used again.
    pub(crate) async fn ask(&mut self, ask: &Ask<'_>) -> io::Result<Answer> {
        self.send(ask).await?;
        self.answer().await
    }

    /// Reads until these bytes have come; they stay unread.
    pub(crate) async fn wait_for(&mut self, mark: &[u8]) -> io::Result<()> {
        while memchr::memmem::find(&self.unread, mark).is_none() {
            self.more().await?;
        }
        Ok(())
    }

    /// Reads a whole answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.take_until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))?;
        let mut answer = Answer { status, head, body: String::new() };
        let body = match answer.header("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => self.take(length).await?,
            None if status == 204 => Vec::new(),
            None => self.chunks().await?,
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n").await?;
            let size =
                std::str::from_utf8(&line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
            let size = size.ok_or_else(|| io::Error::other("no chunk size"))?;
            let chunk = self.take(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn take_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        self.wait_for(mark).await?;
        let at = memchr::memmem::find(&self.unread, mark).unwrap_or_default();
        self.take(at + mark.len()).await
    }

    async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.more().await?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        match timeout(PATIENCE, self.socket.read_buf(&mut self.unread)).await {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read.map(|_| ()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Leaves with FIN. The socket stays with us: closing it with bytes unread would send RST.
    pub(crate) async fn leave_politely(mut self) -> io::Result<Self> {
        self.socket.shutdown().await?;
        Ok(self)
    }

    /// Leaves with RST.
    pub(crate) fn leave_rudely(self) -> io::Result<()> {
        self.socket.set_zero_linger()
    }
}
