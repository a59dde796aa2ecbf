//! The fields of a line, in JSON's terms. One without a value is left out.

use log::{
    Record,
    kv::{self, Key, Value, VisitSource, VisitValue},
};
use serde_json::Map;

use super::request;

/// The longest text a field may hold: much of it is not ours to word.
const LONGEST: usize = 500;

/// The fields of a line, the request it is about among them.
pub(super) fn of(record: &Record<'_>) -> Map<String, serde_json::Value> {
    let mut fields = Fields(Map::new());
    // The collector never fails.
    let _ = record.key_values().visit(&mut fields);
    let Fields(mut fields) = fields;
    if !fields.contains_key("request")
        && let Some(request) = request::current()
    {
        fields.insert("request".to_owned(), request.to_string().into());
    }
    fields
}

/// Whether a text made of such characters needs no quotes.
pub(super) fn is_plain(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\')
}

struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let mut read = Read(None);
        value.visit(&mut read)?;
        if let Some(value) = read.0 {
            self.0.insert(key.as_str().to_owned(), value);
        }
        Ok(())
    }
}

struct Read(Option<serde_json::Value>);

impl<'v> VisitValue<'v> for Read {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0 = Some(match value.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &value[..end]).into(),
            None => value.into(),
        });
        Ok(())
    }
}
