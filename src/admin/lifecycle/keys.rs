//! Api keys: on and off, for longer, copied, with a new secret, brought back. A new secret is in the answer that
//! makes it, and nowhere else ever (C-02).

use actix_web::{HttpResponse, web::Data};
use actors::{ids::KeyId, ledger::limits::Limits};
use chrono::TimeDelta;

use super::{CloneBody, RenewBody, RotateBody};
use crate::{
    admin::{
        Admin, Answer, Principal, Topic,
        author::Signed,
        body::Body,
        change,
        keys::{Made, View},
        query::Id,
        values::Count,
        versions::{IfMatch, told},
    },
    secrets::digest::NewApiKey,
    store::{KeyChange, NewKey, Store},
};

/// `POST /api/v1/keys/{id}/enable`.
pub(in crate::admin) async fn enable(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, me, store, id, KeyChange { enabled: Some(true), ..KeyChange::default() }).await
}

/// `POST /api/v1/keys/{id}/disable`: refused from the next request on.
pub(in crate::admin) async fn disable(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, me, store, id, KeyChange { enabled: Some(false), ..KeyChange::default() }).await
}

/// `POST /api/v1/keys/{id}/renew`.
pub(in crate::admin) async fn renew(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<RenewBody>,
) -> Answer {
    let (end, enabled) = body.read(admin.wall_now())?;
    let store = admin.store.signed(by).expecting(expected);
    turn(admin, me, store, id, KeyChange { expires_at: Some(Some(end)), enabled, ..KeyChange::default() })
        .await
}

async fn turn(admin: Data<Admin>, me: Principal, store: Store, id: Id, wish: KeyChange) -> Answer {
    let write = async move {
        me.change_of(store.key(KeyId(id.0)).await?.user_id, "api key")?;
        Ok(store.update_key(KeyId(id.0), wish).await?)
    };
    let key = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), key.version, &View::from(key)))
}

/// `POST /api/v1/keys/{id}/rotate`: another secret for the same key; the old one is accepted for as long as is
/// asked for.
pub(in crate::admin) async fn rotate(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<RotateBody>,
) -> Answer {
    let overlap = i64::try_from(body.overlap_ms.map(Count::get).or(0)).unwrap_or(0);
    let old_until = (overlap > 0).then(|| admin.wall_now() + TimeDelta::milliseconds(overlap));
    let store = admin.store.signed(by).expecting(expected);
    let secret = NewApiKey::generate(&admin.digester);
    let key = secret.reveal().to_owned();
    let write = async move {
        me.change_of(store.key(KeyId(id.0)).await?.user_id, "api key")?;
        Ok(store.rotate_key(KeyId(id.0), &secret, old_until).await?)
    };
    let view: View = change(admin, Topic::Keys, write).await?.into();
    Ok(told(HttpResponse::Ok(), view.version(), &Made::new(view, key)))
}

/// `POST /api/v1/keys/{id}/clone`: another key of the same user like this one.
pub(in crate::admin) async fn copy(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    id: Id,
    Body(body): Body<CloneBody>,
) -> Answer {
    let (name, enabled) = body.read()?;
    let secret = NewApiKey::generate(&admin.digester);
    let key = secret.reveal().to_owned();
    let store = admin.store.signed(by);
    let write = async move {
        let like = store.key(KeyId(id.0)).await?;
        me.change_of(like.user_id, "api key")?;
        let user = store.user(like.user_id).await?;
        me.bound_key(&user, &Limits::default(), Some(&like.groups), Some(&like.limits))?;
        let new = NewKey {
            name,
            groups: like.groups,
            limits: like.limits,
            restrictions: like.restrictions,
            expires_at: like.expires_at,
            enabled: enabled.unwrap_or(like.enabled),
            web_login: like.web_login,
        };
        Ok(store.create_key(user.id, &secret, new).await?)
    };
    let view: View = change(admin, Topic::Keys, write).await?.into();
    Ok(told(HttpResponse::Created(), view.version(), &Made::new(view, key)))
}

/// `POST /api/v1/keys/{id}/restore`: accepted again.
pub(in crate::admin) async fn restore(admin: Data<Admin>, Signed(by): Signed, id: Id) -> Answer {
    let store = admin.store.signed(by);
    let write = async move { Ok(store.restore_key(KeyId(id.0)).await?) };
    let key = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), key.version, &View::from(key)))
}
