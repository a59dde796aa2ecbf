//! The ledger held against a second reckoning that keeps every request for ever and adds up from the
//! beginning each time it is asked.

mod exhaustive;
mod model;
mod properties;
mod scenarios;
mod store;
mod world;
