//! Changes to a request body by splicing bytes: what is not named here goes up as it came.
//!
//! Prompt caches and signatures hang on exact bytes, so a body is never written anew.

use std::borrow::Cow;
use std::ops::Range;

use crate::call::Call;
use crate::format::Format;
use crate::gemini;

/// Bytes of a body to replace, and with what. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to replace.
    pub at: Range<usize>,
    /// What comes in their place.
    pub with: Cow<'static, str>,
}

impl Edit {
    /// Puts another model where the body holds the one asked for.
    #[must_use]
    pub fn model(span: Range<usize>, to: &str) -> Self {
        Self { at: span, with: Cow::Owned(quoted(to)) }
    }
}

/// The body with these edits made; the edits must not overlap, and lie within the body.
#[must_use]
pub fn apply(body: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.at.start);
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut edited = Vec::with_capacity(body.len() + added);
    let mut done = 0;
    for edit in edits {
        edited.extend_from_slice(&body[done..edit.at.start]);
        edited.extend_from_slice(edit.with.as_bytes());
        done = edit.at.end;
    }
    edited.extend_from_slice(&body[done..]);
    edited
}

/// The body with another model in the place the span names.
#[must_use]
pub fn redirect_model(body: &[u8], span: Range<usize>, to: &str) -> Vec<u8> {
    apply(body, vec![Edit::model(span, to)])
}

/// The body as it goes up: for another model if `model` is given, and asking for usage if
/// `ask_usage` is set and the caller had not. The caller's own bytes when nothing changes.
#[must_use]
pub fn for_upstream<'b>(call: &Call, body: &'b [u8], model: Option<&str>, ask_usage: bool) -> Cow<'b, [u8]> {
    let mut edits = Vec::new();
    if let Some(to) = model.filter(|to| *to != call.model) {
        match call.format {
            // Gemini's path has the model; some bodies name it again and must agree.
            Format::Gemini => edits.extend(gemini::request::redirect(body, call, to)),
            _ => edits.extend(call.model_span.clone().map(|span| Edit::model(span, to))),
        }
    }
    if ask_usage {
        edits.extend(call.usage_edit.clone());
    }
    if edits.is_empty() { Cow::Borrowed(body) } else { Cow::Owned(apply(body, edits)) }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
