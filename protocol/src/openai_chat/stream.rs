//! The Chat Completions stream: unnamed chunks, ended by `[DONE]`.
//!
//! Chunks are parsed until one says something; after that only those that hold usage or an error.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::{self, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note, renote};
use crate::text::spoken_in_delta;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));

/// What must be remembered from chunk to chunk.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Whether something was said, so that the outline of chunks no longer matters.
    spoke: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    service_tier: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Wire>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    delta: Option<HashMap<Cow<'a, str>, &'a RawValue>>,
    finish_reason: Option<IgnoredAny>,
}

impl Choice<'_> {
    /// Whether the choice holds more than the announcement of a role.
    fn says_something(&self) -> bool {
        let empty = |value: &RawValue| matches!(value.get(), "null" | "\"\"" | "[]" | "{}");
        let delta = self.delta.iter().flatten();
        self.finish_reason.is_some()
            || delta.filter(|(name, _)| *name != "role").any(|(_, value)| !empty(value))
    }
}

impl Reader {
    pub(crate) fn event(&mut self, data: Data<'_>, reading: &mut Reading) -> Mark {
        let json = match data {
            Data::Whole(json) => json.trim_ascii(),
            Data::Giant { head, tail } => {
                self.spoke = true;
                reading.output_bytes += spoken_in_delta(head);
                if let Some(wire) = last_object(tail, b"\"usage\"") {
                    usage::take(&wire, reading);
                    reading.usage_final = reading.usage.is_some();
                }
                return Mark::Meaningful;
            }
        };
        if json == b"[DONE]" {
            reading.ended = true;
            return Mark::End;
        }
        if !json.starts_with(b"{") {
            return Mark::Unreadable;
        }
        reading.output_bytes += spoken_in_delta(json);
        if self.spoke && USAGE.find(json).is_none() && ERROR.find(json).is_none() {
            return Mark::Meaningful;
        }
        self.parsed(json, reading)
    }

    fn parsed(&mut self, json: &[u8], reading: &mut Reading) -> Mark {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(json) else { return Mark::Unreadable };
        if chunk.error.is_some() {
            reading.error.get_or_insert_with(|| failure::read_inner(json));
            return Mark::Error;
        }
        note(&mut reading.response_id, chunk.id);
        note(&mut reading.model, chunk.model);
        renote(&mut reading.service_tier, chunk.service_tier);
        if let Some(wire) = chunk.usage {
            usage::take(&wire, reading);
            // Compatible vendors repeat it on every chunk; only an end makes it the last word.
            let closing = |choice: &Choice<'_>| choice.finish_reason.is_some();
            reading.usage_final |= reading.usage.is_some()
                && chunk.choices.as_ref().is_none_or(|choices| choices.iter().all(closing));
        }
        let says = chunk.choices.is_some_and(|choices| choices.iter().any(Choice::says_something));
        self.spoke |= says;
        if says { Mark::Meaningful } else { Mark::Preamble }
    }
}
