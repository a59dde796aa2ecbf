//! Who one is, and what one may still use.

use actix_web::{HttpResponse, web::Data};
use actors::{Subject, ids::KeyId};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Admin, Answer, Principal, Right, Session, keys, query::Query, quotas, schema::view, users};

view! {
    /// Who is asking, as shown.
    #[derive(Serialize)]
    pub(super) struct View {
        /// As the audit log names it.
        name: String,
        role: &'static str,
        rights: Vec<&'static str>,
        /// Whether the credential can only look.
        read_only: bool,
        /// What was shown, now or at the sign-in.
        signed_in_by: &'static str,
        /// Whether one can sign in by name and password.
        has_password: bool,
        /// By which api key.
        key_id: Option<KeyId>,
        /// That key, whatever else it may look at.
        key: Option<keys::View>,
        /// By which console session.
        session: Option<SessionView>,
        /// None for the holder of the admin token.
        user: Option<users::View>,
        /// The user's quota.
        quota: Option<quotas::View>,
    }
}

view! {
    /// The session that one comes with.
    #[derive(Serialize)]
    pub(super) struct SessionView {
        id: i64,
        /// From then on it is over, however much it is used.
        expires_at: DateTime<Utc>,
        /// What a change sends along as `x-pointsman-csrf`.
        csrf_token: String,
    }
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        let Session { id, expires_at, csrf } = session;
        Self { id: *id, expires_at: *expires_at, csrf_token: csrf.reveal().to_owned() }
    }
}

/// `GET /api/v1/me`.
pub(super) async fn show(admin: Data<Admin>, me: Principal, query: Query) -> Answer {
    query.finish()?;
    let (mut user, mut quota, mut has_password, mut key) = (None, None, false, None);
    if let Some(id) = me.user {
        admin.settle_log().await;
        let row = admin.store.user(id).await?;
        let limits = admin.current.limits_of_user(id, &row.limits).await;
        quota = Some(quotas::quota(&admin, &Subject::User(id, limits)).await?);
        user = Some(row.into());
        has_password = admin.store.password_of(id).await?.is_some();
    }
    if let Some(id) = me.key {
        key = Some(admin.store.key(id).await?.into());
    }
    let rights = Right::ALL.into_iter().filter(|right| me.has(*right)).map(Right::name).collect();
    Ok(HttpResponse::Ok().json(View {
        name: me.name.to_string(),
        role: me.role.name(),
        rights,
        read_only: me.read_only,
        signed_in_by: me.way.name(),
        has_password,
        key_id: me.key,
        key,
        session: me.session.as_ref().map(SessionView::from),
        user,
        quota,
    }))
}
