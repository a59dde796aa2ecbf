//! The demo: what `scripts/run --demo` shows, without any vendor's key.

pub mod stage;
pub mod upstream;
