//! What a member of a body may hold: each type is one rule, checked while it is read.

mod numbers;
mod schemas;

use std::collections::BTreeMap;

use actors::{
    exports::shelf::FileFormat,
    money::Money,
    pricing::Service,
    provider::{card::Kind, messages::SetBreaker},
};
use chrono::{DateTime, Utc};
use protocol::{Format, MAX_MODEL_BYTES, Operation};
use serde_json::{Value, json, value::RawValue};

use self::numbers::integer;
pub(super) use self::numbers::{Count, RowId, Whole};
use super::{
    body::{Flaws, FromJson},
    error::{FlawCode, Problem},
    query::MOST_WORDS,
    schema::{Book, Schema},
};
use crate::{
    current::billing::{BilledModel, WhenUnpriced},
    secrets::password::{FEWEST_CHARS, MOST_BYTES},
    store::{MoneyRefusal, RequestClass, Role, Status},
};

/// The longest name of a thing, in characters.
const NAME_CHARS: usize = 64;
/// The longest that somebody is called elsewhere, in characters.
const IDENTIFIER_CHARS: usize = 255;
/// The most entries of a list.
const MAX_ENTRIES: usize = 1_000;
/// [`called`], as a regular expression.
const NAME_PATTERN: &str = r"^[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]([^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?$";
/// [`model_rule`], as a regular expression.
const MODEL_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
/// Digits after the point that the database keeps of an amount.
const SCALE: i64 = 12;

/// A text and nothing else.
pub(super) fn text(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<String> {
    let read = serde_json::from_str(raw.get());
    read.map_err(|_| flaws.add(field, FlawCode::WrongType, "must be text")).ok()
}

/// A text that `rule` lets pass.
fn ruled(
    raw: &RawValue,
    field: &str,
    flaws: &mut Flaws,
    rule: impl Fn(&str) -> Result<(), String>,
) -> Option<String> {
    let text = text(raw, field, flaws)?;
    rule(&text).map_err(|why| flaws.add(field, FlawCode::OutOfRange, why)).ok()?;
    Some(text)
}

pub(super) fn name_rule(text: &str) -> Result<(), String> {
    called(text, NAME_CHARS)
}

pub(super) fn identifier_rule(text: &str) -> Result<(), String> {
    called(text, IDENTIFIER_CHARS)
}

/// What something may be called in that many characters.
fn called(text: &str, most_chars: usize) -> Result<(), String> {
    if text.is_empty() || text.chars().count() > most_chars {
        return Err(format!("must have 1 to {most_chars} characters"));
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("must not begin or end with a space or hold control characters".to_owned());
    }
    Ok(())
}

fn model_rule(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MAX_MODEL_BYTES {
        return Err(format!("must have 1 to {MAX_MODEL_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters".to_owned());
    }
    Ok(())
}

fn pattern_rule(text: &str) -> Result<(), String> {
    model_rule(text)?;
    if text.strip_suffix('*').unwrap_or(text).contains('*') {
        return Err("may hold `*` only at its end".to_owned());
    }
    Ok(())
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $rule:expr, $schema:tt;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
            pub(super) struct $name(pub(super) String);

            impl FromJson for $name {
                fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
                    ruled(raw, field, flaws, $rule).map(Self)
                }
            }

            impl Schema for $name {
                fn schema(_: &mut Book) -> Value {
                    json!($schema)
                }
            }
        )+
    };
}

