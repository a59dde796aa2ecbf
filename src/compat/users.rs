//! Users, as the predecessor's scripts know them. Making one makes a first key as well.

use std::collections::BTreeSet;

use actors::money::Money;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{
    arguments::Arguments,
    desk::{Desk, Done, sees_all},
    failure::Failure,
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
    field("allowedModels", "allowed_models", How::Same),
    field("allowedClients", "allowed_clients", How::Same),
    field("blockedClients", "blocked_clients", How::Same),
];

/// How users stand, there and here.
const STATUSES: [(&str, &[(&str, &str)]); 6] = [
    ("all", &[]),
    ("active", &[("status", "active")]),
    ("expired", &[("status", "expired")]),
    ("expiringSoon", &[("status", "expiring")]),
    ("enabled", &[("enabled", "true")]),
    ("disabled", &[("enabled", "false")]),
];

/// What lists are ordered by, there and here. Where the list has no such order, it is a member that is compared.
const SORTS: [(&str, &str); 9] = [
    ("name", "name"),
    ("createdAt", "created_at"),
    ("expiresAt", "expires_at"),
    ("tags", "/tags"),
    ("rpm", "/limits/rpm"),
    ("limit5hUsd", "/limits/usd_5h"),
    ("limitDailyUsd", "/limits/usd_daily"),
    ("limitWeeklyUsd", "/limits/usd_weekly"),
    ("limitMonthlyUsd", "/limits/usd_monthly"),
];

/// `users/getUsers`, `users/searchUsers`: with their keys. Somebody who is no operator sees itself.
pub(super) async fn list(desk: &Desk, mut arguments: Arguments) -> Done {
    let limit = arguments.count("limit", usize::MAX, 5_000)?;
    if let Some(own) = own(desk).await? {
        return Ok(json!([own]));
    }
    let users = found(desk, &mut arguments).await?;
    let mut shown = Vec::new();
    for user in users.iter().take(limit) {
        shown.push(whole(desk, user).await?);
    }
    Ok(Value::Array(shown))
}

/// `users/getUsersBatch`: the same, in pages.
pub(super) async fn batch(desk: &Desk, mut arguments: Arguments) -> Done {
    let limit = arguments.count("limit", 50, 500)?;
    let after = arguments.maybe_id("cursor")?.and_then(|after| usize::try_from(after).ok()).unwrap_or(0);
    let users = found(desk, &mut arguments).await?;
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

/// The caller itself, where it may not look at everybody.
async fn own(desk: &Desk) -> Result<Option<Value>, Failure> {
    let me = desk.get("/me").await?;
    if sees_all(&me) {
        return Ok(None);
    }
    let user = &me["user"];
    // A key without console rights knows no other.
    if me["read_only"] == true {
        return Ok(Some(with(shown(user), "keys", json!([keys::shown(&me["key"])]))));
    }
    whole(desk, user).await.map(Some)
}

/// The users that are asked for, in the order that is asked for.
async fn found(desk: &Desk, arguments: &mut Arguments) -> Result<Vec<Value>, Failure> {
    let mut query = Serializer::new("/users?".to_owned());
    if let Some(words) = arguments.any_text(&["searchTerm", "query", "keyword"]) {
        query.append_pair("q", &words);
    }
    query.extend_pairs(one_of(arguments, "statusFilter", &STATUSES)?.unwrap_or_default());
    let (tags, groups) = (texts(arguments, "tagFilters")?, texts(arguments, "keyGroupFilters")?);
    if let [tag] = tags.as_slice() {
        query.append_pair("tag", tag);
    }
    let sort = one_of(arguments, "sortBy", &SORTS)?;
    let descending = one_of(arguments, "sortOrder", &[("asc", false), ("desc", true)])?.unwrap_or(false);
    let compared = sort.filter(|sort| sort.starts_with('/'));
    if let (Some(sort), None) = (sort, compared) {
        query.append_pair("sort", &format!("{}{sort}", if descending { "-" } else { "" }));
    }
    let mut users = desk.all(query.finish().trim_end_matches('?')).await?;
    if tags.len() > 1 {
        users.retain(|user| holds_any(&user["tags"], &tags));
    }
    if !groups.is_empty() {
        let owners = owners(desk, &groups).await?;
        users.retain(|user| holds_any(&user["groups"], &groups) || owners.contains(&user["id"].to_string()));
    }
    if let Some(member) = compared {
        users.sort_by_cached_key(|user| rank(user.pointer(member).unwrap_or(&Value::Null)));
        if descending {
            users.reverse();
        }
    }
    Ok(users)
}

/// Who has keys of these groups.
async fn owners(desk: &Desk, groups: &[String]) -> Result<BTreeSet<String>, Failure> {
    let mut owners = BTreeSet::new();
    for group in groups {
        let path = Serializer::new("/keys?".to_owned()).append_pair("group", group).finish();
        owners.extend(desk.all(&path).await?.iter().map(|key| key["user_id"].to_string()));
    }
    Ok(owners)
}

/// What a value is compared by; what is unset comes last.
fn rank(value: &Value) -> (bool, Option<Money>, String) {
    match value {
        Value::Number(number) => (false, Money::parse(&number.to_string()).ok(), String::new()),
        Value::String(text) => (false, Money::parse(text).ok(), text.clone()),
        Value::Array(words) if !words.is_empty() => (false, None, value.to_string()),
        _ => (true, None, String::new()),
    }
}

fn holds_any(list: &Value, any: &[String]) -> bool {
    let held = list.as_array().map(Vec::as_slice).unwrap_or_default();
    held.iter().any(|entry| any.iter().any(|one| entry == one))
}

/// Takes out what stands for one of these.
fn one_of<T: Copy>(arguments: &mut Arguments, name: &str, all: &[(&str, T)]) -> Result<Option<T>, Failure> {
    let Some(text) = arguments.text(name) else { return Ok(None) };
    let found = all.iter().find(|(known, _)| *known == text).map(|(_, meant)| *meant);
    let names: Vec<_> = all.iter().map(|(known, _)| *known).collect();
    let refused = || Failure {
        field: Some(name.to_owned()),
        ..Failure::invalid("INVALID_FORMAT", format!("{name} must be one of {}", names.join(", ")))
    };
    found.ok_or_else(refused).map(Some)
}

/// Takes out a list of texts.
fn texts(arguments: &mut Arguments, name: &str) -> Result<Vec<String>, Failure> {
    let given = arguments.0.remove(name).filter(|given| !given.is_null()).unwrap_or_else(|| json!([]));
    serde_json::from_value(given).map_err(|_| Failure {
        field: Some(name.to_owned()),
        ..Failure::invalid("INVALID_TYPE", format!("{name} must be a list of texts"))
    })
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
