//! Repricing: requests that were served without a price are charged once one is known (I-07).
//!
//! A row never changes. What it turns out to cost is a correction beside it, in the minute of the request, and
//! the ledgers of its accounts are told to look again. Asking twice changes nothing: what a request costs
//! already is not corrected.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{HttpResponse, web::Data};
use actors::{
    Subject,
    ids::{ProviderId, RequestId},
    ledger::limits::AccountId,
    money::{Money, Pico},
    pricing::Consumed,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::{
    Admin, Answer,
    author::Signed,
    body::{Body, body},
    error::{Code, Problem},
    schema::view,
    undisturbed,
    values::{Model, Moment, RowId, Text, Whole},
};
use crate::{
    current::prices::{Asked, PriceList},
    journal::record::{Record, Settlement},
    store::{Author, Correction, Deed, RequestCursor, RequestFilter, StoreError},
};

/// Requests looked at in one call, unless told.
const PAGE: usize = 500;

body! {
    /// Which requests to charge. Everything may be left out.
    struct RepriceBody {
        /// Begun then or later.
        from: Moment,
        /// Begun before.
        to: Moment,
        /// That were asked for this model.
        model: Model,
        /// That this provider answered.
        provider_id: RowId,
        /// Only say what would be charged.
        dry_run: bool,
        /// How many to look at in one call.
        limit: Whole<1, 500>,
        /// Where an earlier call has come to.
        cursor: RequestCursor,
        /// Why.
        note: Text,
    }
}

view! {
    /// What was done, or would be.
    #[derive(Serialize)]
    pub(super) struct Report {
        dry_run: bool,
        /// Requests that were looked at.
        seen: usize,
        /// Of those, the ones without a price, then and now.
        still_unpriced: usize,
        corrected: Vec<View>,
        /// The sum of all of them.
        amount_usd: Pico,
        /// To be passed as `cursor` to go on; none when there are no more.
        next_cursor: Option<String>,
    }
}

view! {
    /// One request that is charged.
    #[derive(Serialize)]
    pub(super) struct View {
        id: RequestId,
        model: Option<String>,
        amount_usd: Pico,
    }
}

/// What is asked for, read.
struct Wish {
    filter: RequestFilter,
    after: Option<RequestCursor>,
    limit: usize,
    dry_run: bool,
    note: String,
}

/// `POST /api/v1/requests/reprice`: charges requests that had no price, at the prices of now.
pub(super) async fn reprice(admin: Data<Admin>, Signed(by): Signed, Body(body): Body<RepriceBody>) -> Answer {
    let wish = Wish {
        filter: RequestFilter {
            from: body.from.value().map(|at| at.0),
            to: body.to.value().map(|at| at.0),
            model: body.model.value().map(|model| model.0),
            provider_id: body.provider_id.value().map(|id| ProviderId(id.0)),
            ..RequestFilter::default()
        },
        after: body.cursor.value(),
        limit: body.limit.map(|limit| limit.unsigned() as usize).or(PAGE),
        dry_run: body.dry_run.or(false),
        note: body.note.map(|text| text.0).or("repriced".to_owned()),
    };
    admin.settle_log().await;
    let done = undisturbed(admin.clone(), async move { charge(&admin, by, wish).await });
    Ok(HttpResponse::Ok().json(done.await?))
}

async fn charge(admin: &Admin, by: Author, wish: Wish) -> Result<Report, Problem> {
    let Wish { filter, after, limit, dry_run, note } = wish;
    let page = admin.store.requests(filter, after, limit).await?;
    let (seen, next_cursor) = (page.items.len(), page.next.map(|cursor| cursor.to_string()));
    let unpriced: Vec<Record> =
        page.items.into_iter().filter(|record| record.settlement == Settlement::Unpriced).collect();
    let had = admin.store.corrections(unpriced.iter().map(|record| record.id)).await?;
    let clock = admin.gateway.clock();
    let (prices, now) = (admin.current.prices(), clock.wall(clock.now()));
    let (mut corrections, mut corrected, mut still_unpriced) = (Vec::new(), Vec::new(), 0);
    for record in unpriced {
        let Some(cost) = cost(admin, &prices, &record, now) else {
            still_unpriced += 1;
            continue;
        };
        let had = had.get(&record.id).map(Vec::as_slice).unwrap_or_default();
        if let Some(correction) = Correction::to(&record, cost, had) {
            let amount_usd = correction.amount();
            corrected.push(View { id: record.id, model: record.model, amount_usd });
            corrections.push(correction);
        }
    }
    let amount_usd = corrected.iter().fold(Pico::ZERO, |sum, view| sum + view.amount_usd);
    if !dry_run && !corrections.is_empty() {
        post(admin, by, corrections, &note, amount_usd).await?;
    }
    Ok(Report { dry_run, seen, still_unpriced, corrected, amount_usd, next_cursor })
}

/// What a request costs at the prices of now; none where there is none. Of an answer without a price only
/// tokens were kept, so fees for pictures and searches are not in it.
fn cost(admin: &Admin, prices: &PriceList, record: &Record, now: DateTime<Utc>) -> Option<Pico> {
    let asked = Asked {
        provider: record.provider_id,
        asked: record.model.as_deref(),
        sent: record.upstream_model.as_deref(),
    };
    let card =
        record.provider_id.and_then(|id| admin.current.cards().iter().find(|card| card.id == id).cloned());
    let multiplier = card.map_or_else(Money::one, |card| card.cost_multiplier.clone());
    let charge = prices.quote(&asked, now)?.charge(&Consumed::tokens(record.metering.usage()), &multiplier);
    charge.cost.map(|cost| cost.to_pico())
}

async fn post(
    admin: &Admin,
    author: Author,
    corrections: Vec<Correction>,
    note: &str,
    amount: Pico,
) -> Result<(), Problem> {
    let accounts: BTreeSet<AccountId> =
        corrections.iter().flat_map(|correction| correction.accounts().iter().copied()).collect();
    let deed = Deed {
        author,
        action: "requests.reprice",
        subject: format!("{} requests", corrections.len()),
        before: None,
        after: Some(json!({"requests": corrections.len(), "amount_usd": amount, "note": note})),
    };
    admin.store.correct(corrections, note, deed).await.map_err(|error| match error {
        StoreError::Conflict { .. } => {
            Problem::new(Code::Conflict, "one of these requests was corrected meanwhile; ask again")
        }
        other => other.into(),
    })?;
    for account in accounts {
        if let Some(subject) = subject(account) {
            admin.gateway.recheck(&subject).await?;
        }
    }
    Ok(())
}

/// Whose book an account stands in; that of a key is its user's, who is told anyway.
fn subject(account: AccountId) -> Option<Subject> {
    match account {
        AccountId::User(user) => Some(Subject::User(user, Arc::default())),
        AccountId::Key(_) => None,
        AccountId::Provider(provider) => Some(Subject::Provider(provider)),
    }
}
