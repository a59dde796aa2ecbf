//! Providers, as the predecessor's scripts know them: with underscores, and limits on the first level.

use serde_json::{Map, Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    failure::Failure,
    fields::{Field, How, field, inward, named, outward},
};

const PROVIDER: &[Field] = &[
    field("name", "name", How::Same),
    field("url", "base_url", How::Same),
    field("provider_type", "kind", How::Same),
    field("is_enabled", "enabled", How::Same),
    field("weight", "weight", How::Same),
    field("priority", "priority", How::Same),
    field("cost_multiplier", "cost_multiplier", How::Decimal),
    field("group_tag", "groups", How::Names),
    field("model_redirects", "model_redirects", How::Same),
    field("allowed_models", "allowed_models", How::Same),
    field("allowed_clients", "allowed_clients", How::Same),
    field("blocked_clients", "blocked_clients", How::Same),
    field("active_time_start", "schedule.from", How::Same),
    field("active_time_end", "schedule.to", How::Same),
    field("limit_5h_usd", "limits.usd_5h", How::Bound),
    field("limit_5h_reset_mode", "limits.five_hours_reset", How::Same),
    field("limit_daily_usd", "limits.usd_daily", How::Bound),
    field("daily_reset_mode", "limits.daily_reset.mode", How::Same),
    field("daily_reset_time", "limits.daily_reset.at", How::Same),
    field("limit_weekly_usd", "limits.usd_weekly", How::Bound),
    field("limit_monthly_usd", "limits.usd_monthly", How::Bound),
    field("limit_total_usd", "limits.usd_total", How::Bound),
    field("limit_concurrent_sessions", "limits.concurrency", How::Bound),
    field("circuit_breaker_failure_threshold", "breaker.failure_threshold", How::Bound),
    field("circuit_breaker_open_duration", "breaker.open_ms", How::Bound),
    field("circuit_breaker_half_open_success_threshold", "breaker.half_open_successes", How::Bound),
    field("first_byte_timeout_streaming_ms", "timeouts.first_byte_ms", How::Bound),
    field("streaming_idle_timeout_ms", "timeouts.idle_ms", How::Bound),
    field("request_timeout_non_streaming_ms", "timeouts.total_ms", How::Bound),
];

/// The credential goes in under this name, and never comes out.
const KEY: Field = field("key", "credential", How::Same);

/// `providers/getProviders`.
pub(super) async fn list(desk: &Desk, _: Arguments) -> Done {
    Ok(desk.all("/providers").await?.iter().map(shown).collect())
}

/// `providers/addProvider`. The kinds have the same names; without one it is `claude`, as it was.
pub(super) async fn add(desk: &Desk, mut arguments: Arguments) -> Done {
    arguments.0.entry("provider_type").or_insert_with(|| "claude".into());
    let body = taken(&mut arguments.0)?;
    let made = desk.post("/providers", &body).await.map_err(|failure| named(PROVIDER, failure))?;
    Ok(shown(&made))
}

/// `providers/editProvider`: what is given changes.
pub(super) async fn edit(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("providerId")?;
    let body = taken(&mut arguments.0)?;
    let provider = desk.patch(&format!("/providers/{id}"), &body).await;
    Ok(shown(&provider.map_err(|failure| named(PROVIDER, failure))?))
}

/// `providers/removeProvider`.
pub(super) async fn remove(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("providerId")?;
    desk.delete(&format!("/providers/{id}")).await
}

/// `providers/resetProviderCircuit`: requests flow again at once.
pub(super) async fn reset_breaker(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("providerId")?;
    desk.post(&format!("/providers/{id}/breaker"), &json!({"state": "closed"})).await.map(|_| Value::Null)
}

/// `providers/getProvidersHealthStatus`: the breakers, by the number of their provider.
pub(super) async fn health(desk: &Desk, _: Arguments) -> Done {
    let (providers, actors) = (desk.all("/providers").await?, desk.get("/actors").await?);
    let actors = actors["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let breaker = |provider: &Value| {
        let detail = actors.iter().map(|actor| &actor["detail"]);
        let breaker = &detail.into_iter().find(|detail| detail["provider_id"] == provider["id"])?["breaker"];
        let state = breaker["state"].as_str().unwrap_or("closed").replace('_', "-");
        let health = json!({
            "circuitState": state,
            "failureCount": breaker["failures_in_a_row"].as_u64().unwrap_or(0),
            "circuitOpenUntil": breaker["until"],
        });
        Some((provider["id"].to_string(), health))
    };
    Ok(Value::Object(providers.iter().filter_map(breaker).collect()))
}

fn taken(given: &mut Map<String, Value>) -> Result<Value, Failure> {
    let mut body = inward(PROVIDER, given)?;
    if let Some(credential) = inward(&[KEY], given)?.get("credential") {
        body["credential"] = credential.clone();
    }
    Ok(body)
}

fn shown(provider: &Value) -> Value {
    let mut shown = Value::Object(outward(PROVIDER, provider));
    shown["id"] = provider["id"].clone();
    shown["maskedKey"] = provider["credential_hint"].clone();
    shown["createdAt"] = provider["created_at"].clone();
    shown["updatedAt"] = provider["updated_at"].clone();
    shown
}
