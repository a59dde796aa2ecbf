//! The Messages stream. Four kinds of event matter to us; all others pass by name alone.

use std::borrow::Cow;

use serde::Deserialize;

use super::usage::{Counts, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note};
use crate::sse::Event;
use crate::text::spoken_in_delta;

/// What must be remembered from event to event.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    counts: Counts,
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    usage: Option<Wire<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    usage: Option<Wire<'a>>,
}

impl Reader {
    pub(crate) fn event(&mut self, event: &Event<'_>, reading: &mut Reading) -> Mark {
        match event.name {
            b"" => match kind_of(event.data.head()) {
                Some(kind) => self.named(kind.as_bytes(), event.data, reading),
                None => Mark::Unreadable,
            },
            name => self.named(name, event.data, reading),
        }
    }

    fn named(&mut self, name: &[u8], data: Data<'_>, reading: &mut Reading) -> Mark {
        let head = data.head();
        match name {
            b"content_block_delta" => {
                reading.output_bytes += spoken_in_delta(head);
                Mark::Meaningful
            }
            b"content_block_start" | b"content_block_stop" => Mark::Meaningful,
            b"ping" => Mark::Preamble,
            b"message_start" => {
                if let Ok(Start { message }) = serde_json::from_slice(head) {
                    note(&mut reading.response_id, message.id);
                    note(&mut reading.model, message.model);
                    if let Some(usage) = message.usage {
                        self.counts.take(&usage, reading);
                    }
                }
                Mark::Preamble
            }
            b"message_delta" => {
                let usage = match data {
                    Data::Whole(json) => serde_json::from_slice(json).ok().and_then(|Delta { usage }| usage),
                    Data::Giant { tail, .. } => last_object(tail, b"\"usage\""),
                };
                if let Some(usage) = usage {
                    self.counts.take(&usage, reading);
                    reading.usage_final = reading.usage.is_some();
                }
                Mark::Meaningful
            }
            b"message_stop" => {
                reading.ended = true;
                Mark::End
            }
            b"error" => {
                reading.error.get_or_insert_with(|| failure::read_inner(head));
                Mark::Error
            }
            // Event types appear monthly.
            _ if head.starts_with(b"{") => Mark::Meaningful,
            _ => Mark::Unreadable,
        }
    }
}

/// The `type` of an event whose name was lost on the way; an error without one is an error still.
fn kind_of(json: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
        kind: Option<Cow<'a, str>>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
    }
    let Kind { kind, error } = serde_json::from_slice(json).ok()?;
    kind.or(error.map(|_| Cow::Borrowed("error")))
}
