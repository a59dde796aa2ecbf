//! The edges: everything that touches the outside.

pub mod upstream;
