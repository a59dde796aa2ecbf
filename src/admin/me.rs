//! Who one is, and what one may still use.

use actix_web::{HttpResponse, web::Data};
use actors::{Subject, ids::KeyId};
use serde::Serialize;

use super::{Admin, Answer, Principal, Right, query::Query, quotas, schema::view, users};

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
        /// By which api key.
        key_id: Option<KeyId>,
        /// None for the holder of the admin token.
        user: Option<users::View>,
        /// The user's quota.
        quota: Option<quotas::View>,
    }
}

/// `GET /api/v1/me`.
pub(super) async fn show(admin: Data<Admin>, me: Principal, query: Query) -> Answer {
    query.finish()?;
    let (mut user, mut quota) = (None, None);
    if let Some(id) = me.user {
        admin.settle_log().await;
        let row = admin.store.user(id).await?;
        let limits = admin.current.limits_of_user(id, &row.limits).await;
        quota = Some(quotas::quota(&admin, &Subject::User(id, limits)).await?);
        user = Some(row.into());
    }
    let rights = Right::ALL.into_iter().filter(|right| me.has(*right)).map(Right::name).collect();
    let (name, role, read_only, key_id) = (me.name.to_string(), me.role.name(), me.read_only, me.key);
    Ok(HttpResponse::Ok().json(View { name, role, rights, read_only, key_id, user, quota }))
}
