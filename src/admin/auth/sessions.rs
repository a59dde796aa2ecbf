//! Console sessions, as their holders see them.

use actix_web::{HttpResponse, web::Data};
use actors::ids::{KeyId, UserId};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    admin::{
        Admin, Answer, Principal, Right,
        author::Signed,
        error::Problem,
        query::{Id, Listed, Query},
        schema::view,
    },
    store::{ConsoleSession, Store, StoreError},
};

view! {
    /// A session as shown.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct View {
        id: i64,
        /// None where somebody signed in with the admin token.
        user_id: Option<UserId>,
        key_id: Option<KeyId>,
        signed_in_by: &'static str,
        /// Whether it can only look.
        read_only: bool,
        /// Whether the request that is answered here came by it.
        current: bool,
        created_at: DateTime<Utc>,
        /// When it was last used, to the minute.
        seen_at: DateTime<Utc>,
        /// From then on it is over, however much it is used.
        expires_at: DateTime<Utc>,
        /// Where one signed in.
        address: Option<String>,
        /// What one signed in with.
        user_agent: Option<String>,
    }
}

impl View {
    fn new(session: ConsoleSession, me: &Principal) -> Self {
        Self {
            current: me.session.as_ref().is_some_and(|current| current.id == session.id),
            id: session.id,
            user_id: session.user,
            key_id: session.key,
            signed_in_by: session.way.name(),
            read_only: session.read_only,
            created_at: session.created_at,
            seen_at: session.seen_at,
            expires_at: session.expires_at,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

/// `GET /api/v1/auth/sessions`: one's own, or for an admin those of a user.
pub(in crate::admin) async fn list(admin: Data<Admin>, me: Principal, mut query: Query) -> Answer {
    let asked = query.take("user_id", "the id of a user").map(UserId);
    let (after, limit) = query.take_page();
    query.finish()?;
    if let Some(user) = asked
        && !me.has(Right::Admin)
        && me.user != asked
    {
        return Err(Problem::not_found(&format!("user {user}")));
    }
    let page = admin.store.console_sessions(asked.or(me.user), after, limit).await?;
    let now = admin.wall_now();
    let stands = |session: &ConsoleSession| {
        let unused = (now - session.seen_at).to_std().unwrap_or_default();
        now < session.expires_at && unused < admin.console.session_idle
    };
    let shown = page
        .items
        .into_iter()
        .filter(|session| stands(session) && (asked.is_some() && me.has(Right::Admin) || me.owns(session)));
    let next = page.next.map(|cursor| cursor.0);
    Listed::answer(shown.map(|session| View::new(session, &me)).collect(), next)
}

/// `DELETE /api/v1/auth/sessions/{id}`.
pub(in crate::admin) async fn end(admin: Data<Admin>, me: Principal, Signed(by): Signed, id: Id) -> Answer {
    end_one(&admin.store.signed(by), &me, id.0, "ended").await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends a session of one's own, or for an admin anybody's. Another's does not exist (C-04).
pub(super) async fn end_one(
    store: &Store,
    me: &Principal,
    id: i64,
    why: &'static str,
) -> Result<(), Problem> {
    let session = store.console_session_numbered(id).await?;
    if !me.owns(&session) && !me.has(Right::Admin) {
        return Err(Problem::not_found("session"));
    }
    match store.end_console_session(id, why).await {
        // Somebody else was faster; it is over, which is what was asked for.
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
