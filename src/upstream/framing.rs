//! Where one answer ends, as a plain value: no socket, no clock.
//!
//! ```text
//!            ,--1xx (five at most)--.
//! Rest -begin-> Head <--------------'
//!                |--no body-----------------------> Over
//!                |--length---> Length --all------> Over
//!                |--chunked--> Chunked --last----> Over
//!                `--neither--> UntilClose --EOF--> Over (connection spent)
//! any --violation--> Broken
//! ```
//! Invariants
//! - How the bytes are cut changes neither the verdict nor what is passed on.
//! - Nothing after the end of an answer is passed on; it costs the connection instead (I-30).
//! - `close` succeeds only where the framing itself says that the answer is whole (I-27).
//! - Only a head is kept, and no more of it than [`MAX_HEAD`].

use std::ops::Range;

use bytes::Bytes;

use super::{
    chunks::{Chunks, Progress},
    fault::{Fault, Malformed},
    head::{self, Extent, MAX_HEAD},
};

/// Interim heads we skip before one answer.
const MAX_INTERIM: u8 = 5;
/// Every answer we understand starts with this.
const OPENING: &[u8] = b"HTTP/1.";

/// The framing of the answers on one connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// Whether the request was a HEAD, whose answer has no body whatever its head says.
    bodiless: bool,
    interim: u8,
    reusable: bool,
}

#[derive(Debug)]
enum State {
    /// No request is out.
    Rest,
    /// Waiting for a head; what came of it so far.
    Head(Vec<u8>),
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    /// The answer is whole.
    Over,
    Broken(Fault),
}

/// What became of a run of bytes.
#[derive(Debug)]
pub(super) struct Taken {
    /// Set when the run completed the head: what awc is to be given in its place.
    pub(super) head: Option<Answer>,
    /// The part of the run that is body, framing included, to be passed on as it is.
    pub(super) body: Range<usize>,
    pub(super) then: Then,
}

/// A head that was completed.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: Bytes,
}

/// How things stand after a run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    More,
    Over { reusable: bool },
    Broken(Fault),
}

impl Framing {
    pub(super) fn new() -> Self {
        Self { state: State::Rest, bodiless: false, interim: 0, reusable: false }
    }

    /// A request goes out.
    pub(super) fn begin(&mut self, bodiless: bool) {
        *self = Self { state: State::Head(Vec::new()), bodiless, interim: 0, reusable: false };
    }

    /// Whether bytes that come now belong to a head.
    pub(super) fn in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Whether the answer is whole.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes bytes from the upstream.
    pub(super) fn take(&mut self, input: &[u8]) -> Taken {
        let mut at = 0;
        let mut head = None;
        while let State::Head(raw) = &mut self.state {
            if at == input.len() {
                return Taken { head, body: at..at, then: Then::More };
            }
            match collect(raw, &input[at..]) {
                Ok((used, complete)) => {
                    at += used;
                    if complete {
                        let raw = std::mem::take(raw);
                        head = self.head_complete(&raw);
                    }
                }
                Err(malformed) => self.state = State::Broken(Fault::Malformed(malformed)),
            }
        }
        let passed = self.take_body(&input[at..]);
        let then = match self.state {
            State::Over if at + passed < input.len() => {
                self.reusable = false; // more than one answer to one request
                Then::Over { reusable: false }
            }
            State::Over => Then::Over { reusable: self.reusable },
            State::Broken(fault) => Then::Broken(fault),
            _ => Then::More,
        };
        Taken { head, body: at..at + passed, then }
    }

    /// The upstream closed its side.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        match self.state {
            State::UntilClose => {
                self.state = State::Over;
                Ok(())
            }
            State::Rest | State::Over => Ok(()),
            State::Broken(fault) => Err(fault),
            State::Head(_) | State::Length(_) | State::Chunked(_) => {
                self.state = State::Broken(Fault::Cut);
                Err(Fault::Cut)
            }
        }
    }

    fn head_complete(&mut self, raw: &[u8]) -> Option<Answer> {
        let head = match head::read(raw, self.bodiless) {
            Ok(head) => head,
            Err(malformed) => {
                self.state = State::Broken(Fault::Malformed(malformed));
                return None;
            }
        };
        match head.status {
            101 => self.state = State::Broken(Fault::Malformed(Malformed::Switched)),
            100..=199 if self.interim == MAX_INTERIM => {
                self.state = State::Broken(Fault::TooManyInterimHeads)
            }
            100..=199 => {
                self.interim += 1;
                self.state = State::Head(Vec::new());
            }
            status => {
                self.reusable = head.reusable;
                self.state = match head.extent {
                    Extent::Nothing | Extent::Length(0) => State::Over,
                    Extent::Length(length) => State::Length(length),
                    Extent::Chunked => State::Chunked(Chunks::START),
                    Extent::UntilClose => State::UntilClose,
                };
                return Some(Answer { status, text: head.text });
            }
        }
        None
    }

    /// How much of `input` is body.
    fn take_body(&mut self, input: &[u8]) -> usize {
        match &mut self.state {
            State::Length(left) => {
                let run = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= run as u64;
                if *left == 0 {
                    self.state = State::Over;
                }
                run
            }
            State::Chunked(chunks) => {
                let (passed, progress) = chunks.take(input);
                match progress {
                    Progress::More => {}
                    Progress::Done => self.state = State::Over,
                    Progress::Broken(malformed) => self.state = State::Broken(Fault::Malformed(malformed)),
                }
                passed
            }
            State::UntilClose => input.len(),
            State::Rest | State::Head(_) | State::Over | State::Broken(_) => 0,
        }
    }
}

/// Adds to a head; returns how many bytes were used and whether the blank line is there.
fn collect(raw: &mut Vec<u8>, input: &[u8]) -> Result<(usize, bool), Malformed> {
    let before = raw.len();
    let opening = OPENING.get(before..).unwrap_or_default();
    if opening.iter().zip(input).any(|(expected, byte)| expected != byte) {
        return Err(Malformed::NotHttp);
    }
    raw.extend_from_slice(&input[..input.len().min(MAX_HEAD - before)]);
    // A blank line can have begun before this run.
    let from = before.saturating_sub(3);
    if let Some(end) = blank_line(&raw[from..]) {
        raw.truncate(from + end);
        return Ok((raw.len() - before, true));
    }
    if raw.len() == MAX_HEAD {
        return Err(Malformed::HeadTooBig);
    }
    Ok((input.len(), false))
}

/// Just past the first blank line.
fn blank_line(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', text).find_map(|at| match &text[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