texts! {
    /// The name of a thing, a group or a tag.
    Name = name_rule, {"type": "string", "minLength": 1, "maxLength": NAME_CHARS, "pattern": NAME_PATTERN};
    /// A model's name.
    Model = model_rule, {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_BYTES, "pattern": MODEL_PATTERN};
    /// A model's name, or the beginning of some with a `*` behind it.
    ModelPattern = pattern_rule, {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_BYTES,
        "pattern": r"^([^*\u0000-\u001f\u007f-\u009f]+\*?|\*)$"};
    /// What is looked for.
    Words = |text| {
        if text.is_empty() || text.chars().count() > MOST_WORDS {
            Err(format!("must have 1 to {MOST_WORDS} characters"))
        } else {
            Ok(())
        }
    }, {"type": "string", "minLength": 1, "maxLength": MOST_WORDS};
    /// Any text of reasonable length.
    Text = |text| if text.len() > 10_000 { Err("must have at most 10000 bytes".to_owned()) } else { Ok(()) },
        {"type": "string", "maxLength": 10_000};
    /// What something has to be called for a filter to let it through.
    Term = |text| if (1..=1_000).contains(&text.len()) { Ok(()) } else { Err("must have 1 to 1000 bytes".to_owned()) },
        {"type": "string", "minLength": 1, "maxLength": 1_000};
    /// What somebody or something is called elsewhere, letter by letter.
    Identifier = identifier_rule,
        {"type": "string", "minLength": 1, "maxLength": IDENTIFIER_CHARS, "pattern": NAME_PATTERN};
    /// A password to be set. What kinds of characters it has is nobody's business.
    NewPassword = |text| {
        if text.chars().count() < FEWEST_CHARS {
            Err(format!("must have at least {FEWEST_CHARS} characters"))
        } else if text.len() > MOST_BYTES {
            Err(format!("must have at most {MOST_BYTES} bytes"))
        } else {
            Ok(())
        }
    }, {"type": "string", "minLength": FEWEST_CHARS, "maxLength": MOST_BYTES, "writeOnly": true};
    /// A secret that goes into a header.
    SecretText = |text| {
        let printable = |byte: u8| (0x20..0x7f).contains(&byte);
        if text.is_empty() || text.len() > 8_192 {
            Err("must have 1 to 8192 characters".to_owned())
        } else if text.trim() != text || !text.bytes().all(printable) {
            Err("must be printable ASCII without spaces around it".to_owned())
        } else {
            Ok(())
        }
    }, {"type": "string", "minLength": 1, "maxLength": 8_192, "pattern": "^[!-~]([ -~]*[!-~])?$", "writeOnly": true};
}

/// A list with so many entries at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T, const MOST: usize = MAX_ENTRIES>(pub(super) Vec<T>);

impl<T: FromJson, const MOST: usize> FromJson for List<T, MOST> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
            flaws.add(field, FlawCode::WrongType, "must be a list");
            return None;
        };
        if entries.len() > MOST {
            flaws.add(field, FlawCode::OutOfRange, format!("must have at most {MOST} entries"));
            return None;
        }
        let read = entries.iter().enumerate();
        let read: Vec<_> =
            read.map(|(at, raw)| T::from_json(raw, &format!("{field}[{at}]"), flaws)).collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
}

/// The names in a list.
pub(super) fn names(list: List<Name>) -> Vec<String> {
    list.0.into_iter().map(|name| name.0).collect()
}

/// A model's name that stands in a path or in a price list.
pub(super) fn check_model(model: &str) -> Result<(), Problem> {
    model_rule(model).map_err(|why| Problem::field("model", FlawCode::OutOfRange, why))
}

/// Asked-for model to the model that is sent instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirects(pub(super) BTreeMap<String, String>);

impl FromJson for Redirects {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let Ok(entries) = serde_json::from_str::<BTreeMap<String, String>>(raw.get()) else {
            flaws.add(field, FlawCode::WrongType, "must be an object with model names as members and values");
            return None;
        };
        let wrong = entries.iter().flat_map(|(from, to)| [from, to]).find_map(|name| model_rule(name).err());
        let wrong = wrong.map(|why| format!("each model name {why}")).or_else(|| {
            (entries.len() > MAX_ENTRIES).then(|| format!("must have at most {MAX_ENTRIES} members"))
        });
        if let Some(why) = wrong {
            flaws.add(field, FlawCode::OutOfRange, why);
            return None;
        }
        Some(Self(entries))
    }
}

impl FromJson for bool {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = serde_json::from_str(raw.get());
        read.map_err(|_| flaws.add(field, FlawCode::WrongType, "must be true or false")).ok()
    }
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl FromJson for Moment {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let text = text(raw, field, flaws)?;
        let read = DateTime::parse_from_rfc3339(&text);
        let complain =
            |_| flaws.add(field, FlawCode::Malformed, "must be a time such as 2030-01-31T12:00:00Z");
        read.map_err(complain).ok().map(|time| Self(time.to_utc()))
    }
}

impl FromJson for MoneyRefusal {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = integer(raw).and_then(Self::from_status);
        if read.is_none() {
            flaws.add(field, FlawCode::NotOneOf, "must be one of 429, 402");
        }
        read
    }
}

/// An amount of dollars, or a factor on one, up to a bound: a decimal text, or a number, which is read by
/// its digits (I-06).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Amount<const MAX: u64>(pub(super) Money);

