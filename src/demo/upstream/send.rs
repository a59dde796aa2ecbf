//! Bodies on their way out: paced, re-cut, broken off or left hanging as the script says.

use std::time::Duration;
use std::{future, io, vec};

use actix_web::body::{BodyStream, SizedStream};
use actix_web::{HttpResponse, HttpResponseBuilder, rt};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, unfold};

use super::log::{End, Exchange};
use super::script::{Fate, Script};

/// Sends a whole body, or as much of it as the script allows.
pub(super) async fn whole(
    mut head: HttpResponseBuilder,
    body: String,
    script: &Script,
    mut exchange: Exchange,
) -> HttpResponse {
    if !script.pause.is_zero() {
        rt::time::sleep(script.pause).await;
    }
    let length = body.len() as u64;
    let mut body = Bytes::from(body);
    let close = match script.fate {
        Fate::Complete | Fate::ErrorAfter(_) => {
            exchange.sent(&body);
            exchange.finish(End::Complete);
            return head.body(body);
        }
        Fate::CutAfter(_) => Close::Break,
        Fate::SilentAfter(_) => Close::Silence,
    };
    // The promised length is the whole one: only so is a break visible to the other side.
    body.truncate(body.len() / 2);
    let delivery = Delivery { pieces: vec![body].into_iter(), pause: Duration::ZERO, close, exchange };
    head.body(SizedStream::new(length, Box::pin(delivery.stream())))
}

/// Sends a stream of events. `error` makes the error event that would stand at a given place.
pub(super) fn events(
    mut head: HttpResponseBuilder,
    mut frames: Vec<Bytes>,
    error: impl FnOnce(usize) -> Bytes,
    script: &Script,
    exchange: Exchange,
) -> HttpResponse {
    // However far a spoiled stream is to get, it never gets to its end mark.
    let spoil = |after: usize| after.min(frames.len().saturating_sub(1));
    let close = match script.fate {
        Fate::Complete => Close::Clean,
        Fate::CutAfter(after) => {
            frames.truncate(spoil(after));
            Close::Break
        }
        Fate::SilentAfter(after) => {
            frames.truncate(spoil(after));
            Close::Silence
        }
        Fate::ErrorAfter(after) => {
            frames.truncate(spoil(after));
            frames.push(error(frames.len()));
            Close::Clean
        }
    };
    let frames = match script.split {
        Some(size) => recut(&frames, size),
        None => frames,
    };
    let delivery = Delivery { pieces: frames.into_iter(), pause: script.pause, close, exchange };
    head.body(BodyStream::new(Box::pin(delivery.stream())))
}

/// What comes after the last piece.
enum Close {
    Clean,
    Break,
    Silence,
}

struct Delivery {
    pieces: vec::IntoIter<Bytes>,
    pause: Duration,
    close: Close,
    exchange: Exchange,
}

impl Delivery {
    fn stream(self) -> impl Stream<Item = Result<Bytes, io::Error>> {
        unfold(self, |mut delivery| async move {
            if let Some(piece) = delivery.pieces.next() {
                if !delivery.pause.is_zero() {
                    rt::time::sleep(delivery.pause).await;
                }
                delivery.exchange.sent(&piece);
                return Some((Ok(piece), delivery));
            }
            match delivery.close {
                Close::Clean => {
                    delivery.exchange.finish(End::Complete);
                    None
                }
                Close::Break => {
                    // Without this the server would drop what it has not flushed yet.
                    tokio::task::yield_now().await;
                    delivery.exchange.finish(End::Broken);
                    Some((Err(io::Error::other("broken off by the script")), delivery))
                }
                Close::Silence => future::pending().await,
            }
        })
    }
}

fn recut(frames: &[Bytes], size: usize) -> Vec<Bytes> {
    let mut all = BytesMut::new();
    for frame in frames {
        all.extend_from_slice(frame);
    }
    let mut all = all.freeze();
    let mut pieces = Vec::with_capacity(all.len() / size + 1);
    while !all.is_empty() {
        pieces.push(all.split_to(size.min(all.len())));
    }
    pieces
}
