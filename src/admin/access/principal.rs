//! Whoever is asking, as the gate found out.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use actors::ids::{KeyId, UserId};
use chrono::{DateTime, Utc};

use crate::{
    admin::error::Problem,
    config::Secret,
    store::{Role, Way},
};

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
    /// What this one has shown, now or at the sign-in.
    pub way: Way,
    /// The session, if by one.
    pub session: Option<Session>,
}

/// The console session that a request comes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its row.
    pub id: i64,
    /// From then on it is over.
    pub expires_at: DateTime<Utc>,
    /// What its page sends along with a change.
    pub csrf: Secret,
}

impl Principal {
    /// The holder of the admin token.
    #[must_use]
    pub fn admin_token() -> Self {
        Self {
            role: Role::Admin,
            user: None,
            key: None,
            read_only: false,
            name: "admin token".into(),
            way: Way::AdminToken,
            session: None,
        }
    }

    /// A user who has just signed in, in that way.
    pub(in crate::admin) fn of_user(id: UserId, role: Role, name: String, way: Way) -> Self {
        Self { role, user: Some(id), key: None, read_only: false, name: name.into(), way, session: None }
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