impl<const MAX: u64> FromJson for Amount<MAX> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let typed = raw.get();
        let read = match serde_json::from_str::<String>(typed) {
            Ok(text) => amount(&text, MAX),
            Err(_) => amount(typed, MAX),
        };
        read.map_err(|why| flaws.add(field, FlawCode::Malformed, why)).ok().map(Self)
    }
}

/// Reads an amount of at most `max`, written with no more digits than are kept.
pub(super) fn amount(text: &str, max: u64) -> Result<Money, String> {
    let amount = Money::parse(text).map_err(|error| match error {
        actors::money::AmountError::NotANumber => "must be a decimal number".to_owned(),
        other => other.to_string(),
    })?;
    bounded(amount, max)
}

/// Refuses an amount above `max`, and one with more digits than are kept.
pub(super) fn bounded(amount: Money, max: u64) -> Result<Money, String> {
    if amount > Money::one().times(max) {
        return Err(format!("must be at most {max}"));
    }
    if amount.as_decimal().normalized().fractional_digit_count() > SCALE {
        return Err(format!("has more than {SCALE} digits after the point"));
    }
    Ok(amount)
}

/// One of a closed set, by its name.
pub(super) fn one_of<T: Copy>(
    raw: &RawValue,
    field: &str,
    flaws: &mut Flaws,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Option<T> {
    let text = text(raw, field, flaws)?;
    let found = all.iter().copied().find(|one| name(*one) == text);
    if found.is_none() {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        flaws.add(field, FlawCode::NotOneOf, format!("must be one of {}", names.join(", ")));
    }
    found
}

/// Types that are one of a closed set: all there are, and the name of each.
macro_rules! closed_sets {
    ($($type:ty: $all:expr, $name:expr;)+) => {
        $(impl $crate::admin::body::FromJson for $type {
            fn from_json(
                raw: &serde_json::value::RawValue,
                field: &str,
                flaws: &mut $crate::admin::body::Flaws,
            ) -> Option<Self> {
                $crate::admin::values::one_of(raw, field, flaws, $all, $name)
            }
        }

        impl $crate::admin::schema::Schema for $type {
            fn schema(_: &mut $crate::admin::schema::Book) -> serde_json::Value {
                $crate::admin::schema::one_of($all, $name)
            }
        })+
    };
}

pub(super) use closed_sets;

closed_sets! {
    Kind: &Kind::ALL, Kind::name;
    Format: &Format::ALL, Format::name;
    Operation: &[Operation::Generate, Operation::CountTokens, Operation::Embed, Operation::Compact], Operation::name;
    Service: &Service::ALL, Service::name;
    BilledModel: &[Self::Sent, Self::Asked], |model| match model {
        Self::Sent => "sent",
        Self::Asked => "asked",
    };
    WhenUnpriced: &[Self::Serve, Self::Refuse], |policy| match policy {
        Self::Serve => "serve",
        Self::Refuse => "refuse",
    };
    Role: &Self::ALL, Self::name;
    RequestClass: &Self::ALL, Self::name;
    FileFormat: &Self::ALL, Self::name;
    Status: &Self::ALL, Self::name;
    SetBreaker: &[Self::Closed, Self::Open], |wish| match wish {
        Self::Closed => "closed",
        Self::Open => "open",
    };
}

/// A member that will have an effect in a later version. Until then whoever sets it is told so, rather than
/// left to believe in something that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {}

impl FromJson for Later {
    fn from_json(_: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        later(field, flaws);
        None
    }
}

fn later(field: &str, flaws: &mut Flaws) {
    let message = "is not supported yet; leave it out or set it to null";
    flaws.add(field, FlawCode::NotSupportedYet, message);
}

/// The same for a member of which `false`, the only way it can be yet, may be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotYet;

impl FromJson for NotYet {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let is_false = raw.get() == "false";
        if !is_false {
            later(field, flaws);
        }
        is_false.then_some(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_its_star_at_the_end_whatever_letters_it_is_made_of() {
        for good in ["claude-*", "*", "gpt", "Ł", "模型", "模型*"] {
            assert_eq!(pattern_rule(good), Ok(()), "{good}");
        }
        for bad in ["", "*a", "a**", "模*型", "*Ł"] {
            assert!(pattern_rule(bad).is_err(), "{bad}");
        }
    }
}
