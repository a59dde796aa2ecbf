//! Who may do what on the control plane.
//!
//! [`credential`] finds out who is asking, [`principal`] is the answer, [`rights`] is what each role may.
//! The gate puts the three together before a handler runs; what belongs to somebody is narrowed down by the
//! handler, which is given the [`Principal`].

mod credential;
mod principal;
mod rights;

pub(super) use self::credential::identify;
pub use self::{principal::Principal, rights::Right};
