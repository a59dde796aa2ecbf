//! The tap: reads along while an answer's bytes pass, and never alters them (I-26).
//!
//! ```text
//! Silent --says something--> Meaningful --end mark--> Ended
//!    |                           '------error-------> Broken
//!    |-------end mark--------------------------------> Ended
//!    '-------error, garbage--------------------------> Failed
//! ```
//!
//! Invariants
//! - The reading depends on the bytes, not on how they were cut.
//! - `Ended` only after the protocol's own end mark (I-27). It stays; usage may still follow.
//! - `Failed` means that nothing meaningful came before: another provider may still be tried.
//! - Memory is bounded by [`sse::MAX_EVENT_BYTES`](crate::sse::MAX_EVENT_BYTES) for streams and by
//!   [`MAX_BODY_BYTES`] for whole bodies (I-29).

use serde::de::IgnoredAny;

use crate::failure::UpstreamError;
use crate::format::{Format, Operation};
use crate::gather::{Data, Gather};
use crate::json_array::Splitter;
use crate::reading::{Mark, Reading};
use crate::refusal::Cut;
use crate::sse::{Event, Framer};
use crate::{anthropic, gemini, openai_chat, openai_responses};

/// The longest whole body that is read whole; of a longer one usage is looked for at the end.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A whole body this long is an answer: errors are short.
const SURELY_AN_ANSWER: u64 = 64 * 1024;

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Server-sent events.
    Sse,
    /// A JSON array that grows.
    JsonArray,
    /// One JSON document.
    Whole,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing yet, or only what announces an answer.
    Silent,
    /// Part of an answer.
    Meaningful,
    /// The protocol's end mark has come.
    Ended,
    /// An error, or garbage, before anything meaningful.
    Failed,
    /// An error after something meaningful.
    Broken,
}

/// Reads along with one answer.
#[derive(Debug)]
pub struct Tap {
    format: Format,
    operation: Operation,
    frames: Frames,
    reader: Reader,
    reading: Reading,
    stage: Stage,
}

#[derive(Debug)]
enum Frames {
    Sse(Framer),
    Array(Splitter),
    Whole(Gather),
}

#[derive(Debug)]
enum Reader {
    Anthropic(anthropic::stream::Reader),
    OpenaiChat(openai_chat::stream::Reader),
    OpenaiResponses(openai_responses::stream::Reader),
    Gemini(gemini::stream::Reader),
}

impl Reader {
    fn event(&mut self, event: &Event<'_>, reading: &mut Reading) -> Mark {
        match self {
            Self::Anthropic(reader) => reader.event(event, reading),
            Self::OpenaiChat(reader) => reader.event(event.data, reading),
            Self::OpenaiResponses(reader) => reader.event(event, reading),
            Self::Gemini(reader) => reader.event(event.data, reading),
        }
    }
}

impl Tap {
    /// A tap for an answer to `operation`, coming in `shape`.
    #[must_use]
    pub fn new(format: Format, operation: Operation, shape: Shape) -> Self {
        Self {
            format,
            operation,
            frames: match shape {
                Shape::Sse => Frames::Sse(Framer::new()),
                Shape::JsonArray => Frames::Array(Splitter::new()),
                Shape::Whole => Frames::Whole(Gather::new(MAX_BODY_BYTES)),
            },
            reader: match format {
                Format::Anthropic => Reader::Anthropic(Default::default()),
                Format::OpenaiChat => Reader::OpenaiChat(Default::default()),
                Format::OpenaiResponses => Reader::OpenaiResponses(Default::default()),
                Format::Gemini => Reader::Gemini(Default::default()),
            },
            reading: Reading::default(),
            stage: Stage::Silent,
        }
    }

