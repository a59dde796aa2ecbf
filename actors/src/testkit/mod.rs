//! For tests of this crate and of the whole server: ready-made values and faults on demand.

pub mod cards;
#[cfg(feature = "testkit")]
pub mod fault;
