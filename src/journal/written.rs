//! How values stand in the journal: spans in whole microseconds, as rows keep them, and names no longer than
//! rows keep them, so that no caller can fill the journal with one endless word.

use serde::{Serialize, Serializer};

/// Longest name that is kept, in bytes. Indexed ones must stay well below the 2,700 bytes that fit into an
/// index page of PostgreSQL.
pub(crate) const NAME_BYTES: usize = 256;

/// Longest message that is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 2_000;

/// The beginning of a text, cut at a character.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most.min(text.len()))]
}

/// Serialises a name.
pub(super) fn name<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(cut(text, NAME_BYTES))
}

/// Serialises a name that may be missing.
pub(super) fn name_if<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(|text| cut(text, NAME_BYTES)).serialize(to)
}

/// Serialises a message.
pub(super) fn message<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(cut(text, MESSAGE_BYTES))
}

/// Serialises a message that may be missing.
pub(super) fn message_if<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(|text| cut(text, MESSAGE_BYTES)).serialize(to)
}

/// A span as a number of microseconds; longer than 500,000 years is as good as that.
pub(super) mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::journal) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

/// The same for a span that may be missing.
pub(super) mod micros_if {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::journal) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::micros::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_micros))
    }
}
