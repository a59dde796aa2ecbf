//! Text fit for both backends. PostgreSQL takes NUL neither in text nor in documents and refuses
//! the whole batch over it (S15); here it becomes U+FFFD, in this one place.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types,
};
use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// Text without NUL.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[diesel(sql_type = sql_types::Text)]
pub(crate) struct Clean(String);

impl Clean {
    /// For text that came with a request: NUL replaced, cut to `max_bytes` at a character.
    pub(crate) fn cut(text: &str, max_bytes: usize) -> Self {
        let end = text.floor_char_boundary(max_bytes.min(text.len()));
        Self(text[..end].replace('\0', "\u{FFFD}"))
    }

    /// For text an operator typed: refused when longer than `max_bytes`, rather than cut.
    pub(crate) fn whole(text: &str, max_bytes: usize, field: &'static str) -> Result<Self, StoreError> {
        if text.len() > max_bytes {
            return Err(StoreError::invalid(field, "is too long"));
        }
        Ok(Self(text.replace('\0', "\u{FFFD}")))
    }

    /// Like [`Clean::whole`], and something must be there.
    pub(crate) fn name(text: &str, field: &'static str) -> Result<Self, StoreError> {
        if text.trim().is_empty() {
            return Err(StoreError::invalid(field, "must not be empty"));
        }
        Self::whole(text, 200, field)
    }

    /// The text.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// The text, borrowed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<DB> ToSql<sql_types::Text, DB> for Clean
where
    DB: Backend,
    String: ToSql<sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB> FromSql<sql_types::Text, DB> for Clean
where
    DB: Backend,
    String: FromSql<sql_types::Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(value).map(Self)
    }
}

/// JSON text in which no string holds NUL any more. The escape is looked for by its place, since
/// `\\u0000` is a backslash followed by harmless characters.
pub(super) fn without_nul_escapes(mut json: String) -> String {
    const NUL: &str = "\\u0000";
    let mut from = 0;
    while let Some(found) = json[from..].find('\\') {
        let at = from + found;
        if json[at..].starts_with(NUL) {
            json.replace_range(at..at + NUL.len(), "\\ufffd");
        }
        from = at + 2; // a backslash and what it escapes, which is ASCII in valid JSON
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_nul_never_reaches_a_row() {
        assert_eq!(Clean::cut("a\0b", 10).as_str(), "a\u{FFFD}b");
        assert_eq!(Clean::whole("a\0b", 10, "notes").unwrap().as_str(), "a\u{FFFD}b");
        let document = serde_json::json!({ "k\0": ["\0", "\\u0000", "\\\0", "é\0\0"] });
        assert_eq!(
            without_nul_escapes(document.to_string()),
            r#"{"k\ufffd":["\ufffd","\\u0000","\\\ufffd","é\ufffd\ufffd"]}"#
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(Clean::cut("aé", 2).as_str(), "a");
        assert_eq!(Clean::cut("aé", 3).as_str(), "aé");
        assert!(Clean::whole("aé", 2, "name").is_err());
    }
}
