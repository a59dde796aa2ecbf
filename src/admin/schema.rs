//! What JSON looks like, told by the types that read and write it: JSON Schema, as OpenAPI 3.1 takes it.
//!
//! [`body!`](super::body::body) and [`view!`] have each struct tell its members, and beside each rule for a
//! value stands the schema that says the same. All of it runs once, when the description is first wanted.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json, value::RawValue};

use super::body::Given;

/// A type that can say what it looks like as JSON.
pub(super) trait Schema {
    /// The schema; of a struct a reference, after the struct itself has been noted in the book.
    fn schema(book: &mut Book) -> Value;
}

/// The structs that were told so far, by name.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Whether bodies are told that change something: then nothing must be given.
    pub(super) changes: bool,
    /// What goes under `components.schemas`.
    pub(super) structs: BTreeMap<String, Value>,
}

/// A member of a struct.
pub(super) struct Member {
    /// As it is written.
    pub(super) name: &'static str,
    /// What stands before it in the source.
    pub(super) attributes: &'static [&'static str],
    /// What it holds.
    pub(super) schema: Value,
    /// Whether it must be there.
    pub(super) required: bool,
}

impl Book {
    /// Tells a struct of that path, whose members `tell` names.
    pub(super) fn object(
        &mut self,
        path: &str,
        attributes: &[&str],
        closed: bool,
        tell: impl FnOnce(&mut Self) -> Vec<Member>,
    ) -> Value {
        let path = path.split_once("::admin::").map_or(path, |(_, within)| within);
        let change = if closed && self.changes { ".Change" } else { "" };
        let name = format!("{}{change}", path.replace("::", "."));
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        if self.structs.contains_key(&name) {
            return reference;
        }
        self.structs.insert(name.clone(), Value::Null); // a struct inside of itself is told once
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for member in tell(self) {
            if member.attributes.iter().any(|attribute| attribute.contains("flatten")) {
                let within = self.resolve(&member.schema);
                if let Some(more) = within["properties"].as_object() {
                    properties.extend(more.clone());
                }
                required.extend(within["required"].as_array().into_iter().flatten().cloned());
                continue;
            }
            let sometimes =
                member.attributes.iter().any(|attribute| attribute.contains("skip_serializing_if"));
            let name = member.name.trim_start_matches("r#");
            if member.required && !sometimes {
                required.push(json!(name));
            }
            properties.insert(name.to_owned(), described(member.schema, member.attributes));
        }
        let mut object = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            object["required"] = required.into();
        }
        if closed {
            object["additionalProperties"] = json!(false);
        }
        self.structs.insert(name, described(object, attributes));
        reference
    }

    /// The schema that a reference leads to, or the schema itself.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        name.and_then(|name| self.structs.get(name)).unwrap_or(schema)
    }
}

/// The same with what the doc comment says.
fn described(mut schema: Value, attributes: &[&str]) -> Value {
    let said = attributes.iter().filter_map(|attribute| {
        let text = attribute.strip_prefix("doc")?;
        Some(text[text.find('"')? + 1..text.rfind('"')?].trim())
    });
    let said = said.collect::<Vec<_>>().join(" ");
    if !said.is_empty() {
        schema["description"] = said.into();
    }
    schema
}

/// The same, or `null`.
pub(super) fn nullable(schema: Value) -> Value {
    match schema {
        Value::Object(any) if any.is_empty() => json!({}),
        schema => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// One of a closed set.
pub(super) fn one_of<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Value {
    let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
    json!({"type": "string", "enum": names})
}

/// Declares a struct that is shown, which then tells its schema.
macro_rules! view {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? { $($(#[$($attribute:tt)+])* $member_vis:vis $member:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        $vis struct $name $(<$life>)? {
            $($(#[$($attribute)+])* $member_vis $member: $type,)+
        }

        impl $(<$life>)? $crate::admin::schema::Schema for $name $(<$life>)? {
            fn schema(book: &mut $crate::admin::schema::Book) -> serde_json::Value {
                let path = concat!(module_path!(), "::", stringify!($name));
                book.object(path, &[$(stringify!($meta)),*], false, |book| vec![
                    $($crate::admin::schema::Member {
                        name: stringify!($member),
                        attributes: &[$(stringify!($($attribute)+)),*],
                        schema: <$type as $crate::admin::schema::Schema>::schema(book),
                        required: true,
                    },)+
                ])
            }
        }
    };
}
pub(super) use view;

/// Tells a struct of another room, member by member. That none is missing and each has its type is checked
/// by the compiler; `= flatten` and `= sometimes` repeat what serde is told there.
macro_rules! elsewhere {
    ($($(#[$meta:meta])* $name:ident { $($member:ident: $type:ty $(= $how:ident)?,)+ })+) => {$(
        impl $crate::admin::schema::Schema for $name {
            fn schema(book: &mut $crate::admin::schema::Book) -> serde_json::Value {
                let _ = |all: &$name| {
                    let $name { $($member),+ } = all;
                    $(let _: &$type = $member;)+
                };
                let attributes = &[$(stringify!($meta)),*];
                book.object(stringify!($name), attributes, false, |book| vec![
                    $($crate::admin::schema::Member {
                        name: stringify!($member),
                        attributes: &[$($crate::admin::schema::elsewhere!(@ $how))?],
                        schema: <$type as $crate::admin::schema::Schema>::schema(book),
                        required: true,
                    },)+
                ])
            }
        }
    )+};
    (@ flatten) => { "flatten" };
    (@ sometimes) => { "skip_serializing_if" };
}
pub(super) use elsewhere;

/// Types that look the same wherever they stand.
macro_rules! plain {
    ($($($type:ty),+ => $schema:tt;)+) => {
        $($(impl $crate::admin::schema::Schema for $type {
            fn schema(_: &mut $crate::admin::schema::Book) -> serde_json::Value {
                serde_json::json!($schema)
            }
        })+)+
    };
}
pub(super) use plain;

plain! {
    bool => {"type": "boolean"};
    u8, u16, u32, u64, usize => {"type": "integer", "minimum": 0};
    i32, i64 => {"type": "integer"};
    f64 => {"type": "number"};
    String, &str, Cow<'static, str> => {"type": "string"};
    IpAddr => {"type": "string"};
    DateTime<Utc> => {"type": "string", "format": "date-time"};
    Value, Box<RawValue> => {};
}

impl<T: Schema> Schema for Option<T> {
    fn schema(book: &mut Book) -> Value {
        nullable(T::schema(book))
    }
}

impl<T: Schema> Schema for Given<T> {
    fn schema(book: &mut Book) -> Value {
        nullable(T::schema(book))
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn schema(book: &mut Book) -> Value {
        json!({"type": "array", "items": T::schema(book)})
    }
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    fn schema(book: &mut Book) -> Value {
        json!({"type": "array", "items": T::schema(book), "minItems": N, "maxItems": N})
    }
}

impl<K: AsRef<str>, T: Schema> Schema for BTreeMap<K, T> {
    fn schema(book: &mut Book) -> Value {
        json!({"type": "object", "additionalProperties": T::schema(book)})
    }
}
