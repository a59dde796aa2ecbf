//! Who may do what on the control plane.
//!
//! [`credential`] finds out who is asking, [`principal`] is the answer, [`rights`] is what each role may.
//! The gate puts the three together before a handler runs; what belongs to somebody is narrowed down by the
//! handler, which asks the [`Principal`] it is given ([`scope`]).

mod credential;
mod principal;
mod rights;
mod scope;

pub(super) use self::credential::identify;
pub use self::{principal::Principal, rights::Right};
