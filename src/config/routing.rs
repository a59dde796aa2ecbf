//! `[routing]`: how requests are routed.

use std::time::Duration;

use actors::supervisor::Leash;

use super::typed::{ConfigError, Knob, Typed};

const SESSION_TTL_S: &str = "routing.session_ttl_s";
const MAX_ATTEMPTS: &str = "routing.max_attempts";
const REQUEST_DEADLINE_S: &str = "routing.request_deadline_s";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(SESSION_TTL_S, &["SESSION_TTL"], Some("300")),
    Knob::new(MAX_ATTEMPTS, &["MAX_RETRY_ATTEMPTS_DEFAULT"], Some("4")),
    Knob::new(REQUEST_DEADLINE_S, &[], Some("600")),
];

/// How requests are routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingSettings {
    /// How long a conversation stays with its provider after its last request.
    pub session_ttl: Duration,
    /// The most upstream attempts of one request, the first included.
    pub max_attempts: u32,
    /// How long a request may look for an answer, all attempts and waits together. An answer that has
    /// begun may take longer.
    pub request_deadline: Duration,
    /// How many panics of an actor are borne. No key sets it: there is nothing an operator could know that
    /// would make another value better. Tests that panic by the hundred lengthen it.
    pub leash: Leash,
}

pub(super) fn meant(typed: &Typed) -> Result<RoutingSettings, ConfigError> {
    Ok(RoutingSettings {
        session_ttl: Duration::from_secs(typed.number(SESSION_TTL_S, 1, 86_400)?),
        max_attempts: typed.number(MAX_ATTEMPTS, 1, 20)?,
        request_deadline: Duration::from_secs(typed.number(REQUEST_DEADLINE_S, 1, 86_400)?),
        leash: Leash::default(),
    })
}
