//! An answer on its way down: the upstream's bytes as they come, with a tap beside them.
//!
//! ```text
//! held -> rest --end, and the end mark was seen--> clean end
//!           '---- cut, silent, broken ----> error event in the caller's dialect -> no clean end (I-27)
//! ```
//!
//! The body owns the dispatch: whichever way it goes, by its end or by being dropped with the caller, the
//! grant is given back and the row is written.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    http::{StatusCode, header::CONTENT_LENGTH},
    web::Bytes,
};
use actors::provider::outcome::Outcome;
use futures_util::{Stream, future::FutureExt};
use protocol::{
    openai_chat::filter::UsageFilter,
    refusal,
    tap::{Shape, Stage, Tap},
};
use tokio::time::Sleep;

use super::{
    attempt::{Begun, describe, outcome_of, outcome_of_error, own_failure},
    dispatch::{Dispatch, End},
    headers,
};
use crate::{
    journal::record::Ending,
    logging,
    upstream::{Body, Fault},
};

/// How long what was said last may take to leave before the connection is broken off behind it: what is
/// still in the server's buffers then is lost, at worst the whole answer with its head.
const LINGER: Duration = Duration::from_millis(100);

/// An answer's body.
pub(super) struct Down {
    dispatch: Option<Dispatch>,
    status: StatusCode,
    size: BodySize,
    held: VecDeque<Bytes>,
    rest: Option<Body>,
    tap: Tap,
    filter: Option<UsageFilter>,
    passed: u64,
    breaking: Option<Pin<Box<Sleep>>>,
    /// Resolves when the time to finish is over.
    over: Pin<Box<dyn Future<Output = ()>>>,
}

/// The answer broke off; the caller sees a connection that ends without a clean end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct BrokeOff;

/// The answer to the caller, from a provider that has begun to give it.
pub(super) fn respond(mut dispatch: Dispatch, begun: Begun) -> HttpResponse {
    let Begun { status, headers: upstreams, shape, held, rest, tap, filter } = begun;
    let mut builder = HttpResponse::build(status);
    for (name, value) in headers::downward(&upstreams) {
        builder.append_header((name.clone(), value.clone()));
    }
    dispatch.began();
    if rest.is_some() {
        dispatch.goes_on(tap.reading());
    }
    dispatch.stamp(&mut builder);
    let length = upstreams.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let size = match (&rest, &filter, shape) {
        (None, None, _) => BodySize::Sized(held.iter().map(|chunk| chunk.len() as u64).sum()),
        (Some(_), None, Shape::Whole) => length.map_or(BodySize::Stream, BodySize::Sized),
        // No length is promised for a stream, even if the upstream did: an error event would fill up what a
        // cut left open, and the caller see a clean end (I-27).
        (Some(_), None, Shape::Sse | Shape::JsonArray) | (_, Some(_), _) => BodySize::Stream,
    };
    let held = held.into();
    let (passed, breaking, over) = (0, None, Box::pin(dispatch.over()));
    let down =
        Down { dispatch: Some(dispatch), status, size, held, rest, tap, filter, passed, breaking, over };
    builder.body(down)
}

