//! Usage as Responses counts it: input includes what was cached, output includes reasoning.

use serde::Deserialize;

use crate::counts::{Count, lenient};
use crate::reading::Reading;
use crate::usage::Usage;

/// The `usage` object.
#[derive(Debug, Deserialize)]
pub(super) struct Wire {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    input_tokens_details: Option<InputDetails>,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    cache_write_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    cache_write_tokens_details: Option<Lifetimes>,
}

#[derive(Debug, Deserialize)]
struct Lifetimes {
    #[serde(default)]
    ttl_12h_tokens: Count,
}

#[derive(Debug, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Count,
}

/// Puts usage into the reading; it comes once.
pub(super) fn take(wire: &Wire, reading: &mut Reading) {
    let suspect = &mut reading.usage_suspect;
    let (input, output) = (wire.input_tokens.get(suspect), wire.output_tokens.get(suspect));
    if input.or(output).is_none() {
        return;
    }
    let details = wire.input_tokens_details.as_ref();
    let cache_read = details.and_then(|details| details.cached_tokens.get(suspect)).unwrap_or(0);
    let cache_write = details.and_then(|details| details.cache_write_tokens.get(suspect)).unwrap_or(0);
    let lifetimes = details.and_then(|details| details.cache_write_tokens_details.as_ref());
    let long = lifetimes.and_then(|split| split.ttl_12h_tokens.get(suspect)).unwrap_or(0).min(cache_write);
    let reasoning =
        wire.output_tokens_details.as_ref().and_then(|details| details.reasoning_tokens.get(suspect));
    let output_tokens = output.unwrap_or(0);
    reading.usage = Some(Usage {
        input_tokens: input.unwrap_or(0).saturating_sub(cache_read).saturating_sub(cache_write),
        cache_read_tokens: cache_read,
        cache_write_5m_tokens: cache_write - long,
        cache_write_1h_tokens: long,
        output_tokens,
        reasoning_tokens: reasoning.unwrap_or(0).min(output_tokens),
    });
    reading.usage_final = true;
}
