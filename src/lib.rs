//! The edges: everything that touches the outside.

pub mod admin;
pub mod boot;
pub mod cli;
pub mod client_address;
pub mod compat;
pub mod config;
pub mod current;
pub mod demo;
pub mod drain;
pub mod events;
pub mod exports;
pub mod journal;
pub mod logging;
pub mod metrics;
pub mod ops;
pub mod proxy;
pub mod resealing;
pub mod secrets;
pub mod store;
pub mod traces;
pub mod upstream;
