//! A whole Messages answer, or token count.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::{Counts, Wire};
use crate::counts::lenient;
use crate::failure;
use crate::format::Operation;
use crate::gather::{Data, last_object};
use crate::reading::{Mark, Reading, note};
use crate::text::spoken;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    usage: Option<Wire<'a>>,
    content: Option<IgnoredAny>,
    input_tokens: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

pub(crate) fn read(operation: Operation, body: Data<'_>, reading: &mut Reading) -> Mark {
    let mut counts = Counts::default();
    let json = match body {
        Data::Whole(json) => json,
        Data::Giant { tail, .. } => {
            if let Some(usage) = last_object(tail, b"\"usage\"") {
                counts.take(&usage, reading);
                reading.usage_final = reading.usage.is_some();
            }
            return Mark::Meaningful;
        }
    };
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(json) else { return Mark::Unreadable };
    if answer.kind.as_deref() == Some("error") || answer.error.is_some() {
        reading.error = Some(failure::read_inner(json));
        return Mark::Error;
    }
    let as_expected = match operation {
        Operation::CountTokens => answer.input_tokens.is_some(),
        _ => answer.content.is_some(),
    };
    if !as_expected {
        return Mark::Unreadable;
    }
    note(&mut reading.response_id, answer.id);
    note(&mut reading.model, answer.model);
    if let Some(usage) = answer.usage {
        counts.take(&usage, reading);
        reading.usage_final = reading.usage.is_some();
    }
    reading.output_bytes = spoken(json);
    reading.ended = true;
    Mark::End
}
