//! The shapes: wire formats of the model vendors, as pure functions over bytes.
//!
//! Nothing here knows actors, clocks or sockets, and nothing fails for a reason outside its input.

pub mod format;
pub mod usage;

pub use format::{Format, Operation};
pub use usage::Usage;