impl Down {
    /// The next bytes for the caller; none when the answer is over.
    fn poll_bytes(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        loop {
            if let Some(linger) = &mut self.breaking {
                return linger.poll_unpin(task).map(|()| Some(Err(BrokeOff)));
            }
            if let Some(chunk) = self.held.pop_front() {
                match self.filtered(chunk) {
                    chunk if chunk.is_empty() => continue,
                    chunk => return Poll::Ready(Some(Ok(self.count(chunk)))),
                }
            }
            if self.rest.is_some() && self.dispatch.as_ref().is_some_and(Dispatch::is_used_up) {
                match self.used_up() {
                    None => continue,
                    event => return Poll::Ready(event.map(Ok)),
                }
            }
            let Some(rest) = &mut self.rest else {
                match self.end(None) {
                    None if self.breaking.is_some() => continue,
                    last => return Poll::Ready(last.map(Ok)),
                }
            };
            match Pin::new(rest).poll_next(task) {
                Poll::Pending => {
                    ready!(self.over.poll_unpin(task));
                    if let Some(event) = self.drained() {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Poll::Ready(Some(Ok(chunk))) => {
                    self.tap.push(&chunk);
                    if let Some(dispatch) = &mut self.dispatch {
                        dispatch.goes_on(self.tap.reading());
                    }
                    self.held.push_back(chunk);
                }
                Poll::Ready(Some(Err(fault))) => match self.end(Some(fault)) {
                    None if self.breaking.is_some() => {}
                    last => return Poll::Ready(last.map(Ok)),
                },
                Poll::Ready(None) => {
                    self.rest = None;
                    self.tap.finish();
                    let mut tail = Vec::new();
                    if let Some(mut filter) = self.filter.take() {
                        filter.finish(&mut tail);
                    }
                    if !tail.is_empty() {
                        self.held.push_back(tail.into());
                    }
                }
            }
        }
    }

    fn filtered(&mut self, chunk: Bytes) -> Bytes {
        match &mut self.filter {
            Some(filter) => {
                let mut passed = Vec::with_capacity(chunk.len());
                filter.push(&chunk, &mut passed);
                passed.into()
            }
            None => chunk,
        }
    }

    fn count(&mut self, chunk: Bytes) -> Bytes {
        self.passed += chunk.len() as u64;
        chunk
    }

    /// The upstream has no more to say, or can't. Says what the caller gets as the last thing, if anything;
    /// `breaking` says how it ends behind that.
    fn end(&mut self, fault: Option<Fault>) -> Option<Bytes> {
        let mut dispatch = self.dispatch.take()?;
        let end = judge(&self.tap, fault);
        let cut = end.ending == Ending::Cut;
        // Behind its end mark or an error of the provider's own there is nothing left to tell.
        let unfinished = matches!(self.tap.stage(), Stage::Silent | Stage::Meaningful);
        let farewell =
            (cut && unfinished).then(|| self.cut_event(&dispatch, "the answer broke off at the provider"));
        self.rest = None;
        dispatch.answered(self.status.as_u16(), end, self.tap.reading(), self.passed);
        if cut {
            self.breaking = Some(Box::pin(tokio::time::sleep(LINGER)));
        }
        farewell.flatten()
    }

    /// We are going, and break the answer off. Says what the caller gets as the last thing, if anything.
    fn drained(&mut self) -> Option<Bytes> {
        let mut dispatch = self.dispatch.take()?;
        let farewell = self.cut_event(&dispatch, "the gateway is shutting down");
        self.rest = None;
        self.breaking = Some(Box::pin(tokio::time::sleep(LINGER)));
        dispatch.broke_off(self.status.as_u16(), self.tap.reading(), self.passed);
        farewell
    }

    /// A limit is used up, and the answer ends here. Says what the caller gets as the last thing, if anything.
    fn used_up(&mut self) -> Option<Bytes> {
        let mut dispatch = self.dispatch.take()?;
        let farewell = self.cut_event(&dispatch, "the answer used up what was left of a limit");
        self.rest = None;
        self.breaking = Some(Box::pin(tokio::time::sleep(LINGER)));
        dispatch.used_up(self.status.as_u16(), self.tap.reading(), self.passed);
        farewell
    }

    /// What tells the caller, in its dialect, that the answer is not whole, where there is room for it.
    fn cut_event(&self, dispatch: &Dispatch, message: &str) -> Option<Bytes> {
        let request = dispatch.id().to_string();
        let mut notice = self.tap.cut_here(message, &request);
        if let Some(filter) = &self.filter {
            notice.between_events = filter.between_events();
        }
        let event = refusal::cut(dispatch.format(), &notice);
        (!event.is_empty()).then(|| event.into())
    }
}

/// How an answer that began has ended, by what the tap saw and what the wire said.
fn judge(tap: &Tap, fault: Option<Fault>) -> End {
    let reading = tap.reading();
    if let Some(error) = &reading.error {
        let outcome = outcome_of_error(error, own_failure(reading));
        let ending = if fault.is_some() { Ending::Cut } else { Ending::Failed };
        return End { outcome, ending, cool_down: error.retry_after, error: Some(describe(error)) };
    }
    match (fault, reading.ended) {
        (None, true) => {
            End { outcome: Outcome::Answered, ending: Ending::Complete, cool_down: None, error: None }
        }
        // The provider said all it had to say; only the framing was left open.
        (Some(fault), true) => End {
            outcome: Outcome::Answered,
            ending: Ending::Cut,
            cool_down: None,
            error: Some(fault.to_string()),
        },
        (Some(fault), false) => End {
            outcome: outcome_of(&fault),
            ending: Ending::Cut,
            cool_down: None,
            error: Some(fault.to_string()),
        },
        (None, false) => End {
            outcome: Outcome::Cut,
            ending: Ending::Cut,
            cool_down: None,
            error: Some("the answer ended before its end mark".to_owned()),
        },
    }
}

impl MessageBody for Down {
    type Error = BrokeOff;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        let down = self.get_mut();
        match down.dispatch.as_ref().map(Dispatch::id) {
            Some(request) => logging::request::during(request, || down.poll_bytes(task)),
            None => down.poll_bytes(task),
        }
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        let Some(mut dispatch) = self.dispatch.take() else { return };
        let whole = self.rest.is_none() && self.held.is_empty();
        // Clients hang up on the end mark; that is no leaving.
        if whole || (self.tap.reading().ended && self.held.is_empty()) {
            let end = judge(&self.tap, None);
            dispatch.answered(self.status.as_u16(), end, self.tap.reading(), self.passed);
        } else {
            dispatch.broke_off(self.status.as_u16(), self.tap.reading(), self.passed);
        }
    }
}
