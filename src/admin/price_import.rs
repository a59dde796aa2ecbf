//! `POST /api/v1/prices/import`: a price list in the form LiteLLM keeps, which others have adopted: an
//! object with a member per model, prices in dollars per single token.
//!
//! Each price is multiplied by a million, digit by digit; one that cannot be kept exactly is refused and
//! told, not rounded (I-06). Models without token prices are skipped. What an operator typed goes on
//! counting. With `?dry_run=true` the answer is the same and nothing is stored.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpRequest, HttpResponse, web};
use actors::{money::Money, pricing::Price};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Admin, Answer, Topic, body, change,
    error::Problem,
    prices::{MAX_USD_PER_MTOK, completed},
    query::Query,
    values::{bounded, check_model},
};
use crate::store::{PriceSource, Store};

/// The largest list.
const MAX_BYTES: usize = 16 << 20;
/// The one entry of LiteLLM's own list that is not a model but explains the members.
const EXPLANATION: &str = "sample_spec";

/// The members of an entry that are read. Each is kept as it was written.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    input_cost_per_token: Option<&'a RawValue>,
    output_cost_per_token: Option<&'a RawValue>,
    cache_creation_input_token_cost: Option<&'a RawValue>,
    cache_creation_input_token_cost_above_1hr: Option<&'a RawValue>,
    cache_read_input_token_cost: Option<&'a RawValue>,
}

/// What an import does, or would do.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    counts: Counts,
    /// Models that had no imported price.
    added: Vec<Added>,
    /// Models whose imported price changes.
    changed: Vec<Changed>,
    /// Models of which an operator typed a price, which goes on counting.
    overruled: Vec<String>,
    /// Entries that cannot be taken as they are.
    refused: Vec<Refused>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    added: usize,
    changed: usize,
    unchanged: usize,
    without_price: usize,
    refused: usize,
}

#[derive(Debug, Serialize)]
struct Added {
    model: String,
    price: Price,
}

#[derive(Debug, Serialize)]
struct Changed {
    model: String,
    before: Price,
    after: Price,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refused {
    model: String,
    field: &'static str,
    message: String,
}

/// What a list says.
#[derive(Debug, Default)]
struct PriceFile {
    prices: BTreeMap<String, Price>,
    without_price: usize,
    refused: Vec<Refused>,
}

/// The handler.
pub(super) async fn import(
    admin: web::Data<Admin>,
    request: HttpRequest,
    mut query: Query,
    payload: web::Payload,
) -> Answer {
    let dry_run = query.take("dry_run", "true or false").unwrap_or(false);
    query.finish()?;
    let bytes = body::receive(&request, payload.into_inner(), MAX_BYTES).await?;
    // A list has megabytes, and other requests run on this thread.
    let file = web::block(move || read(&bytes)).await.map_err(Problem::internal)??;
    let store = admin.store.clone();
    let report = if dry_run {
        compare(&store, file).await?
    } else {
        change(admin, Topic::Prices, async move {
            let report = compare(&store, file).await?;
            store.put_prices(PriceSource::Imported, Utc::now(), report.news()).await?;
            Ok(report)
        })
        .await?
    };
    Ok(HttpResponse::Ok().json(Report { dry_run, ..report }))
}

/// Reads a list.
fn read(bytes: &[u8]) -> Result<PriceFile, Problem> {
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
            Err((field, message)) => file.refuse(&model, field, message),
        }
    }
    Ok(file)
}

impl PriceFile {
    fn refuse(&mut self, model: &str, field: &'static str, message: impl Into<String>) {
        self.refused.push(Refused { model: model.to_owned(), field, message: message.into() });
    }
}

/// The price in one entry; none where it has none.
fn price(model: &str, raw: &RawValue) -> Result<Option<Price>, (&'static str, String)> {
    let Ok(entry) = serde_json::from_str::<Entry<'_>>(raw.get()) else {
        return Err(("model", "must be an object, each member once".to_owned()));
    };
    let (Some(input), Some(output)) = (entry.input_cost_per_token, entry.output_cost_per_token) else {
        return Ok(None);
    };
    check_model(model).map_err(|problem| ("model", problem.to_string()))?;
    let read = |raw: &RawValue, field| per_mtok(raw).map_err(|message| (field, message));
    let maybe = |raw: Option<&RawValue>, field| raw.map(|raw| read(raw, field)).transpose();
    Ok(Some(completed(
        read(input, "input_cost_per_token")?,
        read(output, "output_cost_per_token")?,
        maybe(entry.cache_creation_input_token_cost, "cache_creation_input_token_cost")?,
        maybe(entry.cache_creation_input_token_cost_above_1hr, "cache_creation_input_token_cost_above_1hr")?,
        maybe(entry.cache_read_input_token_cost, "cache_read_input_token_cost")?,
    )))
}

