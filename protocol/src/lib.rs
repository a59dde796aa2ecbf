//! The shapes: wire formats of the model vendors, as pure functions over bytes.
//!
//! Nothing here knows actors, clocks or sockets, and nothing fails for a reason outside its input.
//!
//! A request passes [`call::read`] (who is asked for what), [`edit::for_upstream`] (what goes up)
//! and [`headers`]. Its answer passes a [`tap::Tap`], which reads usage, end mark and errors while
//! the bytes go by; [`failure`] and [`hints`] read refusals of providers, [`refusal`] writes ours.

mod body;
mod counts;
mod fingerprint;
mod gather;
mod reading;
mod scan;
mod target;
mod text;

mod anthropic;
pub mod gemini;
pub mod openai_chat;
mod openai_responses;

pub mod call;
pub mod client;
pub mod edit;
pub mod failure;
pub mod family;
pub mod format;
pub mod headers;
pub mod hints;
pub mod json_array;
pub mod models;
pub mod refusal;
pub mod sse;
pub mod tap;
pub mod usage;

pub use body::{MAX_COUNT, MAX_MODEL_BYTES, MAX_NESTING, Malformed};
pub use call::{Call, SessionMark, Streaming};
pub use client::Client;
pub use family::family;
pub use format::{Format, Operation};
pub use reading::Reading;
pub use target::Target;
pub use usage::Usage;
