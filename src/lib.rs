//! The edges: everything that touches the outside.

pub mod config;
pub mod current;
pub mod demo;
pub mod drain;
pub mod journal;
pub mod proxy;
pub mod secrets;
pub mod store;
pub mod upstream;
