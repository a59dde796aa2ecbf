//! The state: everything that remembers something between two requests.
//!
//! Each room has plain values that do the thinking, a page of messages, and an actor that owns the values,
//! reads the clock and is otherwise boring. [`gateway::Gateway`] is all that the edges hold.

pub mod board;
pub mod clock;
pub mod dispatcher;
pub mod exports;
mod fault;
pub mod gateway;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod permits;
pub mod ports;
pub mod pricing;
pub mod provider;
pub mod restrictions;
pub mod session;
pub mod sign_in;
pub mod supervisor;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use gateway::{Gateway, Settings, Subject};
