//! Passwords: set and taken away by an admin, changed by whoever has one (C-19, C-20).

use actix_web::{HttpResponse, web::Data};
use actors::ids::UserId;

use super::{
    Visitor,
    proof::{is_password, knock},
};
use crate::{
    admin::{
        Admin, Answer, Principal,
        author::Signed,
        body::{Body, Flaws, body},
        error::{FlawCode, Problem},
        query::Id,
        values::{NewPassword, Text},
    },
    store::{Kept, Way},
};

body! {
    /// The password of a user.
    struct PasswordBody {
        /// At least 12 characters, whichever.
        password: NewPassword = required,
    }
}

body! {
    /// Another password of one's own.
    struct OwnPasswordBody {
        /// The one that counts now.
        old_password: Text = required,
        /// At least 12 characters, whichever.
        password: NewPassword = required,
    }
}

/// `PUT /api/v1/users/{id}/password`: the user's console sessions end.
pub(in crate::admin) async fn set(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    id: Id,
    Body(body): Body<PasswordBody>,
) -> Answer {
    let mut flaws = Flaws::default();
    let password = body.password.required("password", &mut flaws);
    flaws.check()?;
    let user = UserId(id.0);
    admin.store.user(user).await?;
    let hash = admin.workers.hash(password.map(|new| new.0).unwrap_or_default()).await?;
    let kept = kept(&admin, &me, user, &hash);
    admin.store.signed(by).put_password(user, hash, kept).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `DELETE /api/v1/users/{id}/password`: the sessions that rest on it end.
pub(in crate::admin) async fn remove(admin: Data<Admin>, Signed(by): Signed, id: Id) -> Answer {
    admin.store.signed(by).delete_password(UserId(id.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /api/v1/me/password`: one's other sessions end. The first password is an admin's to set: an api key
/// that was stolen must not make itself one.
pub(in crate::admin) async fn change_own(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    visitor: Visitor,
    Body(body): Body<OwnPasswordBody>,
) -> Answer {
    let mut flaws = Flaws::default();
    let old = body.old_password.required("old_password", &mut flaws);
    let new = body.password.required("password", &mut flaws);
    flaws.check()?;
    let (Some(user), Some(old), Some(new)) = (me.user, old, new) else {
        return Err(Problem::not_found("password"));
    };
    let Some(now) = admin.store.password_of(user).await? else {
        return Err(Problem::not_found("password"));
    };
    let name = admin.store.user(user).await?.name;
    // Whoever sits down at an open session has no more tries than anybody, and holds nobody else up.
    let leave = knock(&admin, visitor.address, Some(&name), true).await?;
    if !is_password(&admin, old.0, Some(now)).await? {
        return Err(Problem::field("old_password", FlawCode::Wrong, "is not the one that counts"));
    }
    admin.gateway.sign_in_succeeded(leave);
    let hash = admin.workers.hash(new.0).await?;
    let kept = kept(&admin, &me, user, &hash);
    admin.store.signed(by).put_password(user, hash, kept).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The session that goes on: the one by which its own holder asks.
fn kept(admin: &Admin, me: &Principal, user: UserId, hash: &str) -> Option<Kept> {
    let session = me.session.as_ref().filter(|_| me.user == Some(user))?;
    let proof = (me.way == Way::Password).then(|| admin.sessions.proof(hash));
    Some(Kept { id: session.id, proof })
}
