//! Which requests are meant, what they came to, and what there is to choose from.

use std::{collections::HashMap, str::FromStr};

use actix_web::{HttpResponse, web::Data};
use actors::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
};
use protocol::{Format, Operation};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Admin, Answer, Principal, error::Problem, query::Query, schema::view, values};
use crate::store::{Facet, RequestClass, RequestFilter, Tally};

/// The most dollars that a request can be asked to have cost.
pub(super) const MOST_USD: u64 = 1_000_000;

/// An amount in a query.
struct Dollars(Pico);

impl FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        values::amount(text, MOST_USD).map(|amount| Self(amount.to_pico()))
    }
}

/// Takes out the parameters that say which requests are meant.
pub(super) fn take(query: &mut Query) -> RequestFilter {
    let id = "a number";
    RequestFilter {
        user_id: query.take("user_id", id).map(UserId),
        key_id: query.take("key_id", id).map(KeyId),
        provider_id: query.take("provider_id", id).map(ProviderId),
        model: query.take_text("model"),
        client: query.take_text("client"),
        status: query.take("status", "an HTTP status"),
        class: query.take("class", "ok, error or left"),
        not_status: query.take("not_status", "an HTTP status"),
        min_attempts: query.take("min_attempts", "a whole number"),
        format: query.take_named("wire_format", &Format::ALL, Format::name),
        operation: query.take_named("operation", &Operation::ALL, Operation::name),
        session: query.take_text("session"),
        from: query.take_moment("from"),
        to: query.take_moment("to"),
        min_cost: query.take("min_cost_usd", "an amount such as 0.25").map(|Dollars(amount)| amount),
    }
}

/// What a filter lets through, by the names of the parameters.
pub(super) fn told(filter: &RequestFilter) -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, what: Option<Value>| told.extend(what.map(|what| (name.to_owned(), what)));
    tell("user_id", filter.user_id.map(|id| json!(id)));
    tell("key_id", filter.key_id.map(|id| json!(id)));
    tell("provider_id", filter.provider_id.map(|id| json!(id)));
    tell("model", filter.model.as_ref().map(|model| json!(model)));
    tell("client", filter.client.as_ref().map(|client| json!(client)));
    tell("status", filter.status.map(|status| json!(status)));
    tell("not_status", filter.not_status.map(|status| json!(status)));
    tell("class", filter.class.map(|class| json!(class.name())));
    tell("wire_format", filter.format.map(|format| json!(format)));
    tell("operation", filter.operation.map(|operation| json!(operation)));
    tell("min_attempts", filter.min_attempts.map(|least| json!(least)));
    tell("session", filter.session.as_ref().map(|session| json!(session)));
    tell("from", filter.from.map(|from| json!(from)));
    tell("to", filter.to.map(|to| json!(to)));
    tell("min_cost_usd", filter.min_cost.map(|cost| json!(cost)));
    Value::Object(told)
}

/// Narrows a filter to what may be looked at; false where that is nothing.
pub(super) fn narrow(filter: &mut RequestFilter, me: &Principal) -> bool {
    let Some((user, key)) = me.narrow(filter.user_id, filter.key_id) else { return false };
    (filter.user_id, filter.key_id) = (user, key);
    true
}

view! {
    /// What requests came to.
    #[derive(Debug, Serialize)]
    pub(super) struct TotalsView {
        requests: i64,
        errors: i64,
        input_tokens: i64,
        cache_read_tokens: i64,
        cache_write_tokens: i64,
        output_tokens: i64,
        reasoning_tokens: i64,
        total_tokens: i64,
        cost_usd: Pico,
    }
}

impl From<Tally> for TotalsView {
    fn from(tally: Tally) -> Self {
        Self {
            requests: tally.requests,
            errors: tally.errors,
            input_tokens: tally.input_tokens,
            cache_read_tokens: tally.cache_read_tokens,
            cache_write_tokens: tally.cache_write_tokens,
            output_tokens: tally.output_tokens,
            reasoning_tokens: tally.reasoning_tokens,
            total_tokens: tally.tokens(),
            cost_usd: tally.cost,
        }
    }
}

/// `GET /api/v1/requests/totals`: of the requests that the same filters list.
pub(super) async fn totals(admin: Data<Admin>, me: Principal, mut query: Query) -> Answer {
    let mut filter = take(&mut query);
    query.finish()?;
    let total = if narrow(&mut filter, &me) {
        admin.settle_log().await;
        admin.store.request_totals(filter).await?
    } else {
        Tally::default()
    };
    Ok(HttpResponse::Ok().json(TotalsView::from(total)))
}

view! {
    /// What occurs in the log: what the filters can be set to.
    #[derive(Serialize)]
    pub(super) struct ChoicesView {
        users: Vec<NamedView>,
        keys: Vec<NamedView>,
        providers: Vec<NamedView>,
        models: Vec<String>,
        clients: Vec<String>,
        statuses: Vec<u16>,
        classes: Vec<&'static str>,
        /// Which formats and operations occur together.
        calls: Vec<CallView>,
    }
}

view! {
    /// What was asked of which API.
    #[derive(Serialize)]
    pub(super) struct CallView {
        format: Format,
        operation: Operation,
    }
}

view! {
    /// A user, a key or a provider.
    #[derive(Serialize)]
    pub(super) struct NamedView {
        id: i64,
        /// What it is called now; none when it is gone.
        name: Option<String>,
    }
}

/// `GET /api/v1/requests/filters`: of the whole log; to who may not look at all of it, of the own latest requests.
pub(super) async fn choices(admin: Data<Admin>, me: Principal) -> Answer {
    admin.settle_log().await;
    let choices = match me.scope() {
        (Some(user), key) => admin.store.request_choices_of(user, key).await?,
        (None, _) => admin.store.request_choices().await?,
    };
    Ok(HttpResponse::Ok().json(ChoicesView {
        users: named(&admin, Facet::User, choices.users).await?,
        keys: named(&admin, Facet::Key, choices.keys).await?,
        providers: named(&admin, Facet::Provider, choices.providers).await?,
        models: choices.models,
        clients: choices.clients,
        statuses: choices.statuses,
        classes: RequestClass::ALL.map(RequestClass::name).to_vec(),
        calls: choices.calls.into_iter().map(|(format, operation)| CallView { format, operation }).collect(),
    }))
}

async fn named(admin: &Admin, facet: Facet, ids: Vec<i64>) -> Result<Vec<NamedView>, Problem> {
    let mut names: HashMap<i64, String> = HashMap::new();
    // As many as a statement takes.
    for some in ids.chunks(500) {
        names.extend(admin.store.names(facet, some.to_vec()).await?);
    }
    Ok(ids.into_iter().map(|id| NamedView { id, name: names.remove(&id) }).collect())
}
