//! The journal: what is remembered about each request, and how it gets into the database.
//!
//! [`record`] is what a request leaves behind, [`recorder`] commits records in groups, and
//! [`quarantine`] keeps the ones that the database refuses.

pub mod quarantine;
pub mod record;
pub mod recorder;
