//! Just enough HTTP/1.1 to measure with: a head ends at its blank line, a body by length or by chunks.
//!
//! Both ends of the rig use it, the gateway none of it: what measures must not share the faults of
//! what is measured.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const READ_SIZE: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// One kept-alive connection, seen from either end.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: BytesMut,
}

/// The first line and the framing of a message; header fields only as far as the rig asks for them.
pub(crate) struct Head {
    /// The path of a request; empty for a response.
    pub(crate) path: String,
    /// The status of a response; 0 for a request.
    pub(crate) status: u16,
    /// How the body says where it ends.
    pub(crate) framing: Framing,
    fields: Vec<(String, String)>,
}

impl Head {
    /// A header field as a number, if it is there and is one.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.parse().ok()
    }
}

impl Wire {
    /// Wraps a connection; small writes leave at once.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: BytesMut::with_capacity(READ_SIZE) })
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the next head; `None` when the peer closed between two messages.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((head, length)) = parse(&self.unread)? {
                self.unread.advance(length);
                return Ok(Some(head));
            }
            if self.fill().await? == 0 {
                return if self.unread.is_empty() { Ok(None) } else { Err(cut("inside a head")) };
            }
        }
    }

    /// Reads one body and hands its payload, without the framing, to `sink`; answers its length.
    pub(crate) async fn body(&mut self, framing: Framing, mut sink: impl FnMut(&[u8])) -> io::Result<u64> {
        let mut framing = framing;
        let mut length = 0;
        loop {
            let used = framing.feed(&self.unread, &mut |payload| {
                length += payload.len() as u64;
                sink(payload);
            })?;
            self.unread.advance(used);
            if framing.is_done() {
                return Ok(length);
            }
            if self.fill().await? == 0 {
                return Err(cut("inside a body"));
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.unread.reserve(READ_SIZE);
        self.stream.read_buf(&mut self.unread).await
    }
}

fn cut(place: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("connection closed {place}"))
}

fn bad(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

fn parse(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (path, status, length) = if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(bytes).map_err(bad)? {
            httparse::Status::Complete(length) => (String::new(), response.code.unwrap_or(0), length),
            httparse::Status::Partial => return Ok(None),
        }
    } else {
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes).map_err(bad)? {
            httparse::Status::Complete(length) => (request.path.unwrap_or("").to_owned(), 0, length),
            httparse::Status::Partial => return Ok(None),
        }
    };
    let fields: Vec<_> = headers
        .iter()
        .filter(|header| !header.name.is_empty())
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let framing = Framing::of(&fields)?;
    Ok(Some((Head { path, status, framing, fields }, length)))
}

/// How a body says where it ends.
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks; where we are inside them.
    Chunked(Chunk),
}

/// A place inside a chunked body.
pub(crate) enum Chunk {
    /// In the hexadecimal size, or in the extension behind it.
    Size { size: u64, digits: bool },
    /// In the data, so many bytes before its end.
    Data(u64),
    /// In the line end behind the data.
    DataEnd,
    /// In a trailer line of that length so far; an empty one ends the body.
    Trailer(usize),
    /// Behind the last chunk.
    Done,
}

impl Framing {
    fn of(fields: &[(String, String)]) -> io::Result<Self> {
        let field = |name: &str| {
            fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        if field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Self::Chunked(Chunk::Size { size: 0, digits: true }));
        }
        field("content-length")
            .map_or(Ok(Self::Length(0)), |value| value.parse().map(Self::Length).map_err(bad))
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// Takes what it can of `input`, hands payload to `sink`, and answers how much it took.
    fn feed(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        match self {
            Self::Length(left) => {
                let taken = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                if taken > 0 {
                    sink(&input[..taken]);
                }
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunk) => {
                let mut used = 0;
                while used < input.len() && !matches!(chunk, Chunk::Done) {
                    used += chunk.step(&input[used..], sink)?;
                }
                Ok(used)
            }
        }
    }
}

impl Chunk {
    fn step(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        let byte = input[0];
        *self = match *self {
            Self::Size { size, digits } => match byte {
                b'\n' if size == 0 => Self::Trailer(0),
                b'\n' => Self::Data(size),
                _ => match char::from(byte).to_digit(16).filter(|_| digits) {
                    Some(digit) if size < 1 << 48 => {
                        Self::Size { size: size * 16 + u64::from(digit), digits }
                    }
                    Some(_) => return Err(bad("a chunk beyond all measure")),
                    None => Self::Size { size, digits: false },
                },
            },
            Self::Data(left) => {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                sink(&input[..taken]);
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                return Ok(taken);
            }
            Self::DataEnd if byte == b'\n' => Self::Size { size: 0, digits: true },
            Self::DataEnd => Self::DataEnd,
            Self::Trailer(0) if byte == b'\n' => Self::Done,
            Self::Trailer(_) if byte == b'\n' => Self::Trailer(0),
            Self::Trailer(length) if byte == b'\r' => Self::Trailer(length),
            Self::Trailer(length) => Self::Trailer(length + 1),
            Self::Done => Self::Done,
        };
        Ok(1)
    }
}
