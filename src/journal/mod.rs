//! The journal: what is remembered about each request, and how it gets into the database.
//!
//! [`record`] is what a request leaves behind, [`intent`] what is known before. [`recorder`] takes both down,
//! [`writer`] commits records in groups, and [`quarantine`] keeps the ones that the database refuses.
//!
//! Below them: `desk` takes everything in under one lock, `segments` are the files, `frame` is how they are
//! written, `queue` is what waits, `replay` and `read_back` read again, `syncer` syncs.

pub mod balances;
pub mod class;
mod desk;
pub mod fault;
mod frame;
#[cfg(test)]
mod golden;
pub mod intent;
mod port;
pub mod quarantine;
mod queue;
mod read_back;
pub mod record;
pub mod recorder;
mod replay;
mod segments;
mod settings;
mod syncer;
pub mod writer;
pub(crate) mod written;
