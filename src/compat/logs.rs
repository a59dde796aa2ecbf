//! The request log, as the predecessor's scripts know it: numbered pages, and names with capitals.
//!
//! The log itself is paged by place and not by number. A numbered page is found by walking there, so only
//! the first ten thousand entries have numbers; a script that wants all of them takes `/api/v1/requests`.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    failure::Failure,
    fields::number,
};

/// Filters there and here.
const FILTERS: [(&str, &str); 8] = [
    ("userId", "user_id"),
    ("keyId", "key_id"),
    ("providerId", "provider_id"),
    ("startDate", "from"),
    ("endDate", "to"),
    ("model", "model"),
    ("statusCode", "status"),
    ("sessionId", "session"),
];
/// The last entry that a numbered page reaches.
const DEEPEST: usize = 10_000;
/// The longest page there.
const LONGEST_PAGE: usize = 100;

/// `usage-logs/getUsageLogs`, `my-usage/getMyUsageLogs`: a numbered page, newest first.
pub(super) async fn page(desk: &Desk, mut arguments: Arguments) -> Done {
    let size = arguments.count("pageSize", 50, LONGEST_PAGE)?;
    let page = arguments.count("page", 1, DEEPEST / size)?;
    let filters = filters(&mut arguments)?;
    let (mut cursor, mut items) = (None::<String>, Vec::new());
    let mut left = page;
    while left > 0 {
        let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let mut found = desk.get(&format!("/requests?limit={size}{filters}{after}")).await?;
        items = entries(&mut found);
        cursor = found["next_cursor"].as_str().map(str::to_owned);
        left -= 1;
        if cursor.is_none() {
            break;
        }
    }
    // A page behind the last one is empty.
    let logs: Vec<_> = if left == 0 { items.iter().map(shown).collect() } else { Vec::new() };
    let before = (page - 1) * size;
    let total = before + logs.len() + usize::from(cursor.is_some());
    Ok(json!({"logs": logs, "total": total, "hasMore": cursor.is_some(), "page": page, "pageSize": size}))
}

/// `my-usage/getMyUsageLogsBatch` and `…Full`: from a place on.
pub(super) async fn batch(desk: &Desk, mut arguments: Arguments) -> Done {
    let size = arguments.count("limit", 50, LONGEST_PAGE)?;
    let after = match arguments.0.remove("cursor") {
        Some(Value::String(cursor)) => Some(cursor),
        Some(Value::Object(place)) => place.get("id").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let filters = filters(&mut arguments)?;
    let after = after.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let mut found = desk.get(&format!("/requests?limit={size}{filters}{after}")).await?;
    let logs: Vec<_> = entries(&mut found).iter().map(shown).collect();
    let next = found["next_cursor"].as_str().map(|id| json!({"id": id}));
    Ok(json!({"logs": logs, "hasMore": next.is_some(), "nextCursor": next}))
}

fn filters(arguments: &mut Arguments) -> Result<String, Failure> {
    let mut query = Serializer::new(String::new());
    for (theirs, ours) in FILTERS {
        match arguments.0.remove(theirs) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => drop(query.append_pair(ours, &text)),
            Some(Value::Number(number)) => drop(query.append_pair(ours, &number.to_string())),
            Some(_) => {
                let text = format!("{theirs} must be a text or a number");
                return Err(Failure {
                    field: Some(theirs.to_owned()),
                    ..Failure::invalid("INVALID_TYPE", text)
                });
            }
        }
    }
    let query = query.finish();
    Ok(if query.is_empty() { query } else { format!("&{query}") })
}

fn entries(page: &mut Value) -> Vec<Value> {
    match page["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
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
