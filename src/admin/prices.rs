//! Prices of models, in dollars per million tokens and per request, picture or search.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::pricing::{Price, Rates, Service, Terms, Tier};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Body, Flaws, Given, body},
    change,
    error::{FlawCode, Problem},
    query::{Listed as Page, Query},
    schema::view,
    values::{Amount, List, Moment, Whole, check_model},
};
use crate::{
    current::prices::Listed,
    store::{PriceRow, PriceSource},
};

/// The highest price per million tokens.
pub(super) const MAX_USD_PER_MTOK: u64 = 1_000_000;
/// The highest fee.
pub(super) const MAX_FEE_USD: u64 = 10_000;
/// The most tiers of one price.
pub(super) const MAX_TIERS: usize = 24;
/// How far a price may lie in the past and still count as of now: clocks differ.
const GRACE: TimeDelta = TimeDelta::minutes(1);

type Rate = Amount<MAX_USD_PER_MTOK>;
type Fee = Amount<MAX_FEE_USD>;

body! {
    /// What a model costs. Input and output must be given.
    struct PriceBody {
        /// From when on; now, if it is not said.
        effective_from: Moment,
        /// Input that no cache had a part in.
        input_usd_per_mtok: Rate = required,
        /// Output, reasoning included.
        output_usd_per_mtok: Rate = required,
        /// Input written to a cache of five minutes.
        cache_write_5m_usd_per_mtok: Rate,
        /// Input written to a cache of an hour.
        cache_write_1h_usd_per_mtok: Rate,
        /// Input read from a cache.
        cache_read_usd_per_mtok: Rate,
        /// Rates in place of these: for long input, for another service.
        tiers: List<TierBody, MAX_TIERS>,
        /// For each request that consumed anything.
        per_request_usd: Fee,
        /// For each picture made.
        per_image_usd: Fee,
        /// For each search made on the upstream's side.
        per_web_search_usd: Fee,
        /// The most output the model gives.
        max_output_tokens: Whole<1, 1_000_000_000>,
    }
}

body! {
    /// Rates that hold under a condition. Input and output must be given.
    struct TierBody {
        service: Service,
        above_input_tokens: Whole<0, 1_000_000_000>,
        input_usd_per_mtok: Rate = required,
        output_usd_per_mtok: Rate = required,
        cache_write_5m_usd_per_mtok: Rate,
        cache_write_1h_usd_per_mtok: Rate,
        cache_read_usd_per_mtok: Rate,
    }
}

/// The rates that these members name; input and output are required.
macro_rules! rates {
    ($body:ident, $flaws:expr, $within:expr) => {{
        let within: &str = $within;
        let input = $body.input_usd_per_mtok.required(&format!("{within}input_usd_per_mtok"), $flaws);
        let output = $body.output_usd_per_mtok.required(&format!("{within}output_usd_per_mtok"), $flaws);
        input.zip(output).map(|(Amount(input), Amount(output))| {
            let maybe = |rate: Given<Rate>| rate.map(|rate| Some(rate.0)).or(None);
            Rates::completed(
                input,
                output,
                maybe($body.cache_write_5m_usd_per_mtok),
                maybe($body.cache_write_1h_usd_per_mtok),
                maybe($body.cache_read_usd_per_mtok),
            )
        })
    }};
}

impl PriceBody {
    /// The price, and from when on it counts.
    pub(super) fn read(self, now: DateTime<Utc>) -> Result<(Price, DateTime<Utc>), Problem> {
        let mut flaws = Flaws::default();
        let effective_from = self.effective_from.map(|Moment(moment)| moment).or(now);
        if effective_from < now - GRACE {
            // What was consumed since then has been charged, and stays so.
            flaws.add("effective_from", FlawCode::OutOfRange, "must not be in the past");
        }
        let fee = |fee: Given<Fee>| fee.map(|fee| fee.0).or_default();
        let terms = Terms {
            tiers: tiers(self.tiers.map(|list| list.0).or_default(), &mut flaws),
            per_request_usd: fee(self.per_request_usd),
            per_image_usd: fee(self.per_image_usd),
            per_web_search_usd: fee(self.per_web_search_usd),
            max_output_tokens: self.max_output_tokens.map(|most| Some(most.unsigned().into())).or(None),
        };
        let rates = rates!(self, &mut flaws, "");
        flaws.check()?;
        let rates =
            rates.ok_or_else(|| Problem::internal("a required member is missing and was not told"))?;
        Ok((Price { rates, terms }, effective_from))
    }
}

