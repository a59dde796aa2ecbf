//! How requests are charged: which model's price counts, and what happens where there is none.

use actix_web::{HttpResponse, web::Data};

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Body, body},
    change,
    error::Problem,
    prices::MAX_FEE_USD,
    values::Amount,
    versions::{IfMatch, merged, told},
};
use crate::{
    current::billing::{BILLING, BilledModel, Billing, WhenUnpriced},
    store::Store,
};

body! {
    /// What to change; `null` brings back the default.
    struct BillingBody {
        /// Which name of the model counts.
        model: BilledModel,
        /// What happens where no price is known.
        unpriced: WhenUnpriced,
        /// What is reserved for a request that is served without a price.
        unpriced_reservation_usd: Amount<MAX_FEE_USD>,
    }
}

/// `GET /api/v1/settings/billing`
pub(super) async fn show(admin: Data<Admin>) -> Answer {
    let (version, billing) = admin.store.setting_with_version::<Billing>(BILLING).await?;
    Ok(told(HttpResponse::Ok(), version, &billing.unwrap_or_default()))
}

/// `PATCH /api/v1/settings/billing`
pub(super) async fn update(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    Body(body): Body<BillingBody>,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected.clone());
    let write = async move { merged(&expected, async || apply(&store, body.clone()).await).await };
    let (version, after) = change(admin, Topic::Prices, write).await?;
    Ok(told(HttpResponse::Ok(), version, &after))
}

/// Changes the terms. They are read here, so none is changed where another change came between.
async fn apply(store: &Store, body: BillingBody) -> Result<(i64, Billing), Problem> {
    let (version, before) = store.setting_with_version::<Billing>(BILLING).await?;
    let (before, usual) = (before.unwrap_or_default(), Billing::default());
    let after = Billing {
        model: body.model.onto(before.model, usual.model),
        unpriced: body.unpriced.onto(before.unpriced, usual.unpriced),
        unpriced_reservation_usd: body
            .unpriced_reservation_usd
            .onto(Amount(before.unpriced_reservation_usd), Amount(usual.unpriced_reservation_usd))
            .0,
    };
    let version = store.changing(version)?.put_setting(BILLING, &after).await?;
    Ok((version, after))
}
