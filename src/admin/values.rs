//! What a member of a body may hold: each type is one rule, checked while it is read.

mod schemas;

use std::{collections::BTreeMap, fmt::Display};

use actors::{
    money::Money,
    pricing::Service,
    provider::{card::Kind, messages::SetBreaker},
};
use chrono::{DateTime, Utc};
use protocol::{Format, MAX_MODEL_BYTES, Operation};
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};

use super::{
    body::{Flaws, FromJson},
    error::{FlawCode, Problem},
    schema::{Book, Schema},
};
use crate::{
    current::billing::{BilledModel, WhenUnpriced},
    store::{MoneyRefusal, Role},
};

/// The longest name of a thing, in characters.
const NAME_CHARS: usize = 64;
/// The most entries of a list.
const MAX_ENTRIES: usize = 1_000;
/// [`name_rule`], as a regular expression.
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

fn name_rule(text: &str) -> Result<(), String> {
    if text.is_empty() || text.chars().count() > NAME_CHARS {
        return Err(format!("must have 1 to {NAME_CHARS} characters"));
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
    if text[..text.len() - 1].contains('*') {
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
    /// Any text of reasonable length.
    Text = |text| if text.len() > 10_000 { Err("must have at most 10000 bytes".to_owned()) } else { Ok(()) },
        {"type": "string", "maxLength": 10_000};
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

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: FromJson> FromJson for List<T> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
            flaws.add(field, FlawCode::WrongType, "must be a list");
            return None;
        };
        if entries.len() > MAX_ENTRIES {
            flaws.add(field, FlawCode::OutOfRange, format!("must have at most {MAX_ENTRIES} entries"));
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

/// A whole number between two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole<const MIN: i32, const MAX: i32>(i32);

impl<const MIN: i32, const MAX: i32> Whole<MIN, MAX> {
    /// The number.
    pub(super) const fn get(self) -> i32 {
        self.0
    }

    /// The number, where it has eight bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked as it is compiled")]
    pub(super) const fn small(self) -> u8 {
        const { assert!(MIN >= 0 && MAX <= u8::MAX as i32, "has eight bits") };
        self.0 as u8
    }

    /// The number, where [`MIN`] is not below zero.
    pub(super) const fn unsigned(self) -> u32 {
        const { assert!(MIN >= 0, "bounded by zero from below") };
        self.0.unsigned_abs()
    }
}

impl<const MIN: i32, const MAX: i32> FromJson for Whole<MIN, MAX> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        whole(raw, field, flaws, MIN, MAX).map(Self)
    }
}

/// A count from zero up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count<const MAX: u64>(u64);

impl<const MAX: u64> Count<MAX> {
    /// The count.
    pub(super) const fn get(self) -> u64 {
        self.0
    }

    /// The count, where [`MAX`] has 32 bits at most.
    #[expect(clippy::cast_possible_truncation, reason = "MAX is checked where this is compiled")]
    pub(super) const fn small(self) -> u32 {
        const { assert!(MAX <= u32::MAX as u64, "has 32 bits at most") };
        self.0 as u32
    }
}

impl<const MAX: u64> FromJson for Count<MAX> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        whole(raw, field, flaws, 0, MAX).map(Self)
    }
}

/// A whole number between two bounds, both included.
fn whole<T>(raw: &RawValue, field: &str, flaws: &mut Flaws, min: T, max: T) -> Option<T>
where
    T: DeserializeOwned + PartialOrd + Display,
{
    let read = serde_json::from_str::<T>(raw.get()).ok().filter(|number| (&min..=&max).contains(&number));
    if read.is_none() {
        // Whether it is another type or just too large, the same sentence tells what to write.
        let digits = raw.get().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let code = if digits { FlawCode::OutOfRange } else { FlawCode::WrongType };
        flaws.add(field, code, format!("must be a whole number from {min} to {max}"));
    }
    read
}

impl FromJson for bool {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = serde_json::from_str(raw.get());
        read.map_err(|_| flaws.add(field, FlawCode::WrongType, "must be true or false")).ok()
    }
}

/// The number of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowId(pub(super) i64);

impl FromJson for RowId {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = serde_json::from_str(raw.get());
        read.map_err(|_| flaws.add(field, FlawCode::WrongType, "must be an id, which is a number"))
            .ok()
            .map(Self)
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
        let read = serde_json::from_str(raw.get()).ok().and_then(Self::from_status);
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
