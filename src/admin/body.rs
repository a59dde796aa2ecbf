//! Reading a body: declared as JSON, not too large, and every member known.
//!
//! All that is wrong is told at once and by name, which serde's derive cannot do: it stops at the first
//! error. A member's type says what is acceptable; see [`values`](super::values). Numbers are read by
//! their digits, since a float would change money (I-06). What is told never repeats what was sent, which
//! may be a secret (C-08).

use std::{borrow::Cow, fmt, future::Future, pin::Pin, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::CONTENT_TYPE, web::BytesMut};
use futures_util::StreamExt as _;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::error::{Code, Flaw, FlawCode, Problem};

/// The largest ordinary body.
const MAX_BYTES: usize = 1 << 20;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member: whether it was given, and what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Given<T> {
    /// Not mentioned.
    #[default]
    Absent,
    /// Mentioned as `null`: back to the default.
    Null,
    /// Mentioned.
    Value(T),
}

impl<T> Given<T> {
    /// What was given, if something was.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// What counts in something new.
    pub(super) fn or(self, default: T) -> T {
        self.value().unwrap_or(default)
    }

    /// What counts in something new, where an empty one does otherwise.
    pub(super) fn or_default(self) -> T
    where
        T: Default,
    {
        self.or(T::default())
    }

    /// What counts from now on, where `current` counted before.
    pub(super) fn onto(self, current: T, default: T) -> T {
        self.change(default).unwrap_or(current)
    }

    /// What to change; none where nothing was said.
    pub(super) fn change(self, default: T) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Null => Some(default),
            Self::Value(value) => Some(value),
        }
    }

    /// The value of something new that has no default.
    pub(super) fn required(self, field: &str, flaws: &mut Flaws) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => {
                flaws.add(field, FlawCode::Required, "must be given");
                None
            }
        }
    }

    /// What to change about something that has no default.
    pub(super) fn change_required(self, field: &str, flaws: &mut Flaws) -> Option<T> {
        match self {
            Self::Absent => None,
            given => given.required(field, flaws),
        }
    }

    /// The same with another value.
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => Given::Value(map(value)),
        }
    }
}

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    /// The object that is being looked at, with a dot at its end.
    within: String,
    found: Vec<Flaw>,
}

impl Flaws {
    /// Notes what is wrong with a member of the object that is being looked at.
    pub(super) fn add(&mut self, field: &str, code: FlawCode, message: impl Into<String>) {
        let field = format!("{}{field}", self.within);
        self.found.push(Flaw { field, code, message: message.into() });
    }

    /// Fails if anything was found.
    pub(super) fn check(self) -> Result<(), Problem> {
        if self.found.is_empty() { Ok(()) } else { Err(Problem::flawed(self.found)) }
    }

    /// Looks at what is inside of the member `field`.
    fn inside<T>(&mut self, field: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.within.len();
        self.within.push_str(field);
        self.within.push('.');
        let seen = look(self);
        self.within.truncate(outer);
        seen
    }
}

/// A value that can stand in a body.
pub(super) trait FromJson: Sized {
    /// Reads the value of the member `field`; notes what is wrong if that fails.
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self>;
}

/// An object with known members, as made by [`body!`].
pub(super) trait Object: Sized {
    fn from_members(members: &mut Members<'_>, flaws: &mut Flaws) -> Self;
}

impl<T: Object> FromJson for T {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let Ok(mut members) = serde_json::from_str::<Members<'_>>(raw.get()) else {
            flaws.add(field, FlawCode::WrongType, "must be an object");
            return None;
        };
        Some(flaws.inside(field, |flaws| members.read(flaws)))
    }
}

/// The members of an object that nobody has asked for yet, each as it was written.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    /// Takes out the member `field`.
    pub(super) fn take<T: FromJson>(&mut self, field: &str, flaws: &mut Flaws) -> Given<T> {
        let Some(at) = self.0.iter().position(|(name, _)| name == field) else { return Given::Absent };
        let (_, raw) = self.0.remove(at);
        match raw.get() {
            "null" => Given::Null,
            _ => T::from_json(raw, field, flaws).map_or(Given::Absent, Given::Value),
        }
    }

    fn read<T: Object>(&mut self, flaws: &mut Flaws) -> T {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                flaws.add(name, FlawCode::Repeated, "is given more than once");
            }
        }
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.dedup_by(|(later, _), (first, _)| later == first);
        let object = T::from_members(self, flaws);
        for (name, _) in &self.0 {
            flaws.add(name, FlawCode::Unknown, "is no member here");
        }
        object
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }

        from.deserialize_map(Collect).map(Members)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Declares an object: each member may be given, `null` or absent, and there are no others. `= required`
