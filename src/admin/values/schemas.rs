//! What the rules for values look like as schemas: the same bounds, told instead of checked.

use serde_json::{Value, json};

use super::{
    Amount, Count, Later, List, MAX_ENTRIES, Model, Moment, MoneyRefusal, NotYet, Redirects, RowId, SCALE,
    Whole,
};
use crate::admin::schema::{Book, Schema, plain};

impl<T: Schema, const MOST: usize> Schema for List<T, MOST> {
    fn schema(book: &mut Book) -> Value {
        json!({"type": "array", "items": T::schema(book), "maxItems": MOST})
    }
}

impl Schema for Redirects {
    fn schema(book: &mut Book) -> Value {
        let model = Model::schema(book);
        let (names, most) = (model.clone(), MAX_ENTRIES);
        json!({"type": "object", "propertyNames": names, "additionalProperties": model, "maxProperties": most})
    }
}

impl<const MIN: i32, const MAX: i32> Schema for Whole<MIN, MAX> {
    fn schema(_: &mut Book) -> Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

impl<const MAX: u64> Schema for Count<MAX> {
    fn schema(_: &mut Book) -> Value {
        json!({"type": "integer", "minimum": 0, "maximum": MAX})
    }
}

impl<const MAX: u64> Schema for Amount<MAX> {
    /// A text of decimal digits up to the bound. That a number is taken too is left unsaid: who generates a
    /// client from this shall not make floats of money (I-06).
    fn schema(_: &mut Book) -> Value {
        let before = MAX.ilog10(); // so many digits are always below it
        json!({
            "type": "string",
            "pattern": format!(r"^([0-9]{{1,{before}}}(\.[0-9]{{1,{SCALE}}})?|{MAX})$"),
            "examples": ["3.75"],
        })
    }
}

plain! {
    RowId => {"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX};
    Moment => {"type": "string", "format": "date-time"};
    MoneyRefusal => {"type": "integer", "enum": [429, 402]};
    Later => {"type": "null"};
    NotYet => {"type": "boolean", "const": false};
}
