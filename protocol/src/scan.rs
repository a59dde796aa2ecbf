//! One strict pass over a JSON text: whether it is sound, how deep it nests, and where the members of its
//! outermost object lie.
//!
//! Readers that lend raw values never look at depth, and a few kilobytes of `[` overflow the stack of many a
//! reader behind us. A second pass to count brackets costs as much as the first on a prompt of a megabyte.
//!
//! Invariants
//! - What passes is what serde_json takes for an object of that depth, no more and no less.
//! - Nothing recurses: depth costs one bit.

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsound {
    /// Not one JSON object.
    Syntax,
    /// Nests deeper than allowed.
    TooDeep,
}

/// How deep an object may nest at most, itself included, for its open brackets to fit.
const MOST: u32 = u128::BITS;

/// Reads `json`, which must be one object nesting no deeper than `bound`, and hands each of its members out:
/// the name as it stands, without its quotes, and the value as it stands.
pub(crate) fn members<'a>(
    json: &'a str,
    bound: u32,
    mut each: impl FnMut(&'a str, &'a str),
) -> Result<(), Unsound> {
    debug_assert!(bound <= MOST, "a bit for each open bracket");
    let mut scan = Scan { json: json.as_bytes(), at: 0 };
    scan.expect(b'{')?;
    if bound == 0 {
        return Err(Unsound::TooDeep);
    }
    if scan.peek() == Some(b'}') {
        scan.at += 1;
    } else {
        loop {
            let name = scan.name()?;
            scan.peek();
            let start = scan.at;
            scan.value(bound - 1)?;
            each(&json[name], &json[start..scan.at]);
            match scan.token()? {
                b',' => {}
                b'}' => break,
                _ => return Err(Unsound::Syntax),
            }
        }
    }
    match scan.peek() {
        None => Ok(()),
        Some(_) => Err(Unsound::Syntax),
    }
}

struct Scan<'a> {
    json: &'a [u8],
    at: usize,
}

