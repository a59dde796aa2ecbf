//! What a key is, may use and has used, as scripts ask about their own. Who signed in by name and password has no
//! key here, and is told of all keys together.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    days::written,
    desk::{Desk, Done},
    endpoints,
    failure::Failure,
    fields::number,
    logs, quota as quotas,
    statistics::entries,
};

/// Windows by their names in limits there and here, and among windows of a quota.
const WINDOWS: [(&str, &str, &str); 5] = [
    ("5hUsd", "usd_5h", "5h"),
    ("DailyUsd", "usd_daily", "daily"),
    ("WeeklyUsd", "usd_weekly", "weekly"),
    ("MonthlyUsd", "usd_monthly", "monthly"),
    ("TotalUsd", "usd_total", "total"),
];

/// The filter that leads to one's own: the key, or where there is none the user.
pub(super) fn whose(me: &Value) -> Result<(&'static str, Value), Failure> {
    match (&me["key_id"], &me["user"]["id"]) {
        (key @ Value::Number(_), _) => Ok(("keyId", key.clone())),
        (_, user @ Value::Number(_)) => Ok(("userId", user.clone())),
        _ => Err(Failure::invalid("INVALID_STATE", "nothing is the admin token's own; come with an api key")),
    }
}

/// The same behind a question mark.
fn filter(me: &Value) -> Result<String, Failure> {
    let (name, id) = whose(me)?;
    Ok(format!("{}={id}", if name == "keyId" { "key_id" } else { "user_id" }))
}

/// `my-usage/getMyUsageMetadata`.
pub(super) async fn metadata(desk: &Desk, _: Arguments) -> Done {
    let me = desk.get("/me").await?;
    whose(&me)?;
    let mut shown = described(&me);
    shown["keyExpiresAt"] = me["key"]["expires_at"].clone();
    shown["currencyCode"] = "USD".into();
    Ok(shown)
}

/// `my-usage/getMyQuota`: what limits the key and its user, and how far each is used.
pub(super) async fn quota(desk: &Desk, _: Arguments) -> Done {
    let me = desk.get("/me").await?;
    whose(&me)?;
    let mut shown = described(&me);
    let key_quota = match &me["key_id"] {
        Value::Null => Value::Null,
        id => desk.get(&format!("/quotas/keys/{id}")).await?,
    };
    for (who, quota) in [("key", &key_quota), ("user", &me["quota"])] {
        let limits = &me[who]["limits"];
        for (theirs, ours, window) in WINDOWS {
            shown[format!("{who}Limit{theirs}")] = number(&limits[ours]);
            shown[format!("{who}Current{theirs}")] = number(&quotas::window(quota, window)["settled"]);
        }
        shown[format!("{who}LimitConcurrentSessions")] = limits["sessions"].clone();
        shown[format!("{who}CurrentConcurrentSessions")] = quota["sessions"]["used"].clone();
    }
    shown["userRpmLimit"] = me["user"]["limits"]["rpm"].clone();
    shown["expiresAt"] = me["key"]["expires_at"].clone();
    Ok(shown)
}

/// `my-usage/getMyTodayStats`.
pub(super) async fn today(desk: &Desk, _: Arguments) -> Done {
    let own = filter(&desk.get("/me").await?)?;
    let told = by_model(desk, &own, "day", &written(desk.day_began(0)), None).await?;
    let shown = |of: &Value| {
        json!({
            "calls": of["requests"],
            "inputTokens": of["input_tokens"],
            "outputTokens": of["output_tokens"],
            "costUsd": number(&of["cost_usd"]),
        })
    };
    let mut today = shown(&told["total"]);
    let model = |item: &Value| super::with(shown(item), "model", item["name"].clone());
    today["modelBreakdown"] = entries(&told["items"]).iter().map(model).collect();
    today["currencyCode"] = "USD".into();
    Ok(today)
}

/// `my-usage/getMyStatsSummary`: in days of the system's clock, or all there is.
pub(super) async fn summary(desk: &Desk, mut arguments: Arguments) -> Done {
    let me = desk.get("/me").await?;
    let (own, user) = (filter(&me)?, format!("user_id={}", me["user"]["id"]));
    let from = match arguments.text("startDate") {
        Some(day) => desk.beginning("startDate", &day)?,
        None => me["user"]["created_at"].as_str().unwrap_or_default().to_owned(),
    };
    let to = arguments.text("endDate").map(|day| desk.end("endDate", &day)).transpose()?;
    let of_key = by_model(desk, &own, "month", &from, to.as_deref()).await?;
    let of_user = by_model(desk, &user, "month", &from, to.as_deref()).await?;
    let mut summary = logs::summary(&of_key["total"]);
    summary["keyModelBreakdown"] = breakdown(&of_key);
    summary["userModelBreakdown"] = breakdown(&of_user);
    summary["currencyCode"] = "USD".into();
    Ok(summary)
}

/// `my-usage/getMyAvailableModels`: those that were asked for.
pub(super) async fn models(desk: &Desk, _: Arguments) -> Done {
    let me = desk.get("/me").await?;
    whose(&me)?;
    Ok(desk.get("/requests/filters").await?["models"].take())
}

/// `my-usage/getMyAvailableEndpoints`: the paths that were used.
pub(super) async fn endpoints(desk: &Desk, _: Arguments) -> Done {
    let me = desk.get("/me").await?;
    whose(&me)?;
    let known = desk.get("/requests/filters").await?;
    let path = |call: &Value| endpoints::path(&call["format"], &call["operation"], None);
    Ok(entries(&known["calls"]).iter().filter_map(path).collect())
}

async fn by_model(desk: &Desk, of: &str, bucket: &str, from: &str, to: Option<&str>) -> Done {
    let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
    desk.get(&format!("/statistics?by=model&{of}&bucket={bucket}&limit=100&from={from}{to}")).await
}

fn breakdown(told: &Value) -> Value {
    let model = |item: &Value| {
        json!({
            "model": item["name"],
            "requests": item["requests"],
            "cost": number(&item["cost_usd"]),
            "inputTokens": item["input_tokens"],
            "outputTokens": item["output_tokens"],
            "cacheCreationTokens": item["cache_write_tokens"],
            "cacheReadTokens": item["cache_read_tokens"],
        })
    };
    entries(&told["items"]).iter().map(model).collect()
}

/// What a key and its user are.
fn described(me: &Value) -> Value {
    let (key, user) = (&me["key"], &me["user"]);
    let groups = |of: &Value| match entries(&of["groups"]) {
        [] => Value::Null,
        names => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",").into(),
    };
    let first =
        |of: &str, unset: &str| match (&key["limits"]["daily_reset"][of], &user["limits"]["daily_reset"][of])
        {
            (Value::Null, Value::Null) => unset.into(),
            (Value::Null, users) => users.clone(),
            (keys, _) => keys.clone(),
        };
    json!({
        "keyName": key["name"],
        "keyProviderGroup": groups(key),
        "keyIsEnabled": key["enabled"],
        "userName": user["name"],
        "userProviderGroup": groups(user),
        "userExpiresAt": user["expires_at"],
        "userIsEnabled": user["enabled"],
        "dailyResetMode": first("mode", "fixed"),
        "dailyResetTime": first("at", "00:00"),
    })
}
