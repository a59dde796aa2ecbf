//! Filters of the request log, as scripts name them.

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{arguments::Arguments, desk::Desk, endpoints, failure::Failure};

/// Filters that are the same there and here but for the name.
const SAME: [(&str, &str); 6] = [
    ("userId", "user_id"),
    ("keyId", "key_id"),
    ("providerId", "provider_id"),
    ("model", "model"),
    ("statusCode", "status"),
    ("sessionId", "session"),
];

impl Desk {
    /// Takes the filters out of what was given, as they stand behind a question mark; empty where there are none.
    pub(super) fn log_filters(&self, arguments: &mut Arguments) -> Result<String, Failure> {
        let mut query = Serializer::new(String::new());
        for (theirs, ours) in SAME {
            if let Some(value) = plain(arguments, theirs)? {
                query.append_pair(ours, &value);
            }
        }
        for name in ["startDate", "startDateLocal"] {
            if let Some(text) = plain(arguments, name)? {
                query.append_pair("from", &self.beginning(name, &text)?);
            }
        }
        for name in ["endDate", "endDateLocal"] {
            if let Some(text) = plain(arguments, name)? {
                query.append_pair("to", &self.end(name, &text)?);
            }
        }
        if let Some(path) = plain(arguments, "endpoint")? {
            let filters = endpoints::filters(&path).ok_or_else(|| no_endpoint(&path))?;
            query.extend_pairs(filters);
        }
        if arguments.0.remove("excludeStatusCode200") == Some(Value::Bool(true)) {
            query.append_pair("not_status", "200");
        }
        if let Some(retries @ 1..) = arguments.maybe_id("minRetryCount")? {
            query.append_pair("min_attempts", &retries.saturating_add(1).to_string());
        }
        Ok(query.finish())
    }
}

fn plain(arguments: &mut Arguments, name: &str) -> Result<Option<String>, Failure> {
    match arguments.0.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Failure {
            field: Some(name.to_owned()),
            ..Failure::invalid("INVALID_TYPE", format!("{name} must be a text or a number"))
        }),
    }
}

fn no_endpoint(path: &str) -> Failure {
    let text = format!("{path} is no path that is served here");
    Failure { field: Some("endpoint".to_owned()), ..Failure::invalid("INVALID_FORMAT", text) }
}
