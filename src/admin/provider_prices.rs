//! Prices of models at one provider, which win over those they have everywhere else. The provider's
//! factor applies to them as to all.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::{ids::ProviderId, pricing::Price};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::Body,
    change,
    prices::{PriceBody, model},
    query::{Id, Listed},
    schema::view,
};
use crate::store::ProviderPriceRow;

view! {
    /// A price as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: i64,
        provider_id: ProviderId,
        model: String,
        effective_from: DateTime<Utc>,
        #[serde(flatten)]
        price: Price,
    }
}

impl From<ProviderPriceRow> for View {
    fn from(row: ProviderPriceRow) -> Self {
        let ProviderPriceRow { id, provider, model, effective_from, price } = row;
        Self { id, provider_id: provider, model, effective_from, price }
    }
}

/// `PUT /api/v1/providers/{id}/prices/{model}`
pub(super) async fn put(
    admin: Data<Admin>,
    Signed(by): Signed,
    Id(id): Id,
    request: HttpRequest,
    Body(body): Body<PriceBody>,
) -> Answer {
    let model = model(&request)?;
    let (price, effective_from) = body.read(Utc::now())?;
    let store = admin.store.signed(by);
    let write = async move {
        store.provider(ProviderId(id)).await?;
        Ok(store.put_provider_price(ProviderId(id), &model, effective_from, price).await?)
    };
    let row = change(admin, Topic::Prices, write).await?;
    Ok(HttpResponse::Ok().json(View::from(row)))
}

/// `GET /api/v1/providers/{id}/prices`: those in force and to come, by model, newest first.
pub(super) async fn list(admin: Data<Admin>, Id(id): Id) -> Answer {
    admin.store.provider(ProviderId(id)).await?;
    let rows = admin.store.provider_prices(Utc::now()).await?;
    let own = rows.into_iter().filter(|row| row.provider == ProviderId(id));
    Listed::whole(own.map(View::from).collect())
}

/// `DELETE /api/v1/providers/{id}/prices/{model}`: the price it has elsewhere counts again.
pub(super) async fn remove(
    admin: Data<Admin>,
    Signed(by): Signed,
    Id(id): Id,
    request: HttpRequest,
) -> Answer {
    let model = model(&request)?;
    let store = admin.store.signed(by);
    let write = async move { Ok(store.delete_provider_prices(ProviderId(id), &model).await?) };
    change(admin, Topic::Prices, write).await?;
    Ok(HttpResponse::NoContent().finish())
}
