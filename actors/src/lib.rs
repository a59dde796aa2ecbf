//! The state: everything that remembers something between two requests.

pub mod ids;
pub mod money;
pub mod pricing;
pub mod provider;
