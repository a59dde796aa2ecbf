//! What clients of Claude Relay Service read about their own key: `usage` and `key-info`.
//!
//! The key may stand wherever the data plane takes one. It then asks `/api/v1` for itself, so it is told what is
//! its own and nothing else. A no is worded as there.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, ServiceConfig, get, resource, route},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    days::written,
    desk::{Desk, Done},
    door::{Caller, Door},
    failure::Failure,
};
use crate::proxy::{self, NoCaller, Proxy};

/// What stands before `/usage` and `/key-info`.
const BASES: [&str; 6] = ["/v1", "/api/v1", "/claude/v1", "/openai/v1", "/openai", "/gemini"];

/// Mounts the paths. What is not asked with GET is the data plane's to refuse.
pub(super) fn configure(app: &mut ServiceConfig) {
    let elsewhere = || route().to(proxy::serve);
    for base in BASES {
        app.service(resource(format!("{base}/usage")).route(get().to(usage)).default_service(elsewhere()));
        app.service(
            resource(format!("{base}/key-info")).route(get().to(key_info)).default_service(elsewhere()),
        );
    }
}

/// `GET …/usage`.
async fn usage(request: HttpRequest, proxy: Data<Proxy>) -> HttpResponse {
    let shown = |_: &Value, usage| json!({"usage": usage, "limits": {"tokens": 0, "requests": 0}});
    answer(&request, &proxy, shown).await
}

/// `GET …/key-info`. There are no limits of tokens in a window here, and zero meant none.
async fn key_info(request: HttpRequest, proxy: Data<Proxy>) -> HttpResponse {
    let shown = |key: &Value, usage| {
        let id = key["id"].to_string();
        json!({"keyInfo": {"id": id, "name": key["name"], "tokenLimit": 0, "usage": usage}})
    };
    answer(&request, &proxy, shown).await
}

async fn answer(
    request: &HttpRequest,
    proxy: &Proxy,
    shown: impl FnOnce(&Value, Value) -> Value,
) -> HttpResponse {
    let secret = match proxy.api_key_of(request) {
        Ok(secret) => secret,
        Err(nobody) => {
            let error = if nobody == NoCaller::Missing { "Missing API key" } else { "Invalid API key" };
            return refused(StatusCode::UNAUTHORIZED, error, &nobody.to_string());
        }
    };
    match read(request, &secret).await {
        Ok((key, usage)) => {
            let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
            HttpResponse::Ok().json(super::with(shown(&key, usage), "timestamp", timestamp))
        }
        Err(failure) => refused(failure.status, "Internal server error", &failure.text),
    }
}

fn refused(status: StatusCode, error: &str, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error": error, "message": message}))
}

/// A key, and what it has used.
async fn read(request: &HttpRequest, secret: &str) -> Result<(Value, Value), Failure> {
    let door = request.app_data::<Door>().cloned().ok_or_else(Failure::internal)?;
    let caller = Caller::with_key(request, secret)?;
    let desk = Desk { door, caller };
    let key = desk.get("/me").await?["key"].take();
    let total = used(&desk, &key, None).await?;
    let daily = used(&desk, &key, Some(desk.day_began(0))).await?;
    let monthly = used(&desk, &key, Some(desk.month_began())).await?;
    let averages = averages(&key, &total, Utc::now());
    let usage = json!({"total": total, "daily": daily, "monthly": monthly, "averages": averages});
    Ok((key, usage))
}

async fn used(desk: &Desk, key: &Value, from: Option<DateTime<Utc>>) -> Done {
    let from = from.map(|from| format!("&from={}", written(from))).unwrap_or_default();
    let totals = desk.get(&format!("/requests/totals?key_id={}{from}", key["id"])).await?;
    let tokens = |member: &str| totals[member].as_u64().unwrap_or(0);
    Ok(json!({
        "requests": totals["requests"],
        "tokens": tokens("input_tokens") + tokens("output_tokens"),
        "inputTokens": totals["input_tokens"],
        "outputTokens": totals["output_tokens"],
        "cacheCreateTokens": totals["cache_write_tokens"],
        "cacheReadTokens": totals["cache_read_tokens"],
        "allTokens": totals["total_tokens"],
    }))
}

/// Per minute and per day since the key was made, of days that have begun.
fn averages(key: &Value, total: &Value, now: DateTime<Utc>) -> Value {
    let made = key["created_at"].as_str().and_then(|made| made.parse().ok()).unwrap_or(now);
    let days = f64::from(u32::try_from((now - made).num_days()).unwrap_or(0).saturating_add(1));
    let per =
        |member: &str, parts: f64| (total[member].as_f64().unwrap_or(0.0) / parts * 100.0).round() / 100.0;
    json!({
        "rpm": per("requests", days * 1_440.0),
        "tpm": per("tokens", days * 1_440.0),
        "dailyRequests": per("requests", days),
        "dailyTokens": per("tokens", days),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_of_the_days_that_have_begun() {
        let now = "2030-01-31T12:00:00Z".parse().unwrap();
        let total = json!({"requests": 288, "tokens": 28_800});
        let told = |made: &str| averages(&json!({"created_at": made}), &total, now);
        let first = json!({"rpm": 0.2, "tpm": 20.0, "dailyRequests": 288.0, "dailyTokens": 28_800.0});
        assert_eq!(told("2030-01-31T11:00:00Z"), first);
        let second = json!({"rpm": 0.1, "tpm": 10.0, "dailyRequests": 144.0, "dailyTokens": 14_400.0});
        assert_eq!(told("2030-01-30T11:59:59Z"), second);
    }
}
