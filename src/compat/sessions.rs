//! Conversations that are alive, as the predecessor's scripts know them.

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    desk::{Desk, Done},
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
