//! How deep sound JSON nests, at the speed of a search for quotes.
//!
//! Readers that lend raw values never look at depth, and a few kilobytes of `[` overflow the stack
//! of many a reader behind us.

/// Whether brackets in this JSON nest deeper than `bound`. The JSON must be sound.
pub(crate) fn exceeds(json: &[u8], bound: usize) -> bool {
    if opens_at_most(json, bound) {
        return false;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > bound {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_string(json, at),
            _ => {}
        }
    }
    false
}

/// Whether there are no more opening brackets than that, in strings or not: then nothing nests deeper, and
/// nobody need know where strings end. Long prose has few; a body with many is told by its first kilobytes.
fn opens_at_most(json: &[u8], bound: usize) -> bool {
    let mut seen = 0;
    json.chunks(4_096).all(|block| {
        seen += block.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
        seen <= bound
    })
}

/// The place behind the quote that ends the string whose inside starts at `start`.
///
/// Looks for quotes only and counts the backslashes before each: text is full of `\n`, but seldom
/// of `\"`, so this beats stopping at every backslash.
pub(crate) fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut from = start;
    while let Some(found) = memchr::memchr(b'"', &json[from..]) {
        let quote = from + found;
        let backslashes = json[start..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        from = quote + 1;
        if backslashes % 2 == 0 {
            return from;
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![r#"[\\"\[\]{}a ]{0,12}"#, "\\PC{0,8}"];
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), text.prop_map(Value::from)];
        leaf.prop_recursive(8, 64, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(r#"[\\"\[{}a]{0,4}"#, inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scan_agrees_with_the_depth_of_the_document_tree(value in json()) {
            let text = value.to_string();
            for bound in 0..12 {
                prop_assert_eq!(exceeds(text.as_bytes(), bound), depth(&value) > bound, "{} {}", bound, text);
            }
        }
    }

    #[test]
    fn brackets_in_strings_are_text() {
        assert!(!exceeds(br#"{"a":"[[[[\"[[[[","b":"\\","c":"[[["}"#, 1));
        assert!(exceeds(br#"{"a":"\\\\","b":[0]}"#, 1));
    }
}
