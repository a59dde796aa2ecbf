//! What operators did, as the predecessor's scripts know it.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    failure::Failure,
};

/// `audit-logs/getAuditLogsBatch`: newest first.
pub(super) async fn list(desk: &Desk, mut arguments: Arguments) -> Done {
    let limit = arguments.count("pageSize", 50, 500)?;
    let cursor = arguments.maybe_id("cursor")?.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let page = desk.get(&format!("/audit?limit={limit}{cursor}")).await?;
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (items, next) = (items.iter().map(shown).collect::<Value>(), &page["next_cursor"]);
    Ok(json!({"items": items, "nextCursor": next, "hasMore": !next.is_null()}))
}

/// `audit-logs/getAuditLogDetail`.
pub(super) async fn show(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("id")?;
    let entries = desk.all("/audit").await?;
    let entry = entries.iter().find(|entry| entry["id"] == id);
    entry.map(shown).ok_or_else(|| Failure::not_found("there is no such entry"))
}

fn shown(entry: &Value) -> Value {
    let action = entry["action"].as_str().unwrap_or_default();
    json!({
        "id": entry["id"],
        "actionCategory": action.split('.').next(),
        "actionType": action,
        "targetName": entry["subject"],
        "operatorUserName": entry["who"],
        "beforeValue": entry["before"],
        "afterValue": entry["after"],
        "createdAt": entry["at"],
    })
}
