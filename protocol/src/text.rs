//! How much text an event says, for estimates where an upstream never tells its usage.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::scan::end_of_string;

/// The members that hold what a model says, in any of the formats.
const SPOKEN: [&[u8]; 9] = [
    b"text",
    b"content",
    b"delta",
    b"thinking",
    b"partial_json",
    b"arguments",
    b"reasoning_content",
    b"reasoning",
    b"refusal",
];

static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"delta\":"));

/// Bytes of text in what an event adds: its `delta`, which is a string or an object.
pub(crate) fn spoken_in_delta(event: &[u8]) -> u64 {
    let Some(found) = DELTA.find(event) else { return 0 };
    let value = event[found + DELTA.needle().len()..].trim_ascii_start();
    if value.first() == Some(&b'"') {
        return end_of_string(value, 1).saturating_sub(2) as u64;
    }
    spoken(value)
}

/// Bytes of text in the string members of this JSON that hold speech. Walks from quote to quote.
pub(crate) fn spoken(json: &[u8]) -> u64 {
    let mut bytes = 0;
    let mut speech = false;
    let mut at = 0;
    // Outside of strings a quote is never far: no search is worth setting up.
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'"') {
        let start = at + found + 1;
        at = end_of_string(json, start);
        let inside = &json[start..at.saturating_sub(1).max(start)];
        let next = json[at..].iter().find(|byte| !byte.is_ascii_whitespace());
        if next == Some(&b':') {
            speech = SPOKEN.contains(&inside);
        } else if std::mem::take(&mut speech) {
            bytes += inside.len() as u64;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_and_names_and_ids_are_not() {
        assert_eq!(
            spoken(br#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}"#),
            5
        );
        assert_eq!(
            spoken_in_delta(br#"{"type":"response.output_text.delta","delta": "Hi","obfuscation":"x"}"#),
            2
        );
        assert_eq!(spoken_in_delta(br#"{"delta":""#), 0);
        assert_eq!(spoken(br#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#), 0);
        assert_eq!(spoken(br#"{"text":"a\"b"}"#), 4);
        assert_eq!(spoken(br#"{"text":"cut of"#), 5);
    }
}
