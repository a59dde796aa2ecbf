//! Conversations that are alive, as the predecessor's scripts know them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
    failure::Failure,
    fields::number,
    logs,
};

/// `active-sessions/getActiveSessions`: the most recently used.
pub(super) async fn list(desk: &Desk, _: Arguments) -> Done {
    let sessions = desk.get("/sessions?limit=500").await?;
    let sessions = sessions["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = |session: &Value| {
        json!({
            "sessionId": session["id"],
            "keyId": session["key_id"],
            "providerId": session["provider_id"],
            "providerName": session["provider"],
            "requestCount": session["requests"],
            "startTime": session["since"],
            "lastSeen": session["last_used"],
        })
    };
    Ok(sessions.iter().map(shown).collect())
}

/// `active-sessions/getSessionDetails`: what the log knows of a conversation. What was said in it is not kept.
pub(super) async fn details(desk: &Desk, mut arguments: Arguments) -> Done {
    let id = arguments.text("sessionId").ok_or_else(|| Failure::required("sessionId"))?;
    let filter: String = byte_serialize(id.as_bytes()).collect();
    let requests = desk.all(&format!("/requests?session={filter}")).await?;
    let (Some(last), Some(first)) = (requests.first(), requests.last()) else {
        return Err(Failure::not_found("there is no such session"));
    };
    let totals = desk.get(&format!("/requests/totals?session={filter}")).await?;
    let known = desk.get("/requests/filters").await?;
    let millis: u64 =
        requests.iter().filter_map(|request| request["duration_us"].as_u64()).sum::<u64>() / 1_000;
    let models: BTreeMap<_, _> =
        requests.iter().filter_map(|request| Some((request["model"].as_str()?, ()))).collect();
    let providers: BTreeMap<_, _> = requests
        .iter()
        .filter_map(|request| Some((request["provider_id"].as_i64()?, &request["provider_id"])))
        .collect();
    let provider = |id: &Value| json!({"id": id, "name": logs::name(&known, "providers", id)});
    let mut stats = logs::summary(&totals);
    stats["sessionId"] = id.into();
    stats["requestCount"] = totals["requests"].clone();
    stats["totalCostUsd"] = number(&totals["cost_usd"]);
    stats["totalDurationMs"] = millis.into();
    stats["firstRequestAt"] = first["started_at"].clone();
    stats["lastRequestAt"] = last["started_at"].clone();
    stats["models"] = models.into_keys().collect();
    stats["providers"] = providers.into_values().map(provider).collect();
    stats["userId"] = last["user_id"].clone();
    stats["userName"] = logs::name(&known, "users", &last["user_id"]).into();
    stats["keyId"] = last["key_id"].clone();
    stats["keyName"] = logs::name(&known, "keys", &last["key_id"]).into();
    stats["userAgent"] = last["user_agent"].clone();
    stats["apiType"] = last["format"].clone();
    Ok(json!({"sessionStats": stats, "requestBody": null, "messages": null, "response": null}))
}
