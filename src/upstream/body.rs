//! The two bodies of an exchange: the request's, given to awc in slices, and the answer's, as it comes.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use awc::{
    body::{BodySize, MessageBody},
    error::PayloadError,
};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::fault::{Fault, Malformed};

/// awc copies what it is given into its write buffer, so it is given a little at a time.
const SLICE: usize = 32 * 1024;

/// A request body.
pub(super) struct Slices {
    rest: Bytes,
    size: BodySize,
}

impl Slices {
    /// `expected` where the method usually has a body, so that an empty one is worth a `content-length: 0`.
    pub(super) fn new(body: Bytes, expected: bool) -> Self {
        let size = match body.len() as u64 {
            0 if !expected => BodySize::None,
            length => BodySize::Sized(length),
        };
        Self { rest: body, size }
    }
}

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let rest = &mut self.get_mut().rest;
        let slice = rest.split_to(rest.len().min(SLICE));
        Poll::Ready((!slice.is_empty()).then_some(Ok(slice)))
    }
}

/// What awc calls a body.
type Payload = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// The body of an answer, as it comes. Ends without a fault only if it came whole (I-27).
///
/// Dropping it closes the connection at once, unless the body was read to its end.
pub struct Body {
    /// None once it ended, well or not.
    payload: Option<Payload>,
    total: Pin<Box<Sleep>>,
}

impl Body {
    pub(super) fn new(payload: Payload, deadline: Instant) -> Self {
        Self { payload: Some(payload), total: Box::pin(sleep_until(deadline)) }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("ended", &self.payload.is_none()).finish_non_exhaustive()
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Fault>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(payload) = &mut this.payload else { return Poll::Ready(None) };
        // Looked at first: a stream that never pauses must end in time, too.
        let item = if this.total.as_mut().poll(cx).is_ready() {
            Some(Err(Fault::TotalTimeout))
        } else {
            match payload.as_mut().poll_next(cx) {
                Poll::Ready(item) => item.map(|chunk| chunk.map_err(|error| fault(&error))),
                Poll::Pending => return Poll::Pending,
            }
        };
        if !matches!(item, Some(Ok(_))) {
            this.payload = None;
        }
        Poll::Ready(item)
    }
}

/// awc wraps an I/O error of the wire as either of two.
fn fault(error: &PayloadError) -> Fault {
    let unreadable = Fault::Malformed(Malformed::Unreadable);
    match error {
        PayloadError::Io(error) | PayloadError::Incomplete(Some(error)) => {
            Fault::inside(error).unwrap_or(unreadable)
        }
        PayloadError::Incomplete(None) => Fault::Cut,
        _ => unreadable,
    }
}
