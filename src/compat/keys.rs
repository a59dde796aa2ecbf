//! Api keys, as the predecessor's scripts know them.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    fields::{Field, How, field, inward, named, outward},
};

const KEY: &[Field] = &[
    field("name", "name", How::Same),
    field("providerGroup", "groups", How::Names),
    field("canLoginWebUi", "web_login", How::Same),
    field("limit5hUsd", "limits.usd_5h", How::Bound),
    field("limit5hResetMode", "limits.five_hours_reset", How::Same),
    field("limitDailyUsd", "limits.usd_daily", How::Bound),
    field("dailyResetMode", "limits.daily_reset.mode", How::Same),
    field("dailyResetTime", "limits.daily_reset.at", How::Same),
    field("limitWeeklyUsd", "limits.usd_weekly", How::Bound),
    field("limitMonthlyUsd", "limits.usd_monthly", How::Bound),
    field("limitTotalUsd", "limits.usd_total", How::Bound),
    field("limitConcurrentSessions", "limits.sessions", How::Bound),
    field("isEnabled", "enabled", How::Same),
    field("expiresAt", "expires_at", How::Time),
];

/// `keys/getKeys`: those of a user.
pub(super) async fn list(desk: &Desk, mut arguments: Arguments) -> Done {
    let user = arguments.id("userId")?;
    Ok(desk.all(&format!("/users/{user}/keys")).await?.iter().map(shown).collect())
}

/// `keys/addKey`: the key itself is shown only here.
pub(super) async fn add(desk: &Desk, mut arguments: Arguments) -> Done {
    let user = arguments.id("userId")?;
    let body = inward(KEY, &mut arguments.0)?;
    let made = desk.post(&format!("/users/{user}/keys"), &body).await;
    let made = made.map_err(|failure| named(KEY, failure))?;
    Ok(json!({"id": made["id"], "name": made["name"], "generatedKey": made["key"]}))
}

/// `keys/editKey`: what is given changes.
pub(super) async fn edit(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("keyId")?;
    let body = inward(KEY, &mut arguments.0)?;
    let key = desk.patch(&format!("/keys/{id}"), &body).await.map_err(|failure| named(KEY, failure))?;
    Ok(shown(&key))
}

/// `keys/removeKey`.
pub(super) async fn remove(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("keyId")?;
    desk.delete(&format!("/keys/{id}")).await
}

/// A key, without itself.
pub(super) fn shown(key: &Value) -> Value {
    let text = |member: &str| key[member].as_str().unwrap_or_default();
    let mut shown = Value::Object(outward(KEY, key));
    shown["id"] = key["id"].clone();
    shown["userId"] = key["user_id"].clone();
    shown["maskedKey"] = format!("{}••••{}", text("prefix"), text("last_four")).into();
    shown["status"] = if key["enabled"] == true { "enabled" } else { "disabled" }.into();
    shown["createdAt"] = key["created_at"].clone();
    shown
}