    /// Takes in the next bytes of the answer.
    pub fn push(&mut self, bytes: &[u8]) {
        let Self { frames, reader, reading, stage, .. } = self;
        let mut take = |event: &Event<'_>| take(reader, reading, stage, event);
        let garbage = match frames {
            Frames::Sse(framer) => {
                framer.push(bytes, |event| take(&event));
                false
            }
            Frames::Array(splitter) => {
                splitter.push(bytes, |data| take(&Event { name: b"", data }));
                splitter.is_garbage()
            }
            Frames::Whole(gather) => {
                gather.push(bytes);
                if *stage == Stage::Silent && gather.total() > SURELY_AN_ANSWER {
                    *stage = Stage::Meaningful;
                }
                let first = gather.view().head().iter().find(|byte| !byte.is_ascii_whitespace());
                first.is_some_and(|byte| *byte != b'{')
            }
        };
        if garbage {
            self.give_up();
        }
    }

    /// The body has ended. Whether it ended as it should is for the framing below to say; this
    /// reads what only an end makes readable.
    pub fn finish(&mut self) {
        let Self { frames, reader, reading, stage, .. } = self;
        match frames {
            Frames::Sse(framer) => framer.finish(|event| {
                // Torn in the middle, it must not pass for the end mark it would have become.
                if is_sound(event.data) {
                    take(reader, reading, stage, &event);
                }
            }),
            Frames::Array(_) => {}
            Frames::Whole(gather) if reading.events == 0 && !reading.garbage => {
                let mark = answer(self.format, self.operation, gather.view(), reading);
                reading.events = u64::from(mark != Mark::Unreadable);
                *stage = stage.after(mark);
            }
            Frames::Whole(_) => {}
        }
        if self.reading.events == 0 {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.reading.garbage = true;
        self.reading.error.get_or_insert_with(UpstreamError::garbage);
        self.stage = self.stage.after(Mark::Error);
    }

    /// How far the answer has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What is known of it.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What it takes to end this stream with an error where it stands now.
    #[must_use]
    pub fn cut_here<'a>(&'a self, message: &'a str, request_id: &'a str) -> Cut<'a> {
        let (shape, between_events) = match &self.frames {
            Frames::Sse(framer) => (Shape::Sse, framer.between_events()),
            Frames::Array(splitter) => (Shape::JsonArray, splitter.between_elements()),
            Frames::Whole(_) => (Shape::Whole, false),
        };
        Cut {
            message,
            request_id,
            shape,
            between_events,
            response_id: self.reading.response_id.as_deref(),
            model: self.reading.model.as_deref(),
            next_sequence: self.reading.sequence_number.map_or(0, |last| last.saturating_add(1)),
        }
    }
}

fn is_sound(data: Data<'_>) -> bool {
    match data {
        Data::Whole(data) => data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(data).is_ok(),
        Data::Giant { .. } => false,
    }
}

fn take(reader: &mut Reader, reading: &mut Reading, stage: &mut Stage, event: &Event<'_>) {
    let mark = reader.event(event, reading);
    reading.events += u64::from(mark != Mark::Unreadable);
    *stage = stage.after(mark);
}

/// Reads a whole body.
fn answer(format: Format, operation: Operation, body: Data<'_>, reading: &mut Reading) -> Mark {
    if !body.head().trim_ascii_start().starts_with(b"{") {
        return Mark::Unreadable;
    }
    match format {
        Format::Anthropic => anthropic::answer::read(operation, body, reading),
        Format::OpenaiChat => openai_chat::answer::read(operation, body, reading),
        Format::OpenaiResponses => openai_responses::answer::read(operation, body, reading),
        Format::Gemini => gemini::answer::read(operation, body, reading),
    }
}

impl Stage {
    fn after(self, mark: Mark) -> Self {
        match (self, mark) {
            (Self::Ended | Self::Failed | Self::Broken, _) | (_, Mark::Preamble | Mark::Unreadable) => self,
            (Self::Silent | Self::Meaningful, Mark::Meaningful) => Self::Meaningful,
            (Self::Silent | Self::Meaningful, Mark::End) => Self::Ended,
            (Self::Silent, Mark::Error) => Self::Failed,
            (Self::Meaningful, Mark::Error) => Self::Broken,
        }
    }
}
