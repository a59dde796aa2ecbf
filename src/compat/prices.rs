//! Prices, as the predecessor's scripts know them: dollars per token, in one table.

use actors::money::Money;
use bigdecimal::BigDecimal;
use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    failure::Failure,
};

/// Prices of a model there and here.
const PRICES: [(&str, &str); 5] = [
    ("input_cost_per_token", "input_usd_per_mtok"),
    ("output_cost_per_token", "output_usd_per_mtok"),
    ("cache_creation_input_token_cost", "cache_write_5m_usd_per_mtok"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_usd_per_mtok"),
    ("cache_read_input_token_cost", "cache_read_usd_per_mtok"),
];

/// `model-prices/getModelPrices`: those in force.
pub(super) async fn list(desk: &Desk, _: Arguments) -> Done {
    Ok(desk.all("/prices").await?.iter().map(shown).collect())
}

/// `model-prices/hasPriceTable`.
pub(super) async fn has_table(desk: &Desk, _: Arguments) -> Done {
    let first = desk.get("/prices?limit=1").await?;
    Ok(first["items"].as_array().is_some_and(|items| !items.is_empty()).into())
}

/// `model-prices/getAvailableModelsByProviderType`: models with a price, by name.
pub(super) async fn models(desk: &Desk, _: Arguments) -> Done {
    let prices = desk.all("/prices").await?;
    let mut names: Vec<_> = prices.iter().filter_map(|price| price["model"].as_str()).collect();
    names.sort_unstable();
    Ok(names.into())
}

/// `model-prices/uploadPriceTable`: LiteLLM's list, as text or as it is. What moves far needs the yes that
/// only `/api/v1/prices/import` takes.
pub(super) async fn upload(desk: &Desk, mut arguments: Arguments) -> Done {
    let table = match arguments.0.remove("jsonContent") {
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|error| {
            Failure::invalid("INVALID_FORMAT", format!("jsonContent is not JSON: {error}"))
        })?,
        Some(table @ Value::Object(_)) => table,
        _ => return Err(Failure::required("jsonContent")),
    };
    Ok(report(&desk.post("/prices/import", &table).await?))
}

/// `model-prices/syncLiteLLMPrices`: from the configured address.
pub(super) async fn synchronise(desk: &Desk, _: Arguments) -> Done {
    Ok(report(&desk.post("/prices/import/source", &json!({})).await?))
}

fn report(done: &Value) -> Value {
    let names = |member: &str| -> Value {
        let entries = done[member].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().map(|entry| entry["model"].clone()).collect()
    };
    let total = ["added", "changed", "unchanged"].iter().filter_map(|kind| done["counts"][kind].as_u64());
    json!({
        "added": names("added"),
        "updated": names("changed"),
        "failed": names("refused"),
        "unchanged": done["counts"]["unchanged"],
        "total": total.sum::<u64>(),
    })
}

fn shown(price: &Value) -> Value {
    let per_token = |ours: &str| {
        let dollars = Money::parse(price[ours].as_str()?).ok()?;
        let per_token = dollars.as_decimal() * BigDecimal::new(1.into(), 6);
        per_token.normalized().to_string().parse().ok().map(Value::Number)
    };
    let data = PRICES.map(|(theirs, ours)| (theirs.to_owned(), per_token(ours).unwrap_or(Value::Null)));
    json!({
        "modelName": price["model"],
        "source": price["source"],
        "priceData": Value::from_iter(data),
        "createdAt": price["effective_from"],
    })
}