/// The brackets that are open: a bit for each, set for an object.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool, bound: u32) -> Result<(), Unsound> {
        if self.depth == bound {
            return Err(Unsound::TooDeep);
        }
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl Scan<'_> {
    /// The next byte that is no blank; it is not consumed.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.json.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// The next byte that is no blank, consumed.
    fn token(&mut self) -> Result<u8, Unsound> {
        let token = self.peek().ok_or(Unsound::Syntax)?;
        self.at += 1;
        Ok(token)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Unsound> {
        if self.token()? == wanted { Ok(()) } else { Err(Unsound::Syntax) }
    }

    /// The name of a member and the colon behind it; says where the name lies.
    fn name(&mut self) -> Result<std::ops::Range<usize>, Unsound> {
        self.expect(b'"')?;
        let start = self.at;
        self.string()?;
        let end = self.at - 1;
        self.expect(b':')?;
        Ok(start..end)
    }

    /// One value, with all that is in it.
    fn value(&mut self, bound: u32) -> Result<(), Unsound> {
        let mut open = Open::default();
        loop {
            if self.begin(&mut open, bound)? {
                continue;
            }
            // A value has ended: what it was in goes on, or ends as well.
            loop {
                if open.depth == 0 {
                    return Ok(());
                }
                match (self.token()?, open.in_object()) {
                    (b',', false) => break,
                    (b',', true) => {
                        self.name()?;
                        break;
                    }
                    (b'}', true) | (b']', false) => open.pop(),
                    _ => return Err(Unsound::Syntax),
                }
            }
        }
    }

    /// The beginning of a value. Says whether another one begins inside of it.
    fn begin(&mut self, open: &mut Open, bound: u32) -> Result<bool, Unsound> {
        match self.token()? {
            b'"' => self.string()?,
            b'{' => {
                open.push(true, bound)?;
                if self.peek() != Some(b'}') {
                    self.name()?;
                    return Ok(true);
                }
                self.at += 1;
                open.pop();
            }
            b'[' => {
                open.push(false, bound)?;
                if self.peek() != Some(b']') {
                    return Ok(true);
                }
                self.at += 1;
                open.pop();
            }
            b't' => self.literal(b"rue")?,
            b'f' => self.literal(b"alse")?,
            b'n' => self.literal(b"ull")?,
            first @ (b'-' | b'0'..=b'9') => self.number(first)?,
            _ => return Err(Unsound::Syntax),
        }
        Ok(false)
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), Unsound> {
        if !self.json[self.at..].starts_with(rest) {
            return Err(Unsound::Syntax);
        }
        self.at += rest.len();
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), Unsound> {
        let first = if first == b'-' { self.byte()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(Unsound::Syntax),
        }
        if self.json.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.json.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.json.get(self.at) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.json.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Unsound> {
        let start = self.at;
        self.digits();
        if self.at > start { Ok(()) } else { Err(Unsound::Syntax) }
    }

    fn byte(&mut self) -> Result<u8, Unsound> {
        let byte = *self.json.get(self.at).ok_or(Unsound::Syntax)?;
        self.at += 1;
        Ok(byte)
    }

    /// The rest of a string whose opening quote is consumed.
    fn string(&mut self) -> Result<(), Unsound> {
        loop {
            self.at += plain(&self.json[self.at..]);
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                _ => return Err(Unsound::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Unsound> {
        match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.json.get(self.at..self.at + 4) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => {
                    self.at += 4;
                    Ok(())
                }
                _ => Err(Unsound::Syntax),
            },
            _ => Err(Unsound::Syntax),
        }
    }
}

/// How many bytes may stand in a string as they are, up to the first that ends it, escapes, or must not be.
fn plain(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let seen = words.len() * 8;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    text[seen..].iter().position(special).map_or(text.len(), |found| seen + found)
}

/// Marks quotes, backslashes and control characters among eight bytes by their top bits. Above the lowest
/// mark there may be false ones: a borrow runs upwards.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let controls = word.wrapping_sub(ONES * 0x20);
    let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (controls | quotes | backslashes) & !word & TOPS
}

/// The place behind the quote that ends the string whose inside starts at `start`, in JSON that is sound.
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
    use std::collections::HashMap;

    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn depth(value: &Value) -> u32 {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn read(json: &str, bound: u32) -> Result<Vec<(&str, &str)>, Unsound> {
        let mut found = Vec::new();
        members(json, bound, |name, value| found.push((name, value))).map(|()| found)
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![r#"[\\"\[\]{}a\n ]{0,12}"#, "\\PC{0,8}", "[a-z\u{e9}\"]{28,70}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(r#"[\\"\[{}a]{0,4}"#, inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Texts that are nearly JSON: sound ones with a byte taken out, put in or changed.
    fn nearly_json() -> impl Strategy<Value = String> {
        let scrap = r#"[\[\]{},:"\\/bfnrtu0-9eE+\-. a-z\u{0}-\u{1f}]{0,3}"#;
        (json(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), scrap).prop_map(
            |(value, from, until, scrap)| {
                let text = Value::Object([("k".to_owned(), value)].into_iter().collect()).to_string();
                let chars: Vec<char> = text.chars().collect();
                let (from, until) = (from.index(chars.len() + 1), until.index(chars.len() + 1).min(2));
                let behind = (from + until).min(chars.len());
                chars[..from]
                    .iter()
                    .copied()
                    .chain(scrap.chars())
                    .chain(chars[behind..].iter().copied())
                    .collect()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn the_bound_on_depth_is_that_of_the_document_tree(value in json()) {
            let text = Value::Object([("k".to_owned(), value.clone())].into_iter().collect()).to_string();
            for bound in 0..12 {
                let expected = if depth(&value) < bound { Ok(()) } else { Err(Unsound::TooDeep) };
                prop_assert_eq!(read(&text, bound).map(|_| ()), expected, "{} {}", bound, text);
            }
        }

        #[test]
        fn c18_it_takes_what_serde_takes_and_nothing_else(text in nearly_json()) {
            let serde = serde_json::from_str::<HashMap<IgnoredAny2, &RawValue>>(&text);
            let taken = members(&text, MOST, |_, _| ());
            prop_assert_eq!(taken.is_ok(), serde.is_ok(), "{} {:?} {:?}", text, taken, serde);
        }

        #[test]
        fn values_and_names_are_given_as_they_stand(value in json(), name in r#"[\\"{}a\u{e9}]{0,5}"#) {
            let name = serde_json::to_string(&name).unwrap();
            let text = format!(" {{ {name} :\t{value}\n, \"b\":[ ] }} ");
            let quoted = &name[1..name.len() - 1];
            let value = value.to_string();
            prop_assert_eq!(read(&text, MOST).unwrap(), vec![(quoted, value.as_str()), ("b", "[ ]")]);
        }
    }

    /// A name that is scanned, as values are: a lone surrogate is told only by who decodes it.
    #[derive(Debug, PartialEq, Eq, Hash)]
    struct IgnoredAny2;

    impl<'de> serde::Deserialize<'de> for IgnoredAny2 {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            IgnoredAny::deserialize(from).map(|_| Self)
        }
    }

    #[test]
    fn brackets_in_strings_are_text() {
        assert!(read(r#"{"a":"[[[[\"[[[[","b":"\\","c":"[[["}"#, 1).is_ok());
        assert_eq!(read(r#"{"a":"\\\\","b":[0]}"#, 1), Err(Unsound::TooDeep));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let check = |json| assert_eq!(read(json, 9), Err(Unsound::Syntax), "{json:?}");
        check("");
        check("[1]");
        check(r#"{"a":1}x"#);
        check(r#"{"a":01}"#);
        check(r#"{"a":1,}"#);
        check("{\"a\":\"\n\"}");
        check(r#"{"a":[1}"#);
        check(r#"{"a":"\x"}"#);
        check(r#"{"a":"\u00g0"}"#);
        check(r#"{"a":[1}}"#);
        check(r#"{"a":{"b":1]}"#);
        check(r#"{"a":tru}"#);
    }
}
