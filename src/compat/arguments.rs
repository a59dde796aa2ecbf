//! The members of an action's body that nobody has asked for yet.

use serde_json::{Map, Value};

use super::failure::Failure;

/// What an action was called with.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) Map<String, Value>);

impl Arguments {
    /// Reads them from a body; an empty one has none.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(_) => Err(Failure::invalid("INVALID_TYPE", "the body must be an object")),
            Err(error) => Err(Failure::invalid("INVALID_FORMAT", format!("the body is not JSON: {error}"))),
        }
    }

    /// Takes out a number that names something.
    pub(super) fn id(&mut self, name: &str) -> Result<i64, Failure> {
        self.maybe_id(name)?.ok_or_else(|| Failure::required(name))
    }

    /// Takes out such a number, if it is there.
    pub(super) fn maybe_id(&mut self, name: &str) -> Result<Option<i64>, Failure> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64()),
            Some(Value::String(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
            Some(_) => Err(Failure {
                field: Some(name.to_owned()),
                ..Failure::invalid("MUST_BE_INTEGER", format!("{name} must be a whole number"))
            }),
        }
    }

    /// Takes out a text; an empty one counts as not given.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Takes out the first of these texts that is given.
    pub(super) fn any_text(&mut self, names: &[&str]) -> Option<String> {
        names.iter().filter_map(|name| self.text(name)).next()
    }

    /// Takes out a number within bounds, or the usual one.
    pub(super) fn count(&mut self, name: &str, usual: usize, most: usize) -> Result<usize, Failure> {
        match self.maybe_id(name)? {
            None => Ok(usual),
            Some(count) => match usize::try_from(count) {
                Ok(count) if (1..=most).contains(&count) => Ok(count),
                _ => Err(Failure {
                    field: Some(name.to_owned()),
                    ..Failure::invalid("INVALID_RANGE", format!("{name} must be from 1 to {most}"))
                }),
            },
        }
    }
}
