//! Users: on and off, for longer, copied, brought back.

use actix_web::{HttpResponse, web::Data};
use actors::ids::UserId;

use super::{CloneBody, RenewBody};
use crate::{
    admin::{
        Admin, Answer, Topic,
        author::Signed,
        body::Body,
        change,
        query::Id,
        users::View,
        versions::{IfMatch, told},
    },
    store::{NewUser, Store, UserChange},
};

/// `POST /api/v1/users/{id}/enable`.
pub(in crate::admin) async fn enable(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, store, id, UserChange { enabled: Some(true), ..UserChange::default() }).await
}

/// `POST /api/v1/users/{id}/disable`: all the user's keys are refused from the next request on.
pub(in crate::admin) async fn disable(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, store, id, UserChange { enabled: Some(false), ..UserChange::default() }).await
}

/// `POST /api/v1/users/{id}/renew`.
pub(in crate::admin) async fn renew(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<RenewBody>,
) -> Answer {
    let (end, enabled) = body.read(admin.wall_now())?;
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, store, id, UserChange { expires_at: Some(Some(end)), enabled, ..UserChange::default() }).await
}

async fn turn(admin: Data<Admin>, store: Store, id: Id, wish: UserChange) -> Answer {
    let write = async move { Ok(store.update_user(UserId(id.0), wish).await?) };
    let user = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), user.version, &View::from(user)))
}

/// `POST /api/v1/users/{id}/clone`: another user like this one, without keys.
pub(in crate::admin) async fn copy(
    admin: Data<Admin>,
    Signed(by): Signed,
    id: Id,
    Body(body): Body<CloneBody>,
) -> Answer {
    let (name, enabled) = body.read()?;
    let store = admin.store.signed(by);
    let write = async move {
        let like = store.user(UserId(id.0)).await?;
        let new = NewUser {
            name,
            role: like.role,
            groups: like.groups,
            tags: like.tags,
            limits: like.limits,
            restrictions: like.restrictions,
            expires_at: like.expires_at,
            enabled: enabled.unwrap_or(like.enabled),
        };
        Ok(store.create_user(new).await?)
    };
    let user = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Created(), user.version, &View::from(user)))
}

/// `POST /api/v1/users/{id}/restore`: with the keys that went with it.
pub(in crate::admin) async fn restore(admin: Data<Admin>, Signed(by): Signed, id: Id) -> Answer {
    let store = admin.store.signed(by);
    let write = async move { Ok(store.restore_user(UserId(id.0)).await?) };
    let user = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), user.version, &View::from(user)))
}
