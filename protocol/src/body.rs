//! One strict reading of a request body (C-18): what we check is what every upstream will see.
//!
//! JSON readers disagree about repeated names, about letter case (some match names without regard
//! to it) and about what may follow the document. Where they disagree on a field we act on, the
//! body is refused; every other field, and everything nested, passes untouched and unlooked-at.
//!
//! No document tree is built: the top level is visited once, values stay slices of the body.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::nesting;

/// How deep a body may nest: what a reader with serde's default recursion limit still takes in.
pub const MAX_NESTING: usize = 127;

/// The longest model name that is accepted, in bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// Counts above this bound (a million million) are taken for this bound: nothing real comes near,
/// and sums of them stay far from overflow.
pub const MAX_COUNT: u64 = 1_000_000_000_000;

/// Why a request was not understood, in words the caller can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Some byte is not part of a UTF-8 character.
    #[error("the body is not UTF-8 (first at byte {0})")]
    NotUtf8(usize),
    /// Not JSON, not an object, or something follows the object.
    #[error("the body is not one JSON object: {0}")]
    NotAnObject(String),
    /// Nested beyond [`MAX_NESTING`].
    #[error("the body nests deeper than {MAX_NESTING} levels")]
    TooDeep,
    /// A field we act on comes twice, so that readers would disagree about its value.
    #[error("`{0}` is given twice")]
    Repeated(&'static str),
    /// A field we act on in other letters or with escapes, which some readers take for the same.
    #[error("`{0}` must be spelled exactly so")]
    Respelled(&'static str),
    /// A field without which the request has no meaning.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field we act on holds something of another type.
    #[error("`{field}` must be {wanted}")]
    WrongType {
        /// The field, by its full name.
        field: &'static str,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A model name that cannot be one.
    #[error(
        "the model name must have 1 to {MAX_MODEL_BYTES} bytes, no control characters and no blanks around it"
    )]
    ModelName,
    /// The body names another model than the path.
    #[error("the body names another model than the path")]
    ModelMismatch,
}

/// The fields a format acts on: each entry lists the spellings the vendor itself accepts, the
/// canonical one first.
pub(crate) type Table = &'static [&'static [&'static str]];

/// The fields of one object that are in the [`Table`], as slices of the body.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    base: usize,
    text: &'a str,
    table: Table,
    found: Vec<Option<&'a RawValue>>,
}

/// Reads a whole body.
pub(crate) fn read<'a>(body: &'a [u8], table: Table) -> Result<Fields<'a>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| Malformed::NotUtf8(error.valid_up_to()))?;
    let fields = Fields::of(text, 0, table)?;
    // After the reading, since only of sound JSON is it known where its strings end.
    if nesting::exceeds(body, MAX_NESTING) {
        return Err(Malformed::TooDeep);
    }
    Ok(fields)
}

impl<'a> Fields<'a> {
    fn of(text: &'a str, base: usize, table: Table) -> Result<Self, Malformed> {
        let mut found = vec![None; table.len()];
        let mut refused = None;
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(TopLevel { table, found: &mut found, refused: &mut refused })
            .and_then(|()| json.end())
            .map_err(|error| Malformed::NotAnObject(error.to_string()))?;
        match refused {
            Some(refused) => Err(refused),
            None => Ok(Self { base, text, table, found }),
        }
    }

