//! The Responses stream: named, numbered events; the last one holds the whole response again.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::{Item, Response};
use super::usage;
use crate::counts::lenient;
use crate::failure;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading};
use crate::sse::Event;
use crate::text::spoken_in_delta;

static SEQUENCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"sequence_number\":"));

/// Nothing has to be remembered but what the reading holds.
#[derive(Debug, Default)]
pub(crate) struct Reader;

#[derive(Deserialize)]
struct Holder<'a> {
    #[serde(borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Done<'a> {
    #[serde(borrow)]
    item: Item<'a>,
}

impl Reader {
    pub(crate) fn event(&mut self, event: &Event<'_>, reading: &mut Reading) -> Mark {
        let head = event.data.head();
        if !head.starts_with(b"{") {
            return Mark::Unreadable;
        }
        if let Some(number) = sequence_number(event.data) {
            reading.sequence_number = Some(number);
        }
        match event.name {
            b"" => match kind_of(head) {
                Some(kind) => named(kind.as_bytes(), event.data, reading),
                None => Mark::Unreadable,
            },
            name => named(name, event.data, reading),
        }
    }
}

fn named(name: &[u8], data: Data<'_>, reading: &mut Reading) -> Mark {
    match name {
        b"response.created" | b"response.in_progress" | b"response.queued" => {
            if let (None, Ok(Holder { response })) =
                (&reading.response_id, serde_json::from_slice(data.head()))
            {
                response.describe(reading);
            }
            Mark::Preamble
        }
        b"response.completed" | b"response.incomplete" | b"response.failed" | b"response.cancelled" => {
            reading.ended = true;
            if let Data::Giant { tail, .. } = data {
                if let Some(wire) = last_object(tail, b"\"usage\"") {
                    usage::take(&wire, reading);
                }
            } else if let Ok(Holder { response }) = serde_json::from_slice(data.head()) {
                response.describe(reading);
                if let Some(error) = response.error {
                    let error = failure::read_inner(error.get().as_bytes());
                    reading.error.get_or_insert(error);
                }
            }
            if name == b"response.failed" {
                reading.error.get_or_insert_with(|| failure::read_inner(b"{}"));
                return Mark::Error;
            }
            Mark::End
        }
        b"error" => {
            reading.error.get_or_insert_with(|| failure::read_inner(data.head()));
            Mark::Error
        }
        _ if name.ends_with(b".delta") => {
            reading.output_bytes += spoken_in_delta(data.head());
            Mark::Meaningful
        }
        b"response.output_item.done" => {
            let done = serde_json::from_slice::<Done<'_>>(data.head());
            reading.web_searches += u64::from(done.is_ok_and(|Done { item }| item.is_search()));
            Mark::Meaningful
        }
        // The item itself holds the picture, and may be too long to be read whole.
        b"response.image_generation_call.completed" => {
            reading.images += 1;
            Mark::Meaningful
        }
        _ if name.starts_with(b"response.") => Mark::Meaningful,
        // Vendors mix in events of their own (limits, metadata) that are no part of the answer.
        _ => Mark::Preamble,
    }
}

/// The number stands among the small fields: near the start, or behind everything else.
fn sequence_number(data: Data<'_>) -> Option<u64> {
    let in_part = |json: &[u8]| {
        let behind = &json[SEQUENCE.find(json)? + SEQUENCE.needle().len()..];
        let digits = behind.trim_ascii_start();
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
    };
    match data {
        Data::Whole(json) => in_part(json),
        Data::Giant { head, tail } => in_part(head).or_else(|| in_part(tail)),
    }
}

/// The `type` of an event whose name was lost on the way; an error without one is an error still.
fn kind_of(json: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
        kind: Option<Cow<'a, str>>,
        #[serde(default)]
        error: Option<IgnoredAny>,
    }
    let Kind { kind, error } = serde_json::from_slice(json).ok()?;
    kind.or(error.map(|_| Cow::Borrowed("error")))
}
