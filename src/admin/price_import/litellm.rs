//! LiteLLM's price list: an object with a member per model, prices in dollars per single token.
//!
//! Each price is multiplied by a million, digit by digit; one that cannot be kept exactly is refused and
//! told, not rounded (I-06). Models without token prices are skipped.
//!
//! A member's name says what it is the price of: one of [`KINDS`], then the length of input from which on
//! (`_above_200k_tokens`), then the service (`_priority`, `_flex`). What a tier leaves out it has from the
//! usual rates. Where long input has rates of its own and a service has none for it, the dearer of the two
//! counts: the list does not say which, and the difference must not be given away.

use std::{borrow::Cow, collections::BTreeMap};

use crate::admin::schema::view;
use actors::{
    money::Money,
    pricing::{Price, Rates, Service, Terms, Tier},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::admin::{
    body::{self, Members},
    error::{Code, Problem},
    prices::{MAX_FEE_USD, MAX_TIERS, MAX_USD_PER_MTOK},
    values::{bounded, check_model},
};

/// The one entry of LiteLLM's own list that is not a model but explains the members.
const EXPLANATION: &str = "sample_spec";

/// What tokens can be, in the order of [`Partial`].
const KINDS: [&str; 5] = [
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "cache_read_input_token_cost",
];

/// Rates as far as they were told, in the order of [`KINDS`].
type Partial = [Option<Money>; 5];

/// What a list says.
#[derive(Debug, Default)]
pub(super) struct PriceFile {
    pub(super) prices: BTreeMap<String, Price>,
    pub(super) without_price: usize,
    pub(super) refused: Vec<Refused>,
}

view! {
    /// An entry that cannot be taken as it is.
    #[derive(Debug, PartialEq, Eq, Serialize)]
    pub(super) struct Refused {
        pub(super) model: String,
        pub(super) field: String,
        pub(super) message: String,
    }
}

/// What is wrong with an entry: the member, and the words for it.
type Wrong = (String, String);

/// Reads a list.
pub(super) fn read(bytes: &[u8]) -> Result<PriceFile, Problem> {
    let mut file = PriceFile::default();
    for (model, raw) in body::members(bytes)?.into_iter() {
        if model == EXPLANATION {
            continue;
        }
        match price(&model, raw) {
            Ok(None) => file.without_price += 1,
            Ok(Some(price)) if !file.prices.contains_key(&*model) => {
                file.prices.insert(model.into_owned(), price);
            }
            Ok(Some(_)) => file.refuse(&model, "model", "stands in the list more than once"),
            Err((field, message)) => file.refuse(&model, &field, &message),
        }
    }
    if file.prices.is_empty() && file.refused.is_empty() {
        // Members that were renamed look like this.
        return Err(Problem::new(Code::Invalid, "the list holds no price that could be read"));
    }
    Ok(file)
}

impl PriceFile {
    fn refuse(&mut self, model: &str, field: &str, message: &str) {
        let (model, field, message) = (model.to_owned(), field.to_owned(), message.to_owned());
        self.refused.push(Refused { model, field, message });
    }
}

/// The price in one entry; none where it has none.
fn price(model: &str, raw: &RawValue) -> Result<Option<Price>, Wrong> {
    let not_an_object = || ("model".to_owned(), "must be an object, each member once".to_owned());
    let members: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| not_an_object())?;
    let mut told: Vec<(Cow<'_, str>, &RawValue)> = members.into_iter().collect();
    told.sort_by(|(a, _), (b, _)| a.cmp(b));
    if told.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(not_an_object());
    }
    told.retain(|(_, raw)| raw.get() != "null");
    let has = |name: &str| told.iter().any(|(told, _)| told == name);
    if !has(KINDS[0]) || !has(KINDS[1]) {
        return Ok(None);
    }
    check_model(model).map_err(|problem| ("model".to_owned(), problem.to_string()))?;
    let mut rates: BTreeMap<(Service, u64), Partial> = BTreeMap::new();
    let mut terms = Terms::default();
    for (name, raw) in told {
        let wrong = |message| (name.clone().into_owned(), message);
        if let Some((kind, service, above)) = place(&name) {
            let told = &mut rates.entry((service, above)).or_default()[kind];
            if told.replace(per_mtok(raw).map_err(wrong)?).is_some() {
                return Err(wrong("is told in two ways".to_owned()));
            }
            continue;
        }
        match &*name {
            "input_cost_per_request" => terms.per_request_usd = fee(raw).map_err(wrong)?,
            "output_cost_per_image" => terms.per_image_usd = fee(raw).map_err(wrong)?,
            "search_context_cost_per_query" => terms.per_web_search_usd = search_fee(raw).map_err(wrong)?,
            "max_output_tokens" => terms.max_output_tokens = serde_json::from_str(raw.get()).ok(),
            _ => {}
        }
    }
    let usual = rates.remove(&(Service::Standard, 0)).unwrap_or_default();
    terms.tiers = tiers(&usual, rates);
    if terms.tiers.len() > MAX_TIERS {
        return Err(("model".to_owned(), format!("must have at most {MAX_TIERS} tiers")));
    }
    Ok(Some(Price { rates: completed(usual), terms }))
}

