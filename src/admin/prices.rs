//! Prices of models, in dollars per million tokens.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::{money::Money, pricing::Price};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer, Topic,
    body::{Body, Flaws, body},
    change,
    error::Problem,
    query::{Listed, Query},
    values::{Amount, check_model},
};
use crate::store::{PriceRow, PriceSource};

/// The highest price per million tokens.
pub(super) const MAX_USD_PER_MTOK: u64 = 1_000_000;

body! {
    /// What a model costs. Input and output must be given.
    struct PriceBody {
        /// Input that no cache had a part in.
        input_usd_per_mtok: Amount<MAX_USD_PER_MTOK>,
        /// Output, reasoning included.
        output_usd_per_mtok: Amount<MAX_USD_PER_MTOK>,
        /// Input written to a cache of five minutes.
        cache_write_5m_usd_per_mtok: Amount<MAX_USD_PER_MTOK>,
        /// Input written to a cache of an hour.
        cache_write_1h_usd_per_mtok: Amount<MAX_USD_PER_MTOK>,
        /// Input read from a cache.
        cache_read_usd_per_mtok: Amount<MAX_USD_PER_MTOK>,
    }
}

/// A price as shown.
#[derive(Debug, Serialize)]
struct View {
    id: i64,
    model: String,
    source: &'static str,
    effective_from: DateTime<Utc>,
    #[serde(flatten)]
    price: Price,
}

impl From<PriceRow> for View {
    fn from(row: PriceRow) -> Self {
        let PriceRow { id, model, source, effective_from, price } = row;
        Self { id, model, source: source.name(), effective_from, price }
    }
}

/// A price of which some parts may be unknown. Tokens that went through a cache and have no price of their
/// own cost what tokens without a cache cost; those written for an hour, what those written for less do.
pub(super) fn completed(
    input: Money,
    output: Money,
    write_5m: Option<Money>,
    write_1h: Option<Money>,
    read: Option<Money>,
) -> Price {
    let write_5m = write_5m.unwrap_or_else(|| input.clone());
    Price {
        cache_write_1h_usd_per_mtok: write_1h.unwrap_or_else(|| write_5m.clone()),
        cache_write_5m_usd_per_mtok: write_5m,
        cache_read_usd_per_mtok: read.unwrap_or_else(|| input.clone()),
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
    }
}

/// `PUT /api/v1/prices/{model}`: from now on, whatever was imported.
pub(super) async fn put(admin: Data<Admin>, request: HttpRequest, Body(body): Body<PriceBody>) -> Answer {
    let model = model(&request)?;
    let mut flaws = Flaws::default();
    let input = body.input_usd_per_mtok.required("input_usd_per_mtok", &mut flaws);
    let output = body.output_usd_per_mtok.required("output_usd_per_mtok", &mut flaws);
    flaws.check()?;
    let (Some(Amount(input)), Some(Amount(output))) = (input, output) else {
        return Err(Problem::internal("a required member is missing and was not told"));
    };
    let price = completed(
        input,
        output,
        body.cache_write_5m_usd_per_mtok.map(|amount| Some(amount.0)).or(None),
        body.cache_write_1h_usd_per_mtok.map(|amount| Some(amount.0)).or(None),
        body.cache_read_usd_per_mtok.map(|amount| Some(amount.0)).or(None),
    );
    let store = admin.store.clone();
    let write =
        async move { Ok(store.put_prices(PriceSource::Manual, Utc::now(), vec![(model, price)]).await?) };
    let row = change(admin, Topic::Prices, write).await?.pop();
    let row = row.ok_or_else(|| Problem::internal("no row came back for a price"))?;
    Ok(HttpResponse::Ok().json(View::from(row)))
}

/// `GET /api/v1/prices`: those in force, by model.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let after = query.take_text("cursor").unwrap_or_default();
    let limit = query.take_limit();
    query.finish()?;
    let rows = admin.store.price_table(Utc::now()).await?;
    let mut rows = rows.into_iter().skip_while(|row| row.model <= after);
    let page: Vec<_> = rows.by_ref().take(limit).map(View::from).collect();
    let next = rows.next().and(page.last()).map(|last| last.model.clone());
    Listed::answer(page, next)
}

/// `DELETE /api/v1/prices/{model}`: what an operator typed; an imported price counts again.
pub(super) async fn remove(admin: Data<Admin>, request: HttpRequest) -> Answer {
    let model = model(&request)?;
    let store = admin.store.clone();
    let write = async move { Ok(store.delete_prices(&model, PriceSource::Manual).await?) };
    change(admin, Topic::Prices, write).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The rest of the path is the model's name.
fn model(request: &HttpRequest) -> Result<String, Problem> {
    let model = request.match_info().query("model");
    let model = percent_encoding::percent_decode_str(model).decode_utf8();
    let model = model.map_err(|_| Problem::not_found("model"))?.into_owned();
    check_model(&model).map(|()| model)
}
