//! One strict reading of a request body (C-18): what we check is what every upstream will see.
//!
//! JSON readers disagree about repeated names, about letter case (some match names without regard
//! to it) and about what may follow the document. Where they disagree on a field we act on, the
//! body is refused; every other field, and everything nested, passes untouched and unlooked-at.
//!
//! No document tree is built: the top level is visited once, values stay slices of the body.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::scan::{self, Unsound};

/// How deep a body may nest: what a reader with serde's default recursion limit still takes in.
pub const MAX_NESTING: u32 = 127;

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
    found: Vec<Option<&'a str>>,
}

/// Reads a whole body.
pub(crate) fn read<'a>(body: &'a [u8], table: Table) -> Result<Fields<'a>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| Malformed::NotUtf8(error.valid_up_to()))?;
    Fields::of(text, 0, table)
}

impl<'a> Fields<'a> {
    fn of(text: &'a str, base: usize, table: Table) -> Result<Self, Malformed> {
        let mut found = vec![None; table.len()];
        let mut refused = None;
        scan::members(text, MAX_NESTING, |name, value| match recognise(table, name) {
            Recognised::Other => {}
            Recognised::Exactly(row) if found[row].is_none() => found[row] = Some(value),
            Recognised::Exactly(row) => {
                refused.get_or_insert(Malformed::Repeated(table[row][0]));
            }
            Recognised::Nearly(row) => {
                refused.get_or_insert(Malformed::Respelled(table[row][0]));
            }
            Recognised::Unreadable => {
                refused.get_or_insert_with(|| not_an_object(text));
            }
        })
        .map_err(|unsound| match unsound {
            Unsound::Syntax => not_an_object(text),
            Unsound::TooDeep => Malformed::TooDeep,
        })?;
        match refused {
            Some(refused) => Err(refused),
            None => Ok(Self { base, text, table, found }),
        }
    }

    /// The value of a field; JSON's `null` counts as absent, as it does at the vendors.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&'a str> {
        let row = self.table.iter().position(|spellings| spellings[0] == name);
        debug_assert!(row.is_some(), "`{name}` is not in the table of fields");
        self.found[row?].filter(|value| *value != "null")
    }

    /// Where the value of a field lies in the body, quotes included; also of a `null`.
    pub(crate) fn span(&self, name: &'static str) -> Option<Range<usize>> {
        let row = self.table.iter().position(|spellings| spellings[0] == name)?;
        self.found[row].map(|value| {
            let start = self.base + (value.as_ptr() as usize - self.text.as_ptr() as usize);
            start..start + value.len()
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
        match self.raw(name) {
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
        if let Ok(count) = raw.parse::<u64>() {
            return Ok(Some(count.min(MAX_COUNT)));
        }
        // `4096.0` and `5e2` are whole numbers too; a float beyond the bound is the bound.
        match raw.parse::<f64>() {
            Ok(number) if number < 0.0 => Ok(None),
            Ok(number) if number >= MAX_COUNT as f64 => Ok(Some(MAX_COUNT)),
            Ok(number) if number.fract() == 0.0 => Ok(Some(number as u64)),
            _ => Err(wrong),
        }
    }

    /// The fields of a nested object that we act on as well, read just as strictly.
    pub(crate) fn object(&self, name: &'static str, table: Table) -> Result<Option<Fields<'a>>, Malformed> {
        let (Some(raw), Some(span)) = (self.raw(name), self.span(name)) else { return Ok(None) };
        if !raw.starts_with('{') {
            return Err(Malformed::WrongType { field: name, wanted: "an object" });
        }
        Fields::of(raw, span.start, table).map(Some)
    }

    /// Likewise for a list of objects; what is no list of objects is for the upstream to judge.
    pub(crate) fn objects(&self, name: &'static str, table: Table) -> Vec<Result<Fields<'a>, Malformed>> {
        let (Some(list), Some(span)) = (self.raw(name), self.span(name)) else { return Vec::new() };
        let items: Vec<&'a RawValue> = serde_json::from_str(list).unwrap_or_default();
        let place = |item: &RawValue| item.get().as_ptr() as usize - list.as_ptr() as usize;
        items
            .into_iter()
            .filter(|item| item.get().starts_with('{'))
            .map(|item| Fields::of(item.get(), span.start + place(item), table))
            .collect()
    }
}

/// The string a JSON value is, if it is one.
pub(crate) fn text_of(json: &str) -> Option<Cow<'_, str>> {
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

/// What a field's name is to us.
enum Recognised {
    /// This row of the table.
    Exactly(usize),
    /// What a lax reader takes for this row.
    Nearly(usize),
    /// Nothing we act on.
    Other,
    /// Readers differ about what it says: it escapes half a character.
    Unreadable,
}

/// `name` as it stands in the body, without its quotes.
fn recognise(table: Table, name: &str) -> Recognised {
    if let Some(row) = row_of(table, |spelling| spelling == name) {
        return Recognised::Exactly(row);
    }
    let near = |name: &str| {
        row_of(table, |spelling| alike(spelling, name)).map_or(Recognised::Other, Recognised::Nearly)
    };
    if !name.contains('\\') {
        return near(name);
    }
    serde_json::from_str::<String>(&format!("\"{name}\"")).map_or(Recognised::Unreadable, |name| near(&name))
}

/// What is wrong with a body that is no object, in serde's words: they name line and column.
fn not_an_object(text: &str) -> Malformed {
    Malformed::NotAnObject(match serde_json::from_str::<BTreeMap<Cow<'_, str>, IgnoredAny>>(text) {
        Err(error) => error.to_string(),
        Ok(_) => "it is not sound".to_owned(),
    })
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
