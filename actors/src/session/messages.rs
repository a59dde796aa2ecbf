//! What one can say to the session tracker.

use actix::Message;
use serde::Serialize;

use super::id::SessionId;
use crate::ids::{KeyId, ProviderId};

/// Where is this conversation, and what it continues, at home?
#[derive(Debug)]
pub struct Resolve {
    /// The sticky session, if the request has one.
    pub session: Option<SessionId>,
    /// The earlier answer it continues, if it names one.
    pub continues: Option<SessionId>,
}

/// Where a request belongs, as far as the tracker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Home {
    /// The provider the session is bound to: advice.
    pub bound_to: Option<ProviderId>,
    /// The provider that holds what the request continues: nobody else can serve it.
    pub pinned_to: Option<ProviderId>,
}

impl Message for Resolve {
    type Result = Home;
}

/// This session goes to that provider now.
#[derive(Debug)]
pub struct Bind {
    /// The session.
    pub session: SessionId,
    /// Where its request was sent.
    pub provider: ProviderId,
}

impl Message for Bind {
    type Result = ();
}

/// A request of this session ended at that provider.
#[derive(Debug)]
pub struct Touch {
    /// The session.
    pub session: SessionId,
    /// Where its request was.
    pub provider: ProviderId,
}

impl Message for Touch {
    type Result = ();
}

/// This answer was made by that provider, and later requests may continue it there.
#[derive(Debug)]
pub struct Pin {
    /// The answer.
    pub answer: SessionId,
    /// Where it lives.
    pub provider: ProviderId,
}

impl Message for Pin {
    type Result = ();
}

/// Forget this session's binding. Answers whether there was one.
#[derive(Debug)]
pub struct Unbind(pub SessionId);

impl Message for Unbind {
    type Result = bool;
}

/// Forget all bindings to a provider that is gone.
#[derive(Debug)]
pub struct UnbindProvider(pub ProviderId);

impl Message for UnbindProvider {
    type Result = ();
}

/// Show me the most recently used bindings.
#[derive(Debug)]
pub struct ListSessions {
    /// Of these keys; none for all.
    pub of: Option<Vec<KeyId>>,
    /// At most so many.
    pub most: usize,
}

impl Message for ListSessions {
    type Result = Vec<SessionView>;
}

/// One binding as an operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// The session's name.
    pub id: SessionId,
    /// The api key it belongs to.
    pub key_id: KeyId,
    /// Where it is bound.
    pub provider_id: ProviderId,
    /// When it was bound there.
    pub since: chrono::DateTime<chrono::Utc>,
    /// When it was last used.
    pub last_used: chrono::DateTime<chrono::Utc>,
    /// How long it has been bound there, in seconds.
    pub age_s: u64,
    /// Requests it has carried.
    pub requests: u64,
}
