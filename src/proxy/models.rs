//! `GET /v1/models`: what a caller may ask for, in the dialect of whoever asks.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_TYPE};
use actors::{ids::RequestId, provider::card::Card, restrictions::CallerRules};
use protocol::{
    Format,
    models::{Model, list, list_dialect, one},
};

use super::{Proxy, caller, program, refusal::Refused};
use crate::current::prices::PriceList;

/// Answers with the list, or with one model of it.
pub(super) fn respond(proxy: &Proxy, request: &HttpRequest, wanted: Option<&str>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let dialect = list_dialect(&header);
    answer(proxy, request, dialect, wanted)
        .unwrap_or_else(|refused| refused.response(dialect, RequestId::new()))
}

fn answer(
    proxy: &Proxy,
    request: &HttpRequest,
    dialect: Format,
    wanted: Option<&str>,
) -> Result<HttpResponse, Refused> {
    let version = proxy.current.version();
    let keys = &version.keys;
    let caller = caller::identify(request.headers(), request.query_string(), keys, proxy.wall_now())?;
    let rules = caller.rules.as_deref();
    let closed = program::closed_to(request.headers(), &caller, &version)?;
    let open = version
        .cards
        .iter()
        .filter(|card| card.enabled && card.open_to(&caller.groups) && !closed.contains(&card.id));
    let names = names(open.map(AsRef::as_ref), &version.prices, rules, dialect);
    let models: Vec<_> =
        names.iter().map(|name| Model { id: name, created_unix: 0, owner: "pointsman" }).collect();
    let body = match wanted {
        None => list(dialect, &models),
        Some(wanted) => {
            let wanted = wanted.strip_prefix("models/").unwrap_or(wanted);
            let model = models.iter().find(|model| model.id == wanted);
            one(dialect, model.ok_or_else(|| Refused::NoSuchModel(wanted.to_owned()))?)
        }
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body))
}

/// The models that these providers offer in this dialect and the caller may ask for: those they name, and of those
/// that they take without naming, the ones with a price and the ones that the caller's rules name.
fn names<'a>(
    cards: impl Iterator<Item = &'a Card>,
    prices: &PriceList,
    rules: Option<&CallerRules>,
    dialect: Format,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for card in cards.filter(|card| card.formats.iter().any(|format| same_vendor(*format, dialect))) {
        let named = card.allowed_models.iter().filter(|model| !model.ends_with('*'));
        let redirected = card.model_redirects.keys().filter(|model| card.serves_model(model));
        names.extend(named.chain(redirected).cloned());
        let known = prices.models().chain(rules.into_iter().flat_map(CallerRules::named_models));
        let unnamed = known.filter(|model| card.serves_model(model) && sounds_like(model, dialect));
        names.extend(unnamed.map(str::to_owned));
    }
    names.retain(|model| rules.is_none_or(|rules| rules.admit_model(model).is_ok()));
    names
}

fn same_vendor(format: Format, dialect: Format) -> bool {
    let openai = |format| matches!(format, Format::OpenaiChat | Format::OpenaiResponses);
    format == dialect || (openai(format) && openai(dialect))
}

/// Whether a model's name is one of that vendor's. Chat Completions is everybody's format.
fn sounds_like(model: &str, dialect: Format) -> bool {
    match dialect {
        Format::Anthropic => model.starts_with("claude"),
        Format::Gemini => model.starts_with("gemini"),
        Format::OpenaiChat | Format::OpenaiResponses => {
            !model.starts_with("claude") && !model.starts_with("gemini")
        }
    }
}