/// A price per token, as written, to one per million.
fn per_mtok(raw: &RawValue) -> Result<Money, String> {
    let text = raw.get().trim_matches('"');
    let per_token = Money::parse(text).map_err(|error| error.to_string())?;
    bounded(per_token.times(1_000_000), MAX_USD_PER_MTOK)
}

/// What in a list is new.
async fn compare(store: &Store, file: PriceFile) -> Result<Report, Problem> {
    let in_force = store.price_table(Utc::now()).await?;
    let mut imported = HashMap::new();
    let mut overruled = Vec::new();
    for row in in_force.into_iter().filter(|row| file.prices.contains_key(&row.model)) {
        match row.source {
            PriceSource::Imported => drop(imported.insert(row.model, row.price)),
            PriceSource::Builtin => {}
            PriceSource::Manual => {
                let earlier = store.price_history(&row.model).await?;
                let earlier = earlier.into_iter().find(|row| row.source == PriceSource::Imported);
                imported.extend(earlier.map(|row| (row.model, row.price)));
                overruled.push(row.model);
            }
        }
    }
    let mut counts =
        Counts { without_price: file.without_price, refused: file.refused.len(), ..Counts::default() };
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for (model, price) in file.prices {
        match imported.remove(&model) {
            None => added.push(Added { model, price }),
            Some(before) if before != price => changed.push(Changed { model, before, after: price }),
            Some(_) => counts.unchanged += 1,
        }
    }
    (counts.added, counts.changed) = (added.len(), changed.len());
    Ok(Report { dry_run: true, counts, added, changed, overruled, refused: file.refused })
}

impl Report {
    /// What is to be stored.
    fn news(&self) -> Vec<(String, Price)> {
        let added = self.added.iter().map(|new| (new.model.clone(), new.price.clone()));
        added.chain(self.changed.iter().map(|new| (new.model.clone(), new.after.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i06_a_price_per_token_becomes_one_per_million_digit_by_digit() {
        let file = read(
            br#"{
                "sample_spec": {"input_cost_per_token": 0, "output_cost_per_token": 0},
                "a": {"input_cost_per_token": 3e-06, "output_cost_per_token": 0.000015,
                      "cache_creation_input_token_cost": "3.75e-06", "cache_read_input_token_cost": 3E-7,
                      "litellm_provider": "anthropic", "max_tokens": 8192},
                "b": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
                      "cache_creation_input_token_cost_above_1hr": 6e-06},
                "images": {"input_cost_per_image": 0.02}
            }"#,
        )
        .unwrap();
        let shown = |model: &str| serde_json::to_string(&file.prices[model]).unwrap();
        assert_eq!(
            shown("a"),
            r#"{"input_usd_per_mtok":"3","output_usd_per_mtok":"15","cache_write_5m_usd_per_mtok":"3.75","cache_write_1h_usd_per_mtok":"3.75","cache_read_usd_per_mtok":"0.3"}"#
        );
        assert_eq!(
            shown("b"),
            r#"{"input_usd_per_mtok":"1.25","output_usd_per_mtok":"10","cache_write_5m_usd_per_mtok":"1.25","cache_write_1h_usd_per_mtok":"6","cache_read_usd_per_mtok":"1.25"}"#
        );
        assert_eq!((file.prices.len(), file.without_price, file.refused.len()), (2, 1, 0));
    }

    #[test]
    fn i06_what_cannot_be_kept_exactly_is_told_and_not_rounded() {
        let refused = |entry: &str| {
            let file = read(format!(r#"{{"m": {entry}}}"#).as_bytes()).unwrap();
            assert!(file.prices.is_empty(), "{entry}");
            let Refused { field, message, .. } = file.refused.into_iter().next().unwrap();
            format!("{field}: {message}")
        };
        for (input, told) in [
            ("8.000000000000001e-19", "has more than 12 digits after the point"),
            ("-1e-06", "must not be negative"),
            ("1e50000000", "too many digits or too large an exponent"),
            ("1.1", "must be at most 1000000"),
            ("\"free\"", "not a decimal number"),
        ] {
            let entry = format!(r#"{{"input_cost_per_token": {input}, "output_cost_per_token": 0}}"#);
            assert_eq!(refused(&entry), format!("input_cost_per_token: {told}"));
        }
        assert_eq!(refused("7"), "model: must be an object, each member once");
    }

    #[test]
    fn a_model_that_stands_twice_counts_as_it_stood_first() {
        let entry =
            |price| format!(r#""m": {{"input_cost_per_token": {price}, "output_cost_per_token": 0}}"#);
        let file = read(format!("{{{},{}}}", entry("1e-6"), entry("2e-6")).as_bytes()).unwrap();
        assert_eq!(file.prices["m"].input_usd_per_mtok.to_string(), "1");
        assert_eq!(file.refused[0].field, "model");
    }
}
