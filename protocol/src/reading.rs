//! What a tap has learned of one answer so far.

use std::borrow::Cow;

use serde::Serialize;

use crate::failure::UpstreamError;
use crate::usage::Usage;

/// What a tap has learned. Everything is best known so far, and final once the body has ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Reading {
    /// Tokens consumed, once the upstream has told any.
    pub usage: Option<Usage>,
    /// Whether that usage is the upstream's last word, not a count on the way.
    pub usage_final: bool,
    /// Whether some count was absurd (negative, beyond 10^12) and therefore left out.
    pub usage_suspect: bool,
    /// Server-side web searches, which are priced apart from tokens.
    pub web_searches: u64,
    /// Pictures made on the upstream's side, where it tells; they too are priced apart.
    pub images: u64,
    /// The tier the upstream says it served the request in; the price may depend on it.
    pub service_tier: Option<String>,
    /// Whether the protocol's own end mark was seen (I-27).
    pub ended: bool,
    /// The error the answer carried, if it did.
    pub error: Option<UpstreamError>,
    /// Whether this is no answer of the API at all: not JSON, no event that can be read.
    pub garbage: bool,
    /// The vendor's id of the answer.
    pub response_id: Option<String>,
    /// The model that answered, as the upstream names it.
    pub model: Option<String>,
    /// The last `sequence_number` seen (Responses).
    pub sequence_number: Option<u64>,
    /// Bytes of text said, for estimates where usage never comes.
    pub output_bytes: u64,
    /// Events, elements or bodies read.
    pub events: u64,
}

/// Ids, models and tiers longer than this are cut: they go into rows.
const MAX_NAME_CHARS: usize = 256;

/// Keeps the first of several namings: ids and models do not change.
pub(crate) fn note(slot: &mut Option<String>, name: Option<Cow<'_, str>>) {
    if slot.is_none() {
        renote(slot, name);
    }
}

/// Keeps the last of several namings: the tier asked for comes first, the one served last.
pub(crate) fn renote(slot: &mut Option<String>, name: Option<Cow<'_, str>>) {
    if let Some(name) = name {
        *slot = Some(name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect());
    }
}

/// What one event or body was, to whoever waits for the commit point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Announces an answer and says nothing yet.
    Preamble,
    /// Part of an answer.
    Meaningful,
    /// The protocol's end mark.
    End,
    /// An error in place of the rest.
    Error,
    /// Nothing of this API.
    Unreadable,
}
