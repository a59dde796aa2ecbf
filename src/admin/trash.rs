//! What was deleted and can be restored.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer,
    author::Signed,
    error::{FlawCode, Problem},
    query::{Id, Listed, Query},
    schema::view,
    undisturbed,
};
use crate::store::{TrashKind, Trashed};

view! {
    /// Something that was deleted, as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        /// `user`, `key` or `provider`.
        kind: String,
        /// The number it had, and has again when it is restored.
        id: i64,
        name: String,
        /// Who deleted it.
        who: Option<String>,
        deleted_at: DateTime<Utc>,
        /// From then on it cannot be restored.
        kept_until: DateTime<Utc>,
    }
}

impl From<Trashed> for View {
    fn from(Trashed { kind, id, name, who, deleted_at, kept_until }: Trashed) -> Self {
        Self { kind, id, name, who, deleted_at, kept_until }
    }
}

/// `GET /api/v1/trash`: the latest first.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let (after, limit) = query.take_page();
    let kind = query.take_text("kind");
    query.finish()?;
    let kind = kind.map(|name| {
        let known = TrashKind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| Problem::field("kind", FlawCode::NotOneOf, "must be one of user, key, provider"))
    });
    let page = admin.store.trash(kind.transpose()?, after, limit).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next.map(|cursor| cursor.0))
}

/// `DELETE /api/v1/trash/{kind}/{id}`: for good.
pub(super) async fn purge(
    admin: Data<Admin>,
    Signed(by): Signed,
    request: HttpRequest,
    Id(id): Id,
) -> Answer {
    let kind = request.match_info().query("kind");
    let kind = TrashKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = kind.ok_or_else(|| Problem::not_found("kind of row"))?;
    let store = admin.store.signed(by);
    undisturbed(admin, async move { Ok(store.purge(kind, id).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}
