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
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::{Fault, Framing, MAX_HEAD, Malformed, Then};

    /// Feeds `input` cut at `cuts`; what was passed on and where it led.
    fn run(input: &[u8], cuts: &[usize], bodiless: bool) -> (Vec<u8>, Then, Result<(), Fault>) {
        let mut framing = Framing::new();
        framing.begin(bodiless);
        let mut passed = Vec::new();
        let mut then = Then::More;
        let mut bounds = cuts.to_vec();
        bounds.extend([0, input.len()]);
        bounds.sort_unstable();
        for pair in bounds.windows(2) {
            let run = &input[pair[0]..pair[1]];
            if run.is_empty() {
                continue;
            }
            let taken = framing.take(run);
            if let Some(head) = taken.head {
                passed.extend_from_slice(&head.text);
            }
            passed.extend_from_slice(&run[taken.body]);
            then = taken.then;
        }
        let closed = framing.close();
        (passed, then, closed)
    }

    fn whole(input: &str) -> (String, Then, Result<(), Fault>) {
        let (passed, then, closed) = run(input.as_bytes(), &[], false);
        (String::from_utf8(passed).expect("ascii"), then, closed)
    }

    const OVER: Then = Then::Over { reusable: true };
    const SPENT: Then = Then::Over { reusable: false };

    #[test]
    fn i30_interim_heads_are_swallowed_up_to_five() {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let four = interim.repeat(2);
        assert_eq!(whole(&format!("{four}{answer}")), (answer.to_owned(), OVER, Ok(())));
        let five = format!("{four}HTTP/1.1 102 Processing\r\n\r\n");
        assert_eq!(whole(&format!("{five}{answer}")).1, OVER);
        let six = interim.repeat(3);
        assert_eq!(whole(&format!("{six}{answer}")).1, Then::Broken(Fault::TooManyInterimHeads));
    }

    #[test]
    fn i30_an_answer_nobody_asked_for_costs_the_connection_and_is_not_passed_on() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let (passed, then, _) = whole(&answer.repeat(2));
        assert_eq!((passed.as_str(), then), (answer, SPENT));
    }

    #[test]
    fn i27_an_answer_is_whole_only_where_its_framing_says_so() {
        for (input, closed) in [
            ("", Err(Fault::Cut)),
            ("HTTP/1.1 200", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Ok(())),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nh", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", Err(Fault::Cut)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Ok(())),
            ("HTTP/1.1 200 OK\r\n\r\nhel", Ok(())),
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
        ] {
            assert_eq!(whole(input).2, closed, "{input:?}");
        }
    }

    #[test]
    fn the_answer_to_a_head_request_has_no_body() {
        let input = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(run(input, &[], true).1, OVER);
    }

    #[test]
    fn garbage_and_endless_heads_are_refused_early() {
        let not_http = Then::Broken(Fault::Malformed(Malformed::NotHttp));
        assert_eq!(whole("\r\nHTTP/1.1 200 OK\r\n\r\n").1, not_http);
        assert_eq!(whole("SSH-2.0-x").1, not_http);
        assert_eq!(whole("HTTP/2").1, not_http);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert_eq!(whole(&endless).1, Then::Broken(Fault::Malformed(Malformed::HeadTooBig)));
        let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
        assert_eq!(whole(switched).1, Then::Broken(Fault::Malformed(Malformed::Switched)));
    }

    /// Pieces that make good, bad and truncated answers when strung together.
    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Just(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            Just(b"HTTP/1.0 200 OK\r\n".to_vec()),
            Just(b"content-length: 5\r\n".to_vec()),
            Just(b"transfer-encoding: chunked\r\n".to_vec()),
            Just(b"connection: close\r\n".to_vec()),
            Just(b"x: folded\r\n y\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"5\r\nhello\r\n".to_vec()),
            Just(b"5;ext=1\r\nhello\r\n".to_vec()),
            Just(b"0\r\n".to_vec()),
            Just(b"0\r\nsum: 1\r\n\r\n".to_vec()),
            Just(b"hello".to_vec()),
            vec(any::<u8>(), 0..4),
        ];
        let opening = prop_oneof![
            Just(Vec::new()),
            Just(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
            Just(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec()),
            Just(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ];
        (opening, vec(piece, 0..8)).prop_map(|(opening, pieces)| [opening, pieces.concat()].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn i26_any_cut_of_the_bytes_gives_the_same_verdict_and_passes_the_same_bytes(
            input in answers(),
            cuts in vec(any::<Index>(), 0..12),
            bodiless in any::<bool>(),
        ) {
            let cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            let in_one = run(&input, &[], bodiless);
            prop_assert_eq!(&run(&input, &cuts, bodiless), &in_one);
            let singly: Vec<_> = (0..input.len()).collect();
            prop_assert_eq!(&run(&input, &singly, bodiless), &in_one);
        }
    }
}
