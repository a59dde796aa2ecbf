//! What can go wrong on the way out, in this room's words.
//!
//! The relay never reads the texts: it makes an outcome of each variant, and asks
//! [`Fault::nothing_was_sent`]. No text holds a credential, a query or a host.

use std::io;

use super::{address::Unfit, base_url::UrlRefused};

/// Why an attempt has no answer, or not all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The configured base url is not one we go to.
    #[error("base url refused: {0}")]
    BaseUrl(#[from] UrlRefused),
    /// The request handed to us cannot be written as HTTP.
    #[error("request cannot be sent: {0}")]
    Unsendable(Unsendable),
    /// The host name has no address, now or within the last minute.
    #[error("host name does not resolve")]
    Resolve,
    /// Every address of the host is one we do not go to (C-06).
    #[error("address refused: {0}")]
    AddressRefused(Unfit),
    /// No address of the host took the connection.
    #[error("connection refused or unreachable")]
    Connect,
    /// Name, connection and TLS together took too long.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// TLS failed (C-32).
    #[error("tls failed: {0}")]
    Tls(TlsFault),
    /// A pooled connection turned out closed when it was used again. Retried once inside
    /// [`Clients::send`](super::Clients::send) and not seen outside (I-24).
    #[error("pooled connection was closed")]
    StaleReuse,
    /// The connection closed before a single byte of the answer.
    #[error("closed without an answer")]
    NoAnswer,
    /// No complete head in time, or the upstream stopped taking the request.
    #[error("no answer in time")]
    HeadTimeout,
    /// Silence within the answer.
    #[error("silent for too long within the answer")]
    IdleTimeout,
    /// The whole attempt took too long.
    #[error("the whole attempt took too long")]
    TotalTimeout,
    /// What came is not HTTP/1.1 as we accept it.
    #[error("malformed answer: {0}")]
    Malformed(Malformed),
    /// More interim (1xx) heads than we are willing to skip.
    #[error("too many interim heads")]
    TooManyInterimHeads,
    /// The answer ended before its own framing said so (I-27).
    #[error("answer was cut off")]
    Cut,
}

/// Why a request handed to this room cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// Not a path that starts with a slash and holds only what a path and query may hold.
    #[error("not a path")]
    Path,
    /// The path climbs out of the configured prefix (C-07).
    #[error("path has dot segments")]
    DotSegments,
    /// The HTTP client would not take the head.
    #[error("head refused")]
    Head,
}

/// How TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate is signed by nobody we trust.
    #[error("certificate from an unknown issuer")]
    UnknownIssuer,
    /// The certificate is for another name.
    #[error("certificate for another name")]
    WrongName,
    /// The certificate is no longer, or not yet, valid.
    #[error("certificate expired or not yet valid")]
    Expired,
    /// The certificate was withdrawn.
    #[error("certificate revoked")]
    Revoked,
    /// Any other objection to the certificate.
    #[error("certificate not acceptable")]
    Certificate,
    /// No common version, cipher or protocol, or not TLS at all.
    #[error("handshake failed")]
    Handshake,
}

/// In which way an answer was not HTTP/1.1 as we accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It does not begin like an HTTP/1 answer.
    #[error("not http/1")]
    NotHttp,
    /// The head does not end within bounds.
    #[error("head too big")]
    HeadTooBig,
    /// The head cannot be read: a bad status line, a bad or folded header line, too many of them.
    #[error("head unreadable")]
    Head,
    /// Switched protocols, which nobody asked for.
    #[error("switched protocols unasked")]
    Switched,
    /// Repeated or not a plain decimal number.
    #[error("bad content-length")]
    ContentLength,
    /// Anything but one `chunked`, or used with HTTP/1.0.
    #[error("bad transfer-encoding")]
    TransferEncoding,
    /// Both framings at once.
    #[error("content-length and transfer-encoding together")]
    LengthAndChunks,
    /// A chunk's size line.
    #[error("bad chunk size")]
    ChunkSize,
    /// A chunk is not followed by its line end.
    #[error("bad chunk end")]
    ChunkEnd,
    /// The lines after the last chunk.
    #[error("bad trailer")]
    Trailer,
    /// The HTTP client objects where the wire guard did not.
    #[error("refused by the http client")]
    Unreadable,
}

impl Fault {
    /// Whether the upstream certainly has not seen one byte of the request.
    #[must_use]
    pub const fn nothing_was_sent(&self) -> bool {
        match self {
            Self::BaseUrl(_)
            | Self::Unsendable(_)
            | Self::Resolve
            | Self::AddressRefused(_)
            | Self::Connect
            | Self::ConnectTimeout
            | Self::Tls(_) => true,
            Self::StaleReuse
            | Self::NoAnswer
            | Self::HeadTimeout
            | Self::IdleTimeout
            | Self::TotalTimeout
            | Self::Malformed(_)
            | Self::TooManyInterimHeads
            | Self::Cut => false,
        }
    }

    /// The fault that travelled through awc inside an I/O error.
    pub(super) fn inside(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}
