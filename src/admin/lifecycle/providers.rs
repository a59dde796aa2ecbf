//! Providers: on and off, copied, brought back. Another credential for one is a `PATCH`.

use actix_web::{HttpResponse, web::Data};
use actors::ids::ProviderId;

use super::CloneBody;
use crate::{
    admin::{
        Admin, Answer, Topic,
        author::Signed,
        body::Body,
        change,
        providers::View,
        query::Id,
        versions::{IfMatch, told},
    },
    store::{NewProvider, ProviderChange, Store},
};

/// `POST /api/v1/providers/{id}/enable`.
pub(in crate::admin) async fn enable(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    turn(admin.clone(), admin.store.signed(by).expecting(expected), id, true).await
}

/// `POST /api/v1/providers/{id}/disable`: what is under way there goes on.
pub(in crate::admin) async fn disable(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    turn(admin.clone(), admin.store.signed(by).expecting(expected), id, false).await
}

async fn turn(admin: Data<Admin>, store: Store, id: Id, enabled: bool) -> Answer {
    let wish = ProviderChange { enabled: Some(enabled), ..ProviderChange::default() };
    let write = async move { Ok(store.update_provider(ProviderId(id.0), wish).await?) };
    let provider = change(admin, Topic::Providers, write).await?;
    Ok(told(HttpResponse::Ok(), provider.card.version, &View::from(provider)))
}

/// `POST /api/v1/providers/{id}/clone`: another provider like this one, with the same credential, which is
/// sealed anew for its row (C-09).
pub(in crate::admin) async fn copy(
    admin: Data<Admin>,
    Signed(by): Signed,
    id: Id,
    Body(body): Body<CloneBody>,
) -> Answer {
    let (name, enabled) = body.read()?;
    let store = admin.store.signed(by);
    let write = async move {
        let like = store.provider(ProviderId(id.0)).await?;
        let card = like.card;
        let new = NewProvider {
            name,
            kind: card.kind,
            base_url: card.base_url,
            credential: card.credential,
            formats: if card.formats == card.kind.formats() { Vec::new() } else { card.formats },
            weight: card.weight,
            priority: card.priority,
            cost_multiplier: card.cost_multiplier,
            groups: card.groups,
            allowed_models: card.allowed_models,
            restrictions: card.restrictions,
            model_redirects: card.model_redirects,
            limits: card.limits,
            breaker: card.breaker,
            timeouts: card.timeouts,
            allow_private_network: card.allow_private_network,
            enabled: enabled.unwrap_or(card.enabled),
            notes: like.notes,
        };
        Ok(store.create_provider(new).await?)
    };
    let provider = change(admin, Topic::Providers, write).await?;
    Ok(told(HttpResponse::Created(), provider.card.version, &View::from(provider)))
}

/// `POST /api/v1/providers/{id}/restore`: with the prices it had.
pub(in crate::admin) async fn restore(admin: Data<Admin>, Signed(by): Signed, id: Id) -> Answer {
    let store = admin.store.signed(by);
    let write = async move { Ok(store.restore_provider(ProviderId(id.0)).await?) };
    let provider = change(admin, Topic::Offers, write).await?;
    Ok(told(HttpResponse::Ok(), provider.card.version, &View::from(provider)))
}
