//! Whoever is asking, as the gate found out.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use actors::ids::{KeyId, UserId};

use crate::{admin::error::Problem, store::Role};

/// Whoever is asking. Handlers take it as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What this one may do.
    pub role: Role,
    /// Which user; none for the holder of the admin token.
    pub user: Option<UserId>,
    /// By which api key, if by one.
    pub key: Option<KeyId>,
    /// An api key without console rights may look at its own usage, and change nothing.
    pub read_only: bool,
    /// For the audit log.
    pub name: Arc<str>,
}

impl Principal {
    /// The holder of the admin token.
    #[must_use]
    pub fn admin_token() -> Self {
        Self { role: Role::Admin, user: None, key: None, read_only: false, name: "admin token".into() }
    }
}

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().cloned();
        ready(found.ok_or_else(|| Problem::internal("a public route asks who is asking")))
    }
}
