//! Gemini (`generateContent` and its kin).

pub(crate) mod answer;
pub(crate) mod error;
pub mod path;
pub(crate) mod request;
pub(crate) mod stream;
mod usage;

pub use path::Path;
