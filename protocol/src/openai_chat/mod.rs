//! OpenAI Chat Completions, and OpenAI's embeddings.

pub(crate) mod answer;
pub(crate) mod error;
pub mod filter;
pub(crate) mod request;
pub(crate) mod stream;
mod usage;
