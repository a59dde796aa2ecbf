//! One response head: read strictly, then written anew.
//!
//! awc never sees the upstream's own head. It sees one that says in plain words what was understood
//! here, so the two cannot disagree about where the body ends: at most one of `content-length` and
//! `chunked`, HTTP/1.0 for a body that ends with the connection (awc reads no other such body),
//! nothing of the kind where there is no body, and no word of upgrades.

use bytes::{BufMut, Bytes, BytesMut};
use httparse::{EMPTY_HEADER, Response, Status};

use super::fault::Malformed;

/// Longest head taken. Just under awc's own bound of 128 KiB, since writing anew may add a little.
pub(super) const MAX_HEAD: usize = 127 * 1024;
/// As many header lines as awc takes.
const MAX_LINES: usize = 96;

/// A head as understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) extent: Extent,
    /// Whether the connection may carry another request afterwards.
    pub(super) reusable: bool,
    /// What awc is given in its place.
    pub(super) text: Bytes,
}

/// How far the body reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Nothing,
    Length(u64),
    Chunked,
    UntilClose,
}

/// Header lines that decide about framing and reuse.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

/// Reads a complete head, blank line included. `bodiless` when the request was a HEAD.
pub(super) fn read(raw: &[u8], bodiless: bool) -> Result<Head, Malformed> {
    let mut lines = [EMPTY_HEADER; MAX_LINES];
    let mut response = Response::new(&mut lines);
    match response.parse(raw) {
        Ok(Status::Complete(end)) if end == raw.len() => {}
        _ => return Err(Malformed::Head),
    }
    let status = response.code.filter(|code| (100..=999).contains(code)).ok_or(Malformed::Head)?;
    let newer = response.version == Some(1);
    let framing = framing(response.headers, newer)?;

    let never_a_body = matches!(status, 100..=199 | 204 | 304);
    let extent = match framing {
        _ if never_a_body || bodiless => Extent::Nothing,
        Framing { chunked: true, .. } => Extent::Chunked,
        Framing { length: Some(length), .. } => Extent::Length(length),
        _ => Extent::UntilClose,
    };
    let reusable = newer && !framing.close && extent != Extent::UntilClose;

    let mut text = BytesMut::with_capacity(raw.len() + 64);
    text.put_slice(if extent == Extent::UntilClose { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    text.put_slice(status.to_string().as_bytes());
    text.put_u8(b' ');
    text.put_slice(response.reason.unwrap_or_default().as_bytes());
    text.put_slice(b"\r\n");
    for line in response.headers.iter() {
        let about_the_body = is(line, "content-length") || is(line, "transfer-encoding");
        if (about_the_body && never_a_body) || is(line, "connection") || is(line, "upgrade") {
            continue;
        }
        // Since `connection` itself goes no further, what it names must be dropped here (I-31); never what says
        // how the body is to be read.
        if !line.name.to_ascii_lowercase().starts_with("content-")
            && !about_the_body
            && named(response.headers, line)
        {
            continue;
        }
        text.put_slice(line.name.as_bytes());
        text.put_slice(b": ");
        text.put_slice(line.value);
        text.put_slice(b"\r\n");
    }
    if !reusable {
        text.put_slice(b"connection: close\r\n");
    }
    text.put_slice(b"\r\n");
    Ok(Head { status, extent, reusable, text: text.freeze() })
}

fn framing(lines: &[httparse::Header<'_>], newer: bool) -> Result<Framing, Malformed> {
    let mut found = Framing::default();
    for line in lines {
        if is(line, "content-length") {
            if found.length.is_some() {
                return Err(Malformed::ContentLength);
            }
            found.length = Some(decimal(line.value).ok_or(Malformed::ContentLength)?);
        } else if is(line, "transfer-encoding") {
            // A list of codings, or the word twice: what is chunked inside of what is anyone's guess.
            if found.chunked || !newer || !line.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed::TransferEncoding);
            }
            found.chunked = true;
        } else if is(line, "connection") {
            let mut options = line.value.split(|byte| *byte == b',');
            found.close |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
    }
    if found.chunked && found.length.is_some() {
        return Err(Malformed::LengthAndChunks);
    }
    Ok(found)
}

/// Whether a `connection` line says that `line` belongs to this connection only.
fn named(lines: &[httparse::Header<'_>], line: &httparse::Header<'_>) -> bool {
    let name = line.name.as_bytes();
    let mut options = lines
        .iter()
        .filter(|line| is(line, "connection"))
        .flat_map(|line| line.value.split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name))
}

fn is(line: &httparse::Header<'_>, name: &str) -> bool {
    line.name.eq_ignore_ascii_case(name)
}

/// Digits only: no sign, no list, no blanks within.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Extent, Head, Malformed, read};

    fn head(text: &str) -> Result<Head, Malformed> {
        read(text.as_bytes(), false)
    }

    #[test]
    fn the_extent_of_the_body_follows_from_the_head() {
        for (text, extent, reusable) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Extent::Length(5), true),
            ("HTTP/1.1 200\r\nContent-Length:5\r\n\r\n", Extent::Length(5), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", Extent::Chunked, true),
            ("HTTP/1.1 200 OK\r\n\r\n", Extent::UntilClose, false),
            ("HTTP/1.0 200 OK\r\n\r\n", Extent::UntilClose, false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", Extent::Length(0), false),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, Close\r\n\r\n",
                Extent::Length(5),
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", Extent::Nothing, true),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", Extent::Nothing, true),
            ("HTTP/1.1 200 OK\ncontent-length: 5\n\n", Extent::Length(5), true),
        ] {
            let head = head(text).expect("a good head");
            assert_eq!((head.extent, head.reusable), (extent, reusable), "{text:?}");
        }
        let to_head = read(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true).expect("a good head");
        assert_eq!(to_head.extent, Extent::Nothing);
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        use Malformed::*;
        for (text, malformed) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 6\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n", ContentLength),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", TransferEncoding),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n", TransferEncoding),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
                TransferEncoding,
            ),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", TransferEncoding),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", LengthAndChunks),
            ("HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n", Head),
            ("HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n", Head),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Head),
            ("HTTP/1.1 099 OK\r\n\r\n", Head),
            ("HTTP/2.0 200 OK\r\n\r\n", Head),
        ] {
            assert_eq!(head(text), Err(malformed), "{text:?}");
        }
    }

    #[test]
    fn awc_is_told_only_what_was_understood() {
        for (text, told) in [
            (
                "HTTP/1.0 200 Fine\r\nA:b\r\ncontent-length: 5\r\nkeep: x\r\n\r\n",
                "HTTP/1.1 200 Fine\r\nA: b\r\ncontent-length: 5\r\nkeep: x\r\nconnection: close\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
                "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
            ),
            (
                "HTTP/1.1 426 No\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\n",
                "HTTP/1.1 426 No\r\ncontent-length: 2\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nX-A: 1\r\nconnection: x-a, content-length\r\nconnection: X-B\r\nx-b: 1\r\n\
                 content-length: 2\r\n\r\n",
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
            ),
            (
                "HTTP/1.1 304 Same\r\ncontent-length: 9\r\netag: x\r\n\r\n",
                "HTTP/1.1 304 Same\r\netag: x\r\n\r\n",
            ),
        ] {
            let head = head(text).expect("a good head");
            assert_eq!(std::str::from_utf8(&head.text), Ok(told));
        }
    }
}
