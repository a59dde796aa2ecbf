//! For tests of this crate and of the whole server: ready-made values, faults on demand, and a house of
//! actors that lives on simulated time.

pub mod cards;
#[cfg(feature = "testkit")]
pub mod fault;
#[cfg(feature = "testkit")]
pub mod leaving;
#[cfg(feature = "testkit")]
pub mod records;
#[cfg(feature = "testkit")]
pub mod simulation;
#[cfg(feature = "testkit")]
pub mod time;
#[cfg(feature = "testkit")]
pub mod trace;
#[cfg(feature = "testkit")]
pub mod upstream;