/// What a member is the price of: the kind of token, the service, the length of input.
fn place(name: &str) -> Option<(usize, Service, u64)> {
    let (name, service) = match (name.strip_suffix("_priority"), name.strip_suffix("_flex")) {
        (Some(name), _) => (name, Service::Priority),
        (_, Some(name)) => (name, Service::Flex),
        (None, None) => (name, Service::Standard),
    };
    let (name, above) = match name.strip_suffix("_tokens").and_then(|name| name.rsplit_once("_above_")) {
        Some((name, length)) => (name, tokens(length)?),
        None => (name, 0),
    };
    let kind = KINDS.iter().position(|kind| *kind == name)?;
    Some((kind, service, above))
}

/// A length such as `200k` or `1m`.
fn tokens(length: &str) -> Option<u64> {
    let (digits, unit) = match (length.strip_suffix('k'), length.strip_suffix('m')) {
        (Some(digits), _) => (digits, 1_000),
        (_, Some(digits)) => (digits, 1_000_000),
        (None, None) => (length, 1),
    };
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(unit).filter(|count| (1..=1_000_000_000).contains(count))
}

/// The tiers, each with what it leaves out, and those that the list leaves open.
fn tiers(usual: &Partial, told: BTreeMap<(Service, u64), Partial>) -> Vec<Tier> {
    let mut rates: BTreeMap<(Service, u64), Rates> = BTreeMap::new();
    for (place, mut partial) in told {
        for (own, usual) in partial.iter_mut().zip(usual) {
            *own = own.take().or_else(|| usual.clone());
        }
        rates.insert(place, completed(partial));
    }
    let long = rates.iter().filter(|((service, _), _)| *service == Service::Standard);
    let long: Vec<(u64, Rates)> = long.map(|((_, above), rates)| (*above, rates.clone())).collect();
    for service in [Service::Priority, Service::Flex] {
        let Some(any) = rates.get(&(service, 0)).cloned() else { continue };
        for (above, long) in &long {
            rates.entry((service, *above)).or_insert_with(|| dearer(&any, long));
        }
    }
    let tier = |((service, above_input_tokens), rates)| Tier { service, above_input_tokens, rates };
    rates.into_iter().map(tier).collect()
}

fn completed([input, output, write_5m, write_1h, read]: Partial) -> Rates {
    Rates::completed(input.unwrap_or_default(), output.unwrap_or_default(), write_5m, write_1h, read)
}

fn dearer(one: &Rates, other: &Rates) -> Rates {
    let max = |of: fn(&Rates) -> &Money| of(one).max(of(other)).clone();
    Rates {
        input_usd_per_mtok: max(|rates| &rates.input_usd_per_mtok),
        output_usd_per_mtok: max(|rates| &rates.output_usd_per_mtok),
        cache_write_5m_usd_per_mtok: max(|rates| &rates.cache_write_5m_usd_per_mtok),
        cache_write_1h_usd_per_mtok: max(|rates| &rates.cache_write_1h_usd_per_mtok),
        cache_read_usd_per_mtok: max(|rates| &rates.cache_read_usd_per_mtok),
    }
}

/// A price per token, as written, to one per million.
fn per_mtok(raw: &RawValue) -> Result<Money, String> {
    bounded(amount(raw)?.times(1_000_000), MAX_USD_PER_MTOK)
}

fn fee(raw: &RawValue) -> Result<Money, String> {
    bounded(amount(raw)?, MAX_FEE_USD)
}

/// A search costs by how much is looked at; answers don't tell, and the middle is what is usual.
fn search_fee(raw: &RawValue) -> Result<Money, String> {
    let sizes: BTreeMap<String, &RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| "must be an object".to_owned())?;
    sizes.get("search_context_size_medium").map_or_else(|| Ok(Money::zero()), |raw| fee(raw))
}

fn amount(raw: &RawValue) -> Result<Money, String> {
    Money::parse(raw.get().trim_matches('"')).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
