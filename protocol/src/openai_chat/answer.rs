//! A whole chat completion, or embeddings.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::{self, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::format::Operation;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note, renote};
use crate::text::spoken;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    service_tier: Option<Cow<'a, str>>,
    choices: Option<IgnoredAny>,
    data: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Wire>,
    error: Option<IgnoredAny>,
}

pub(crate) fn read(operation: Operation, body: Data<'_>, reading: &mut Reading) -> Mark {
    let json = match body {
        Data::Whole(json) => json,
        Data::Giant { tail, .. } => {
            if let Some(wire) = last_object(tail, b"\"usage\"") {
                usage::take(&wire, reading);
                reading.usage_final = reading.usage.is_some();
            }
            return Mark::Meaningful;
        }
    };
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(json) else { return Mark::Unreadable };
    let as_expected = match operation {
        Operation::Embed => answer.data.is_some(),
        _ => answer.choices.is_some(),
    };
    // Some vendors send `error: null` along, or an error beside empty choices.
    if answer.error.is_some() {
        reading.error = Some(failure::read_inner(json));
        return Mark::Error;
    }
    if !as_expected {
        return Mark::Unreadable;
    }
    note(&mut reading.response_id, answer.id);
    note(&mut reading.model, answer.model);
    renote(&mut reading.service_tier, answer.service_tier);
    if let Some(wire) = answer.usage {
        usage::take(&wire, reading);
        reading.usage_final = reading.usage.is_some();
    }
    if operation == Operation::Generate {
        reading.output_bytes = spoken(json);
    }
    reading.ended = true;
    Mark::End
}
