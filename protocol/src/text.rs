//! How much text an event says, for estimates where an upstream never tells its usage.

use crate::nesting::end_of_string;

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

/// Bytes of text in the string members of this JSON that hold speech. Walks from quote to quote.
pub(crate) fn spoken(json: &[u8]) -> u64 {
    let mut bytes = 0;
    let mut speech = false;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', &json[at..]) {
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
        assert_eq!(spoken(br#"{"type":"response.output_text.delta","item_id":"msg_1","delta":"Hi"}"#), 2);
        assert_eq!(spoken(br#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#), 0);
        assert_eq!(spoken(br#"{"text":"a\"b"}"#), 4);
        assert_eq!(spoken(br#"{"text":"cut of"#), 5);
    }
}
