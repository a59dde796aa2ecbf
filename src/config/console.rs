//! `[console]`: how people sign in to the control plane, and for how long.

use std::time::Duration;

use super::typed::{ConfigError, Knob, Typed};

const SECURE_COOKIES: &str = "console.secure_cookies";
const SESSION_TTL_S: &str = "console.session_ttl_s";
const SESSION_IDLE_S: &str = "console.session_idle_s";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(SECURE_COOKIES, &["ENABLE_SECURE_COOKIES"], Some("true")),
    Knob::new(SESSION_TTL_S, &["AUTH_SESSION_TTL_SECONDS"], Some("604800")),
    Knob::new(SESSION_IDLE_S, &[], Some("86400")),
];

/// How people sign in, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Whether cookies are only for connections that nobody can listen to.
    pub secure_cookies: bool,
    /// How long a session lasts at most.
    pub session_ttl: Duration,
    /// How long it lasts unused.
    pub session_idle: Duration,
}

pub(super) fn meant(typed: &Typed) -> Result<ConsoleSettings, ConfigError> {
    let session_ttl = Duration::from_secs(typed.number(SESSION_TTL_S, 300, 31_536_000)?);
    let session_idle = Duration::from_secs(typed.number(SESSION_IDLE_S, 300, 31_536_000)?);
    Ok(ConsoleSettings { secure_cookies: typed.truth(SECURE_COOKIES)?, session_ttl, session_idle })
}
