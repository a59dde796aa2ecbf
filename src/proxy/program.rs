//! Which program the caller comes with, and what is closed to it.

use actix_web::http::header::{HeaderMap, USER_AGENT};
use actors::{ids::ProviderId, restrictions::Restricted};
use protocol::Client;

use crate::current::{Version, keys::Caller};

/// The longest user agent that is looked at, in characters.
const LONGEST_AGENT: usize = 512;

/// The caller's user agent as it is recorded.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?;
    Some(String::from_utf8_lossy(agent.as_bytes()).chars().take(LONGEST_AGENT).collect())
}

/// The providers that do not serve the program that sent these headers. Where nobody has rules about programs, which
/// is nearly always, it is not looked at.
///
/// # Errors
/// When the caller may not use that program.
pub(super) fn closed_to(
    headers: &HeaderMap,
    caller: &Caller,
    version: &Version,
) -> Result<Vec<ProviderId>, Restricted> {
    if caller.rules.is_none() && version.choosy.is_empty() {
        return Ok(Vec::new());
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let client = Client::of(&user_agent(headers).unwrap_or_default(), &header);
    if let Some(rules) = &caller.rules {
        rules.admit_client(&client)?;
    }
    let closed = version.choosy.iter().filter(|card| !card.restrictions.clients.admit(&client));
    Ok(closed.map(|card| card.id).collect())
}
