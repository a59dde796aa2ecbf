//! What is used of limits, as the predecessor's scripts know it.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    fields::number,
};

/// Windows there and here.
const WINDOWS: [(&str, &str); 5] = [
    ("cost5h", "5h"),
    ("costDaily", "daily"),
    ("costWeekly", "weekly"),
    ("costMonthly", "monthly"),
    ("costTotal", "total"),
];

/// `users/getUserLimitUsage`.
pub(super) async fn of_user(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("userId")?;
    let quota = desk.get(&format!("/quotas/users/{id}")).await?;
    let gauge = |name: &str| json!({"current": quota[name]["used"], "limit": quota[name]["limit"]});
    let mut usage = windows(&quota);
    usage["rpm"] = gauge("rpm");
    usage["dailyCost"] = usage["costDaily"].clone();
    Ok(usage)
}

/// `keys/getKeyLimitUsage`.
pub(super) async fn of_key(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("keyId")?;
    Ok(windows(&desk.get(&format!("/quotas/keys/{id}")).await?))
}

/// `providers/getProviderLimitUsage`.
pub(super) async fn of_provider(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("providerId")?;
    let quota = desk.get(&format!("/quotas/providers/{id}")).await?;
    let mut usage = windows(&quota);
    usage["concurrentSessions"] =
        json!({"current": quota["concurrency"]["used"], "limit": quota["concurrency"]["limit"]});
    Ok(usage)
}

/// `keys/resetKeyLimitsOnly`: every window of the key counts from now on.
pub(super) async fn reset_key(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.id("keyId")?;
    desk.post(&format!("/quotas/keys/{id}/reset"), &json!({})).await.map(|_| Value::Null)
}

/// A window of a quota by its name here.
pub(super) fn window<'a>(quota: &'a Value, name: &str) -> &'a Value {
    let all = quota["windows"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|window| window["window"] == name).unwrap_or(&Value::Null)
}

/// Each window with what is spent in it; what is reserved counts, since it is not free.
pub(super) fn windows(quota: &Value) -> Value {
    let window = |(theirs, ours): (&str, &str)| {
        let window = window(quota, ours);
        let shown = json!({
            "current": number(&window["settled"]),
            "reserved": number(&window["reserved"]),
            "limit": number(&window["limit"]),
            "resetAt": window["resets_at"],
        });
        (theirs.to_owned(), shown)
    };
    let mut shown: Value = WINDOWS.into_iter().map(window).collect();
    let sessions = &quota["sessions"];
    shown["concurrentSessions"] = json!({"current": sessions["used"], "limit": sessions["limit"]});
    shown
}
