//! The edges: everything that touches the outside.

pub mod demo;
pub mod upstream;