/// behind a type tells the [schema](super::schema) what the handler demands of something new.
macro_rules! body {
    ($(#[$doc:meta])* struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty $(= $must:ident)?,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[allow(dead_code, reason = "some members can only be refused, which is done while they are read")]
        pub(in crate::admin) struct $name {
            $($(#[$field_doc])* pub(in crate::admin) $field: $crate::admin::body::Given<$type>,)+
        }

        impl $crate::admin::body::Object for $name {
            fn from_members(
                members: &mut $crate::admin::body::Members<'_>,
                flaws: &mut $crate::admin::body::Flaws,
            ) -> Self {
                Self { $($field: members.take(stringify!($field), flaws),)+ }
            }
        }

        impl $crate::admin::schema::Schema for $name {
            fn schema(book: &mut $crate::admin::schema::Book) -> serde_json::Value {
                let path = concat!(module_path!(), "::", stringify!($name));
                book.object(path, &[$(stringify!($doc)),*], true, |book| vec![
                    $($crate::admin::body::body!(@ book, [$($must)?], $field, $type, [$(stringify!($field_doc)),*]),)+
                ])
            }
        }
    };
    (@ $book:ident, [], $field:ident, $type:ty, $attributes:expr) => {
        $crate::admin::schema::Member {
            name: stringify!($field),
            attributes: &$attributes,
            schema: <$crate::admin::body::Given<$type> as $crate::admin::schema::Schema>::schema($book),
            required: false,
        }
    };
    (@ $book:ident, [required], $field:ident, $type:ty, $attributes:expr) => {
        $crate::admin::schema::Member {
            name: stringify!($field),
            attributes: &$attributes,
            schema: <$type as $crate::admin::schema::Schema>::schema($book),
            required: !$book.changes,
        }
    };
}
pub(super) use body;

/// Extractor: the body as an object.
pub(super) struct Body<T>(pub(super) T);

impl<T: Object + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { parse(&receive(&request, payload, MAX_BYTES).await?).map(Self) })
    }
}

/// Reads an object from a whole body.
pub(super) fn parse<T: Object>(bytes: &[u8]) -> Result<T, Problem> {
    let mut flaws = Flaws::default();
    let object = members(bytes)?.read(&mut flaws);
    flaws.check()?;
    Ok(object)
}

/// The members of the object that a whole body is.
pub(super) fn members(bytes: &[u8]) -> Result<Members<'_>, Problem> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|error| {
        // Of a syntax error serde_json tells kind and place, and nothing of the text itself.
        Problem::new(Code::MalformedJson, error.to_string())
    })?;
    serde_json::from_str(raw.get()).map_err(|_| Problem::new(Code::Invalid, "the body must be an object"))
}

impl<'a> Members<'a> {
    /// Every member as it was written.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.into_iter()
    }
}

/// Receives a body of at most `limit` bytes that is declared as JSON.
pub(super) async fn receive(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<BytesMut, Problem> {
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = declared.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "content-type must be application/json";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    gather(payload, limit).await
}

/// Receives a body of at most `limit` bytes, whatever it is.
pub(super) async fn gather(mut payload: Payload, limit: usize) -> Result<BytesMut, Problem> {
    let gather = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| Problem::new(Code::MalformedJson, "body broke off").because(error))?;
            if bytes.len() + chunk.len() > limit {
                let detail = format!("this route takes at most {limit} bytes");
                return Err(Problem::new(Code::BodyTooLarge, detail));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    tokio::time::timeout(PATIENCE, gather).await.unwrap_or_else(|_| {
        Err(Problem::new(Code::BodyTooSlow, format!("not whole after {} s", PATIENCE.as_secs())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::values::{Name as NameText, Whole};

    body! {
        /// For the tests.
        struct Outer {
            name: NameText,
            inner: Inner,
        }
    }

    body! {
        /// For the tests.
        struct Inner {
            count: Whole<1, 9>,
        }
    }

    fn flaws(json: &str) -> String {
        parse::<Outer>(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn absent_null_and_given_are_three_things() {
        let read = |json: &str| parse::<Outer>(json.as_bytes()).unwrap().name;
        assert_eq!(read("{}"), Given::Absent);
        assert_eq!(read(r#"{"name":null}"#), Given::Null);
        assert_eq!(read(r#"{"na\u006de":"x"}"#), Given::Value(NameText("x".to_owned())));
        assert_eq!(Given::Absent.onto(1, 2), 1);
        assert_eq!(Given::Null.onto(1, 2), 2);
        assert_eq!(Given::Value(3).onto(1, 2), 3);
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_by_name() {
        assert_eq!(
            flaws(r#"{"name":7,"inner":{"count":10,"what":1},"more":2,"inner":{}}"#),
            "invalid: inner: is given more than once; name: must be text; \
             inner.count: must be a whole number from 1 to 9; inner.what: is no member here; \
             more: is no member here"
        );
    }

    #[test]
    fn c08_what_was_sent_is_not_repeated() {
        let told = flaws(r#"{"name":["sk-canary"],"inner":"sk-canary"}"#);
        assert!(!told.contains("canary"), "{told}");
    }

    #[test]
    fn malformed_json_is_told_with_its_place() {
        for (json, told) in [
            ("{\"name\":\n tru}", "malformed_json: expected ident at line 2 column 5"),
            ("", "malformed_json: EOF while parsing a value at line 1 column 0"),
            ("{} x", "malformed_json: trailing characters at line 1 column 4"),
            ("[]", "invalid: the body must be an object"),
        ] {
            assert_eq!(flaws(json), told, "{json}");
        }
        let deep = format!(r#"{{"name":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(flaws(&deep), "invalid: name: must be text", "and no stack runs over");
    }
}
