//! The Gemini stream, as events or as elements of an array: each is a whole answer so far.
//!
//! There is no end mark of its own: a `finishReason`, or a prompt that was blocked, is the last
//! word, though usage may follow it. Once something was said, only decisive chunks are parsed.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::{self, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note};
use crate::text::spoken;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_feedback: Option<Feedback>,
    #[serde(default, deserialize_with = "lenient")]
    usage_metadata: Option<Wire>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model_version: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    response_id: Option<Cow<'a, str>>,
    error: Option<IgnoredAny>,
    /// Counting and embedding answer with these.
    pub(super) total_tokens: Option<IgnoredAny>,
    pub(super) embedding: Option<IgnoredAny>,
    pub(super) embeddings: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    content: Option<Content<'a>>,
    finish_reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    parts: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<IgnoredAny>,
}

impl Chunk<'_> {
    /// Whether it is one at all; a model that had nothing to say leaves out the candidates.
    pub(super) fn is_an_answer(&self) -> bool {
        self.candidates.is_some() || self.prompt_feedback.is_some() || self.usage_metadata.is_some()
    }
}

impl Candidate<'_> {
    /// Whether some part is more than an empty text.
    fn says_something(&self) -> bool {
        let parts = self.content.iter().flat_map(|content| content.parts.iter().flatten());
        parts.map(|part| part.get()).any(|part| !matches!(part, "{}" | r#"{"text":""}"# | r#"{"text": ""}"#))
    }
}

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usageMetadata\":"));

/// Members whose presence makes a chunk more than a further piece of text.
static DECISIVE: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["\"finishReason\"", "\"error\"", "\"promptFeedback\""].map(Finder::new));

/// What must be remembered from chunk to chunk.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Whether something was said, so that the outline of chunks no longer matters.
    spoke: bool,
}

impl Reader {
    pub(crate) fn event(&mut self, data: Data<'_>, reading: &mut Reading) -> Mark {
        let json = match data {
            Data::Whole(json) if json.trim_ascii_start().starts_with(b"{") => json,
            Data::Whole(_) => return Mark::Unreadable,
            Data::Giant { tail, .. } => return giant(tail, reading),
        };
        if self.spoke && DECISIVE.iter().all(|member| member.find(json).is_none()) {
            further(json, reading);
            return Mark::Meaningful;
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(json) else { return Mark::Unreadable };
        let mark = take(&chunk, json, reading);
        self.spoke |= mark == Mark::Meaningful;
        mark
    }
}

/// A further piece of text: its usage is the latest, and nothing else in it is new.
fn further(json: &[u8], reading: &mut Reading) {
    let usage = USAGE.find(json);
    reading.output_bytes += spoken(&json[..usage.unwrap_or(json.len())]);
    let Some(at) = usage else { return };
    let value = &json[at + USAGE.needle().len()..];
    let wire = serde_json::Deserializer::from_slice(value).into_iter::<Wire>().next();
    if let Some(Ok(wire)) = wire {
        usage::take(&wire, reading);
        reading.usage_final = reading.ended && reading.usage.is_some();
    }
}

pub(super) fn take(chunk: &Chunk<'_>, json: &[u8], reading: &mut Reading) -> Mark {
    if chunk.error.is_some() {
        reading.error.get_or_insert_with(|| failure::read_inner(json));
        return Mark::Error;
    }
    note(&mut reading.response_id, chunk.response_id.clone());
    note(&mut reading.model, chunk.model_version.clone());
    let candidates = chunk.candidates.as_deref().unwrap_or_default();
    reading.output_bytes += if candidates.is_empty() { 0 } else { spoken(json) };
    reading.ended |= candidates.iter().any(|candidate| candidate.finish_reason.is_some())
        || chunk.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some());
    if let Some(wire) = &chunk.usage_metadata {
        usage::take(wire, reading);
        reading.usage_final = reading.ended && reading.usage.is_some();
    }
    if reading.ended {
        Mark::End
    } else if candidates.iter().any(Candidate::says_something) {
        Mark::Meaningful
    } else {
        Mark::Preamble
    }
}

/// A chunk with a picture in it: what matters stands behind the megabytes.
pub(super) fn giant(tail: &[u8], reading: &mut Reading) -> Mark {
    let wire: Option<Wire> = last_object(tail, b"\"usageMetadata\"");
    reading.ended |= memchr::memmem::find(tail, b"\"finishReason\"").is_some();
    if let Some(wire) = wire {
        usage::take(&wire, reading);
        reading.usage_final = reading.ended && reading.usage.is_some();
    }
    if reading.ended { Mark::End } else { Mark::Meaningful }
}
