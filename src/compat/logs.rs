//! The request log, as the predecessor's scripts know it: numbered pages, and names with capitals.
//!
//! The log itself is paged by place and not by number. A numbered page is found by walking there, so only
//! the first ten thousand entries have numbers; a script that wants all of them takes `/api/v1/requests`.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    endpoints,
    failure::Failure,
    fields::number,
    mine,
};

/// The last entry that a numbered page reaches.
const DEEPEST: usize = 10_000;
/// The longest page there.
const LONGEST_PAGE: usize = 100;

/// `usage-logs/getUsageLogs`: a numbered page, newest first, and what all of it comes to.
pub(super) async fn page(desk: &Desk, mut arguments: Arguments) -> Done {
    let size = arguments.count("pageSize", 50, LONGEST_PAGE)?;
    let page = arguments.count("page", 1, DEEPEST / size)?;
    let filters = desk.log_filters(&mut arguments)?;
    let (mut cursor, mut found, mut left) = (None::<String>, Value::Null, page);
    while left > 0 {
        found = turn(desk, size, &filters, cursor.as_deref()).await?;
        cursor = found["next_cursor"].as_str().map(str::to_owned);
        left -= 1;
        if cursor.is_none() {
            break;
        }
    }
    // A page behind the last one is empty.
    let logs = if left == 0 { entries(desk, &found).await? } else { Vec::new() };
    let totals = desk.get(&format!("/requests/totals?{filters}")).await?;
    Ok(json!({
        "logs": logs,
        "total": totals["requests"],
        "hasMore": cursor.is_some(),
        "page": page,
        "pageSize": size,
        "summary": summary(&totals),
    }))
}

/// `my-usage/getMyUsageLogs`: the same of what is the caller's own.
pub(super) async fn own_page(desk: &Desk, arguments: Arguments) -> Done {
    page(desk, own(desk, arguments).await?).await
}

/// `my-usage/getMyUsageLogsBatch` and `…Full`: from a place on.
pub(super) async fn own_batch(desk: &Desk, arguments: Arguments) -> Done {
    let mut arguments = own(desk, arguments).await?;
    let size = arguments.count("limit", 50, LONGEST_PAGE)?;
    let after = match arguments.0.remove("cursor") {
        Some(Value::String(cursor)) => Some(cursor),
        Some(Value::Object(place)) => place.get("id").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let filters = desk.log_filters(&mut arguments)?;
    let found = turn(desk, size, &filters, after.as_deref()).await?;
    let logs = entries(desk, &found).await?;
    let next = found["next_cursor"].as_str().map(|id| json!({"id": id}));
    Ok(json!({"logs": logs, "hasMore": next.is_some(), "nextCursor": next}))
}

/// `usage-logs/getModelList`: models that occur in the log.
pub(super) async fn models(desk: &Desk, _: Arguments) -> Done {
    Ok(desk.get("/requests/filters").await?["models"].take())
}

/// `usage-logs/getStatusCodeList`: statuses that occur in its latest entries.
pub(super) async fn statuses(desk: &Desk, _: Arguments) -> Done {
    Ok(desk.get("/requests/filters").await?["statuses"].take())
}

/// What requests came to, by the names that stand beside pages of them.
pub(super) fn summary(totals: &Value) -> Value {
    json!({
        "totalRequests": totals["requests"],
        "totalCost": number(&totals["cost_usd"]),
        "totalTokens": totals["total_tokens"],
        "totalInputTokens": totals["input_tokens"],
        "totalOutputTokens": totals["output_tokens"],
        "totalCacheCreationTokens": totals["cache_write_tokens"],
        "totalCacheReadTokens": totals["cache_read_tokens"],
    })
}

/// What a user, a key or a provider is called now, as far as the caller may know.
pub(super) fn name(known: &Value, kind: &str, id: &Value) -> Option<String> {
    let named = known[kind].as_array()?.iter().find(|named| named["id"] == *id)?;
    named["name"].as_str().map(str::to_owned)
}

async fn own(desk: &Desk, mut arguments: Arguments) -> Result<Arguments, Failure> {
    let me = desk.get("/me").await?;
    let (name, id) = mine::whose(&me)?;
    for other in ["userId", "keyId"] {
        arguments.0.remove(other);
    }
    arguments.0.insert(name.to_owned(), id);
    Ok(arguments)
}

async fn turn(desk: &Desk, size: usize, filters: &str, after: Option<&str>) -> Done {
    let after = after.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let filters = if filters.is_empty() { String::new() } else { format!("&{filters}") };
    desk.get(&format!("/requests?limit={size}{filters}{after}")).await
}

/// The entries of a page, with names.
async fn entries(desk: &Desk, page: &Value) -> Result<Vec<Value>, Failure> {
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let known = desk.get("/requests/filters").await?;
    let entry = |request: &Value| {
        let mut shown = shown(request);
        shown["userName"] = name(&known, "users", &request["user_id"]).into();
        shown["keyName"] = name(&known, "keys", &request["key_id"]).into();
        shown["providerName"] = name(&known, "providers", &request["provider_id"]).into();
        shown
    };
    Ok(items.iter().map(entry).collect())
}

fn shown(request: &Value) -> Value {
    let usage = &request["usage"];
    let tokens = |member: &str| usage[member].as_u64().unwrap_or(0);
    let millis = |member: &str| request[member].as_u64().map(|micros| micros / 1_000);
    json!({
        "id": request["id"],
        "createdAt": request["started_at"],
        "sessionId": request["session"],
        "userId": request["user_id"],
        "keyId": request["key_id"],
        "providerId": request["provider_id"],
        "model": request["upstream_model"],
        "originalModel": request["model"],
        "apiType": request["format"],
        "endpoint": endpoints::path(&request["format"], &request["operation"], request["model"].as_str()),
        "statusCode": request["status"],
        "inputTokens": tokens("input_tokens"),
        "outputTokens": tokens("output_tokens"),
        "cacheCreation5mInputTokens": tokens("cache_write_5m_tokens"),
        "cacheCreation1hInputTokens": tokens("cache_write_1h_tokens"),
        "cacheCreationInputTokens": tokens("cache_write_5m_tokens") + tokens("cache_write_1h_tokens"),
        "cacheReadInputTokens": tokens("cache_read_tokens"),
        "costUsd": request["cost_usd"],
        "cost": number(&request["cost_usd"]),
        "durationMs": millis("duration_us"),
        "ttfbMs": millis("ttfb_us"),
        "retryCount": request["attempt_count"].as_u64().unwrap_or(1).saturating_sub(1),
        "errorMessage": request["error"]["message"],
        "userAgent": request["user_agent"],
        "clientIp": request["client_address"],
    })
}
