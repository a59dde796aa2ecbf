//! Identities of users: by what they are known at a provider.

use actix_web::{HttpResponse, web::Data};
use actors::ids::UserId;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer,
    author::Signed,
    body::{Body, Flaws, Given, body},
    query::{Id, Listed, Query},
    schema::view,
    values::Identifier,
};
use crate::store::Identity;

body! {
    /// What a user is known by.
    struct IdentityBody {
        /// The provider, letter by letter as it calls itself, or what `ldap.issuer` calls the directory; the one
        /// that is set up, unless given.
        issuer: Identifier,
        /// What the provider calls the user (`sub`).
        subject: Identifier = required,
    }
}

view! {
    /// What a user is known by, as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: i64,
        user_id: UserId,
        /// The provider.
        issuer: String,
        /// What the provider calls the user.
        subject: String,
        created_at: DateTime<Utc>,
    }
}

impl From<Identity> for View {
    fn from(Identity { id, user, issuer, subject, created_at }: Identity) -> Self {
        Self { id, user_id: user, issuer, subject, created_at }
    }
}

/// `GET /api/v1/users/{id}/identities`.
pub(super) async fn list(admin: Data<Admin>, id: Id, mut query: Query) -> Answer {
    let (after, limit) = query.take_page();
    query.finish()?;
    let user = admin.store.user(UserId(id.0)).await?.id;
    let page = admin.store.identities(user, after, limit).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next.map(|cursor| cursor.0))
}

/// `POST /api/v1/users/{id}/identities`.
pub(super) async fn link(
    admin: Data<Admin>,
    Signed(by): Signed,
    id: Id,
    Body(body): Body<IdentityBody>,
) -> Answer {
    let mut flaws = Flaws::default();
    let issuer = match (body.issuer, only_issuer(&admin)) {
        (Given::Absent | Given::Null, Some(only)) => Some(only.to_owned()),
        (given, _) => given.required("issuer", &mut flaws).map(|issuer| issuer.0),
    };
    let subject = body.subject.required("subject", &mut flaws).map(|subject| subject.0);
    flaws.check()?;
    let (issuer, subject) = (issuer.unwrap_or_default(), subject.unwrap_or_default());
    let linked = admin.store.signed(by).link_identity(UserId(id.0), &issuer, &subject).await?;
    Ok(HttpResponse::Created().json(View::from(linked)))
}

/// Who else knows people, if there is one such house.
fn only_issuer(admin: &Admin) -> Option<&str> {
    match (&admin.oidc, &admin.directory) {
        (Some(provider), None) => Some(provider.issuer()),
        (None, Some(directory)) => Some(&directory.settings().issuer),
        _ => None,
    }
}

/// `DELETE /api/v1/identities/{id}`: the user's sessions end that began elsewhere.
pub(super) async fn unlink(admin: Data<Admin>, Signed(by): Signed, id: Id) -> Answer {
    admin.store.signed(by).unlink_identity(id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
