//! Who may do what on the control plane.
//!
//! [`credential`] finds out who is asking, [`principal`] is the answer, [`rights`] is what each role may. A
//! credential may be a [`session`] in a [`cookie`], and then a change has to show its [`origin`].
//! The gate puts these together before a handler runs; what belongs to somebody is narrowed down by the
//! handler, which asks the [`Principal`] it is given ([`scope`]).

mod cookie;
mod credential;
mod origin;
mod principal;
mod rights;
mod scope;
mod session;

pub(super) use self::{
    cookie::{Cookies, Presented},
    credential::{identify, of_token, shows_more_than_cookies},
    origin::{headers, same_site},
};
pub use self::{
    principal::{Principal, Session},
    rights::Right,
};
