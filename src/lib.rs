//! The edges: everything that touches the outside.

pub mod config;
pub mod current;
pub mod demo;
pub mod journal;
pub mod secrets;
pub mod store;
pub mod upstream;
