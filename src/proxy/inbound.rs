//! Taking in a request's body: whole, bounded in size and in patience.

use std::time::Duration;

use actix_web::{
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

/// The longest silence within a body.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest a body may take in all: 32 MiB over a slow line.
const WHOLE: Duration = Duration::from_secs(300);

/// Why a body was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoBody {
    /// Larger than allowed, by its own word or by what came.
    #[error("the request body is larger than the {limit} bytes allowed here")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Compressed: a small body could unfold to any size.
    #[error("a request body with content-encoding `{0}` is not accepted; send it as it is")]
    Encoded(String),
    /// Too slow in coming.
    #[error("the request body did not arrive in time")]
    TooSlow,
    /// The connection broke.
    #[error("the request body broke off")]
    Broken,
}

/// Takes in a body of at most `limit` bytes.
///
/// # Errors
/// [`NoBody`] says why not.
pub(super) async fn body(headers: &HeaderMap, mut payload: Payload, limit: usize) -> Result<Bytes, NoBody> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(NoBody::Encoded(String::from_utf8_lossy(encoding.as_bytes()).into_owned()));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or_default();
    if announced > limit {
        return Err(NoBody::TooLarge { limit });
    }
    let end = Instant::now() + WHOLE;
    let mut whole = BytesMut::new();
    loop {
        let patience = end.min(Instant::now() + SILENCE);
        let Some(chunk) = timeout_at(patience, payload.next()).await.map_err(|_| NoBody::TooSlow)? else {
            return Ok(whole.freeze());
        };
        let chunk = chunk.map_err(|_| NoBody::Broken)?;
        if whole.len() + chunk.len() > limit {
            return Err(NoBody::TooLarge { limit });
        }
        if whole.is_empty() {
            // Once, when the first bytes prove that somebody really sends: the announced length is free.
            whole.reserve(announced.max(chunk.len()));
        }
        whole.extend_from_slice(&chunk);
    }
}
