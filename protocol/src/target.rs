//! What the path of a request says about it, before the body is read.

use crate::format::{Format, Operation};
use crate::gemini;

/// Where a request was sent: enough to know how to read its body.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The API spoken.
    pub format: Format,
    /// What is asked of it.
    pub operation: Operation,
    /// Gemini's path, which carries the model; `None` for formats that have it in the body.
    pub path: Option<&'a gemini::Path>,
}

impl<'a> Target<'a> {
    /// A target whose model is in the body.
    #[must_use]
    pub const fn new(format: Format, operation: Operation) -> Self {
        Self { format, operation, path: None }
    }

    /// A Gemini target.
    #[must_use]
    pub const fn gemini(path: &'a gemini::Path) -> Self {
        Self { format: Format::Gemini, operation: path.method.operation(), path: Some(path) }
    }
}
