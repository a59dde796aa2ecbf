//! A whole response, as plain body or inside the events that hold one.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::{self, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::format::Operation;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note, renote};
use crate::text::spoken;

/// The `response` object.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    service_tier: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Wire>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    input_tokens: Option<IgnoredAny>,
}

/// A piece of output, as far as it is priced by itself.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    action: Option<Action<'a>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Cow<'a, str>>,
}

impl Item<'_> {
    /// Whether it is a search; opening a page that was found, or looking for something in it, is not.
    pub(super) fn is_search(&self) -> bool {
        let action = self.action.as_ref().and_then(|action| action.kind.as_deref());
        self.kind.as_deref() == Some("web_search_call") && action.is_none_or(|action| action == "search")
    }

    fn is_image(&self) -> bool {
        self.kind.as_deref() == Some("image_generation_call")
    }
}

impl Response<'_> {
    /// Puts what the object says of itself into the reading.
    pub(super) fn describe(&self, reading: &mut Reading) {
        note(&mut reading.response_id, self.id.clone());
        note(&mut reading.model, self.model.clone());
        renote(&mut reading.service_tier, self.service_tier.clone());
        if let Some(wire) = &self.usage {
            usage::take(wire, reading);
        }
        if let Some(output) = self.output {
            count_calls(output.get(), reading);
        }
    }
}

/// Counts what is priced by itself. A stream told of it piece by piece before; what is told again is not
/// counted again.
fn count_calls(output: &str, reading: &mut Reading) {
    // Most output calls nothing, and all of it is long.
    if memchr::memmem::find(output.as_bytes(), b"_call\"").is_none() {
        return;
    }
    let Ok(items) = serde_json::from_str::<Vec<Item<'_>>>(output) else { return };
    let searches = items.iter().filter(|item| item.is_search()).count();
    let images = items.iter().filter(|item| item.is_image()).count();
    reading.web_searches = reading.web_searches.max(searches as u64);
    reading.images = reading.images.max(images as u64);
}

pub(crate) fn read(operation: Operation, body: Data<'_>, reading: &mut Reading) -> Mark {
    let json = match body {
        Data::Whole(json) => json,
        Data::Giant { tail, .. } => {
            if let Some(wire) = last_object(tail, b"\"usage\"") {
                usage::take(&wire, reading);
            }
            return Mark::Meaningful;
        }
    };
    let Ok(response) = serde_json::from_slice::<Response<'_>>(json) else { return Mark::Unreadable };
    response.describe(reading);
    // An error object without a response around it is under `error` as well.
    if response.error.is_some() || response.status.as_deref() == Some("failed") {
        reading.ended = response.output.is_some();
        reading.error = Some(failure::read_inner(json));
        return Mark::Error;
    }
    let as_expected = match operation {
        Operation::CountTokens => response.input_tokens.is_some(),
        _ => response.output.is_some(),
    };
    if !as_expected {
        return Mark::Unreadable;
    }
    if operation == Operation::Generate {
        reading.output_bytes = spoken(json);
    }
    reading.ended = true;
    Mark::End
}