fn tiers(bodies: Vec<TierBody>, flaws: &mut Flaws) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::with_capacity(bodies.len());
    for (at, body) in bodies.into_iter().enumerate() {
        let within = format!("tiers[{at}].");
        let service = body.service.or(Service::Standard);
        let above_input_tokens = body.above_input_tokens.map(Whole::unsigned).or(0).into();
        let same = |tier: &Tier| (tier.service, tier.above_input_tokens) == (service, above_input_tokens);
        if (service, above_input_tokens) == (Service::Standard, 0) {
            flaws.add(&format!("tiers[{at}]"), FlawCode::Required, "must name a service or a threshold");
        } else if tiers.iter().any(same) {
            flaws.add(&format!("tiers[{at}]"), FlawCode::Repeated, "stands in the list more than once");
        }
        if let Some(rates) = rates!(body, flaws, &within) {
            tiers.push(Tier { service, above_input_tokens, rates });
        }
    }
    tiers
}

view! {
    /// A price as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        /// None for one that came with the program.
        id: Option<i64>,
        model: String,
        source: &'static str,
        effective_from: DateTime<Utc>,
        #[serde(flatten)]
        price: Price,
    }
}

impl From<PriceRow> for View {
    fn from(row: PriceRow) -> Self {
        let PriceRow { id, model, source, effective_from, price } = row;
        Self { id: Some(id), model, source: source.name(), effective_from, price }
    }
}

impl From<&Listed> for View {
    fn from(listed: &Listed) -> Self {
        Self {
            id: Some(listed.id()).filter(|id| *id != 0),
            model: listed.model.clone(),
            source: listed.origin.name(),
            effective_from: listed.effective_from,
            price: listed.price.clone(),
        }
    }
}

/// `PUT /api/v1/prices/{model}`: whatever was imported.
pub(super) async fn put(
    admin: Data<Admin>,
    Signed(by): Signed,
    request: HttpRequest,
    Body(body): Body<PriceBody>,
) -> Answer {
    let model = model(&request)?;
    let (price, effective_from) = body.read(Utc::now())?;
    let store = admin.store.signed(by);
    let write =
        async move { Ok(store.put_prices(PriceSource::Manual, effective_from, vec![(model, price)]).await?) };
    let row = change(admin, Topic::Prices, write).await?.pop();
    let row = row.ok_or_else(|| Problem::internal("no row came back for a price"))?;
    Ok(HttpResponse::Ok().json(View::from(row)))
}

/// `GET /api/v1/prices`: those in force, by model.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let after = query.take_text("cursor").unwrap_or_default();
    let source = query.take_text("source");
    let limit = query.take_limit();
    query.finish()?;
    if source.as_deref().is_some_and(|source| PriceSource::from_name(source).is_none()) {
        let message = "must be one of manual, imported, builtin";
        return Err(Problem::field("source", FlawCode::NotOneOf, message));
    }
    let prices = admin.current.prices();
    let mut listed = prices.table(Utc::now()).into_iter().filter(|listed| {
        listed.model > after && source.as_deref().is_none_or(|source| listed.origin.name() == source)
    });
    let page: Vec<_> = listed.by_ref().take(limit).map(|listed| View::from(&**listed)).collect();
    let next = listed.next().and(page.last()).map(|last| last.model.clone());
    Page::answer(page, next)
}

/// `GET /api/v1/prices/{model}`: every price the model had, has and will have, newest first.
pub(super) async fn show(admin: Data<Admin>, request: HttpRequest) -> Answer {
    let rows = admin.store.price_history(&model(&request)?).await?;
    Page::whole(rows.into_iter().map(View::from).collect())
}

/// `DELETE /api/v1/prices/{model}`: what an operator typed; an imported price counts again.
pub(super) async fn remove(admin: Data<Admin>, Signed(by): Signed, request: HttpRequest) -> Answer {
    let model = model(&request)?;
    let store = admin.store.signed(by);
    let write = async move { Ok(store.delete_prices(&model, PriceSource::Manual).await?) };
    change(admin, Topic::Prices, write).await?;
    Ok(HttpResponse::NoContent().finish())
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct UnpricedView {
        model: String,
        requests: u64,
    }
}

/// `GET /api/v1/prices/unpriced`: the models that were served without a price since the start (I-07).
pub(super) async fn unpriced(admin: Data<Admin>, query: Query) -> Answer {
    query.finish()?;
    let counts = admin.current.unpriced().counts().into_iter();
    Page::whole(counts.map(|(model, requests)| UnpricedView { model, requests }).collect())
}

/// The rest of the path is the model's name.
pub(super) fn model(request: &HttpRequest) -> Result<String, Problem> {
    let model = request.match_info().query("model");
    let model = percent_encoding::percent_decode_str(model).decode_utf8();
    let model = model.map_err(|_| Problem::not_found("model"))?.into_owned();
    check_model(&model).map(|()| model)
}