    /// The value of a field; JSON's `null` counts as absent, as it does at the vendors.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&'a RawValue> {
        let row = self.table.iter().position(|spellings| spellings[0] == name);
        debug_assert!(row.is_some(), "`{name}` is not in the table of fields");
        self.found[row?].filter(|value| value.get() != "null")
    }

    /// Where the value of a field lies in the body, quotes included; also of a `null`.
    pub(crate) fn span(&self, name: &'static str) -> Option<Range<usize>> {
        let row = self.table.iter().position(|spellings| spellings[0] == name)?;
        self.found[row].map(|value| {
            let start = self.base + (value.get().as_ptr() as usize - self.text.as_ptr() as usize);
            start..start + value.get().len()
        })
    }

    /// A field that must be a string if it is there.
    pub(crate) fn string(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.raw(name)
            .map(|raw| text_of(raw).ok_or(Malformed::WrongType { field: name, wanted: "a string" }))
            .transpose()
    }

    /// A field that must be true or false if it is there.
    pub(crate) fn boolean(&self, name: &'static str) -> Result<Option<bool>, Malformed> {
        match self.raw(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Malformed::WrongType { field: name, wanted: "true or false" }),
        }
    }

    /// A field that must be a whole number if it is there. Below zero means "no bound" to those
    /// upstreams that take it at all, and is given as none.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u64>, Malformed> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let wrong = Malformed::WrongType { field: name, wanted: "a whole number" };
        if let Ok(count) = raw.get().parse::<u64>() {
            return Ok(Some(count.min(MAX_COUNT)));
        }
        // `4096.0` and `5e2` are whole numbers too; a float beyond the bound is the bound.
        match raw.get().parse::<f64>() {
            Ok(number) if number < 0.0 => Ok(None),
            Ok(number) if number >= MAX_COUNT as f64 => Ok(Some(MAX_COUNT)),
            Ok(number) if number.fract() == 0.0 => Ok(Some(number as u64)),
            _ => Err(wrong),
        }
    }

    /// The fields of a nested object that we act on as well, read just as strictly.
    pub(crate) fn object(&self, name: &'static str, table: Table) -> Result<Option<Fields<'a>>, Malformed> {
        let (Some(raw), Some(span)) = (self.raw(name), self.span(name)) else { return Ok(None) };
        if !raw.get().starts_with('{') {
            return Err(Malformed::WrongType { field: name, wanted: "an object" });
        }
        Fields::of(raw.get(), span.start, table).map(Some)
    }

    /// Likewise for a list of objects; what is no list of objects is for the upstream to judge.
    pub(crate) fn objects(&self, name: &'static str, table: Table) -> Vec<Result<Fields<'a>, Malformed>> {
        let (Some(list), Some(span)) = (self.raw(name), self.span(name)) else { return Vec::new() };
        let items: Vec<&'a RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
        let place = |item: &RawValue| item.get().as_ptr() as usize - list.get().as_ptr() as usize;
        items
            .into_iter()
            .filter(|item| item.get().starts_with('{'))
            .map(|item| Fields::of(item.get(), span.start + place(item), table))
            .collect()
    }
}

/// The string a JSON value is, if it is one.
pub(crate) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// A model name as asked for, if it can be one.
pub(crate) fn model_name(name: Cow<'_, str>) -> Result<String, Malformed> {
    let sound = (1..=MAX_MODEL_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if sound { Ok(name.into_owned()) } else { Err(Malformed::ModelName) }
}

struct TopLevel<'f, 'a> {
    table: Table,
    found: &'f mut Vec<Option<&'a RawValue>>,
    refused: &'f mut Option<Malformed>,
}

impl<'a> Visitor<'a> for TopLevel<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name { table: self.table })? {
            let value: &'a RawValue = map.next_value()?;
            match name {
                Recognised::Other => {}
                Recognised::Exactly(row) if self.found[row].is_none() => self.found[row] = Some(value),
                Recognised::Exactly(row) => {
                    self.refused.get_or_insert(Malformed::Repeated(self.table[row][0]));
                }
                Recognised::Nearly(row) => {
                    self.refused.get_or_insert(Malformed::Respelled(self.table[row][0]));
                }
            }
        }
        Ok(())
    }
}

/// What a field's name is to us: a row of the table, something a lax reader takes for one, or neither.
enum Recognised {
    Exactly(usize),
    Nearly(usize),
    Other,
}

struct Name {
    table: Table,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Recognised;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Recognised, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Recognised;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a field name")
    }

    /// A name without escapes: serde lends it from the body.
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Recognised, E> {
        Ok(match row_of(self.table, |spelling| spelling == name) {
            Some(row) => Recognised::Exactly(row),
            None => row_of(self.table, |spelling| alike(spelling, name))
                .map_or(Recognised::Other, Recognised::Nearly),
        })
    }

    /// A name that had escapes in it, already resolved.
    fn visit_str<E>(self, name: &str) -> Result<Recognised, E> {
        Ok(row_of(self.table, |spelling| alike(spelling, name)).map_or(Recognised::Other, Recognised::Nearly))
    }
}

fn row_of(table: Table, fits: impl Fn(&str) -> bool) -> Option<usize> {
    table.iter().position(|spellings| spellings.iter().any(|spelling| fits(spelling)))
}

/// Whether a reader that ignores case would take `name` for `spelling`. Some fold all of Unicode,
/// where the long s and the Kelvin sign are an s and a k.
fn alike(spelling: &str, name: &str) -> bool {
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    let mut letters = name.chars().map(folded);
    spelling.chars().all(|letter| letters.next() == Some(letter.to_ascii_lowercase()))
        && letters.next().is_none()
}
