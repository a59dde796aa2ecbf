//! Users, as the predecessor's scripts know them. Making one makes a first key as well.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    fields::{Field, How, field, inward, named, outward},
    keys, with,
};

/// The members of a user.
pub(super) const USER: &[Field] = &[
    field("name", "name", How::Same),
    field("role", "role", How::Same),
    field("providerGroup", "groups", How::Names),
    field("tags", "tags", How::Same),
    field("rpm", "limits.rpm", How::Bound),
    field("dailyQuota", "limits.usd_daily", How::Bound),
    field("limit5hUsd", "limits.usd_5h", How::Bound),
    field("limit5hResetMode", "limits.five_hours_reset", How::Same),
    field("limitWeeklyUsd", "limits.usd_weekly", How::Bound),
    field("limitMonthlyUsd", "limits.usd_monthly", How::Bound),
    field("limitTotalUsd", "limits.usd_total", How::Bound),
    field("limitConcurrentSessions", "limits.sessions", How::Bound),
    field("dailyResetMode", "limits.daily_reset.mode", How::Same),
    field("dailyResetTime", "limits.daily_reset.at", How::Same),
    field("isEnabled", "enabled", How::Same),
    field("expiresAt", "expires_at", How::Time),
];

/// `users/getUsers`, `users/searchUsers`: with their keys. Somebody who is no operator sees itself.
pub(super) async fn list(desk: &Desk, mut arguments: Arguments) -> Done {
    let words = arguments.any_text(&["searchTerm", "query", "keyword"]);
    let limit = arguments.count("limit", usize::MAX, 5_000)?;
    let users = found(desk, words.as_deref()).await?;
    let mut shown = Vec::new();
    for user in users.iter().take(limit) {
        shown.push(whole(desk, user).await?);
    }
    Ok(Value::Array(shown))
}

/// `users/getUsersBatch`: the same, in pages.
pub(super) async fn batch(desk: &Desk, mut arguments: Arguments) -> Done {
    let words = arguments.any_text(&["searchTerm", "query", "keyword"]);
    let limit = arguments.count("limit", 50, 500)?;
    let after = arguments.maybe_id("cursor")?.and_then(|after| usize::try_from(after).ok()).unwrap_or(0);
    let users = found(desk, words.as_deref()).await?;
    let mut shown = Vec::new();
    for user in users.iter().skip(after).take(limit) {
        shown.push(whole(desk, user).await?);
    }
    let next = after + shown.len();
    let more = next < users.len();
    Ok(json!({"users": shown, "nextCursor": more.then_some(next), "hasMore": more}))
}

/// `users/addUser`: the user, and its first key, which is shown only here.
pub(super) async fn add(desk: &Desk, mut arguments: Arguments) -> Done {
    let body = inward(USER, &mut arguments.0)?;
    let user = desk.post("/users", &body).await.map_err(|failure| named(USER, failure))?;
    let key = json!({"name": "default", "web_login": true});
    let made = desk.post(&format!("/users/{}/keys", user["id"]), &key).await?;
    let key = json!({"id": made["id"], "name": made["name"], "key": made["key"]});
    Ok(json!({"user": shown(&user), "defaultKey": key}))
}

/// `users/editUser`: what is given changes.
pub(super) async fn edit(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("userId")?;
    let body = inward(USER, &mut arguments.0)?;
    let user = desk.patch(&format!("/users/{id}"), &body).await.map_err(|failure| named(USER, failure))?;
    Ok(shown(&user))
}

/// `users/removeUser`: with all its keys.
pub(super) async fn remove(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("userId")?;
    desk.delete(&format!("/users/{id}")).await
}

async fn found(desk: &Desk, words: Option<&str>) -> Result<Vec<Value>, super::Failure> {
    let users = desk.all("/users").await?;
    let Some(words) = words.map(str::to_lowercase) else { return Ok(users) };
    let holds = |value: &Value| value.as_str().is_some_and(|text| text.to_lowercase().contains(&words));
    let fits = |user: &Value| {
        holds(&user["name"]) || user["tags"].as_array().is_some_and(|tags| tags.iter().any(holds))
    };
    Ok(users.into_iter().filter(fits).collect())
}

async fn whole(desk: &Desk, user: &Value) -> Done {
    let keys = desk.all(&format!("/users/{}/keys", user["id"])).await?;
    Ok(with(shown(user), "keys", keys.iter().map(keys::shown).collect::<Value>()))
}

fn shown(user: &Value) -> Value {
    let mut shown = Value::Object(outward(USER, user));
    shown["id"] = user["id"].clone();
    shown["createdAt"] = user["created_at"].clone();
    shown["updatedAt"] = user["updated_at"].clone();
    shown
}
