//! How requests are charged: which model's price counts, and what happens where there is none.

use actix_web::{HttpResponse, web::Data};

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Body, body},
    change,
    prices::MAX_FEE_USD,
    values::Amount,
};
use crate::current::billing::{BILLING, BilledModel, Billing, WhenUnpriced};

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
    Ok(HttpResponse::Ok().json(admin.current.prices().billing()))
}

/// `PATCH /api/v1/settings/billing`
pub(super) async fn update(admin: Data<Admin>, Signed(by): Signed, Body(body): Body<BillingBody>) -> Answer {
    let store = admin.store.signed(by);
    let write = async move {
        let before: Billing = store.setting(BILLING).await?.unwrap_or_default();
        let usual = Billing::default();
        let after = Billing {
            model: body.model.onto(before.model, usual.model),
            unpriced: body.unpriced.onto(before.unpriced, usual.unpriced),
            unpriced_reservation_usd: body
                .unpriced_reservation_usd
                .onto(Amount(before.unpriced_reservation_usd), Amount(usual.unpriced_reservation_usd))
                .0,
        };
        store.put_setting(BILLING, &after).await?;
        Ok(after)
    };
    let after = change(admin, Topic::Prices, write).await?;
    Ok(HttpResponse::Ok().json(after))
}
