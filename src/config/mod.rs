//! Configuration: what was typed, and what is meant by it.
//!
//! Each key is looked up in four places, the later one winning: its default, the file given with
//! `--config`, the environment, the command line. That makes the *typed* layer: text, and where it
//! came from. One function per section turns it into what is *meant*: durations, addresses, paths,
//! all present and checked. Only the second layer leaves this room, and nothing else in the house
//! reads the environment.

pub mod console;
pub mod data_dir;
mod journal;
pub mod ldap;
pub mod log;
pub mod oidc;
pub mod prices;
pub mod routing;
mod secret;
pub mod secrets;
pub mod server;
mod sources;
pub mod store;
#[cfg(test)]
mod tests;
pub mod time_zone;
pub mod traces;
mod typed;

use std::path::PathBuf;

use chrono_tz::Tz;

use self::{
    console::ConsoleSettings, ldap::LdapSettings, log::LogSettings, oidc::OidcSettings,
    prices::PriceSettings, routing::RoutingSettings, secrets::SecretSettings, server::ServerSettings,
    store::StoreSettings, traces::TraceSettings, typed::Typed,
};
pub use self::{
    secret::Secret,
    sources::Flags,
    typed::{ConfigError, Effective, Origin},
};
use crate::journal::recorder::JournalSettings;

/// Everything that was decided before the server started.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where files of ours live.
    pub data_dir: PathBuf,
    /// Whose clock tells days where the settings of the system name no time zone.
    pub time_zone: Tz,
    /// Listening and the HTTP side.
    pub server: ServerSettings,
    /// How people sign in.
    pub console: ConsoleSettings,
    /// The provider where people may sign in, if there is one.
    pub oidc: Option<OidcSettings>,
    /// The directory whose accounts sign in.
    pub ldap: Option<LdapSettings>,
    /// The database.
    pub store: StoreSettings,
    /// What is written down before the database has it.
    pub journal: JournalSettings,
    /// How requests are routed.
    pub routing: RoutingSettings,
    /// Where prices come from.
    pub prices: PriceSettings,
    /// The log.
    pub log: LogSettings,
    /// Where traces go.
    pub traces: TraceSettings,
    /// Secrets given from outside.
    pub secrets: SecretSettings,
    /// What was set but has no effect, to be logged at start.
    pub warnings: Vec<String>,
    effective: Vec<Effective>,
}

impl Config {
    /// Each key with its value and where it came from; secrets are masked.
    #[must_use]
    pub fn describe(&self) -> &[Effective] {
        &self.effective
    }
}

/// The name of every key.
pub fn keys() -> impl Iterator<Item = &'static str> {
    typed::knobs().map(|knob| knob.key)
}

/// Reads the configuration of this process.
///
/// # Errors
/// Names the key and what is wrong with its value.
pub fn load(flags: &Flags) -> Result<Config, ConfigError> {
    load_with(flags, |name| std::env::var_os(name))
}

/// Reads the configuration, with `environment` to look variables up in.
///
/// # Errors
/// Names the key and what is wrong with its value.
pub fn load_with(
    flags: &Flags,
    environment: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<Config, ConfigError> {
    let typed = Typed::collect(flags, environment)?;
    let data_dir = data_dir::meant(&typed)?;
    Ok(Config {
        time_zone: time_zone::meant(&typed)?,
        server: server::meant(&typed)?,
        console: console::meant(&typed)?,
        oidc: oidc::meant(&typed)?,
        ldap: ldap::meant(&typed)?,
        store: store::meant(&typed, &data_dir)?,
        journal: journal::meant(&typed, &data_dir)?,
        routing: routing::meant(&typed)?,
        prices: prices::meant(&typed)?,
        log: log::meant(&typed)?,
        traces: traces::meant(&typed)?,
        secrets: secrets::meant(&typed)?,
        data_dir,
        effective: typed.describe(),
        warnings: typed.warnings,
    })
}
