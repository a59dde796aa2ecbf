//! `config`: the settings of the process, as they would count.

pub(super) mod mend;

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{
    exit::{Done, Exit, Failure},
    output::{Output, print},
    process_args::SettingsArgs,
    remote::{Format, Remote},
    table::{Column, column},
};
use crate::config::{self, Config};

const COLUMNS: &[Column] = &[column("KEY", "/key"), column("VALUE", "/value")];
const WITH_ORIGIN: &[Column] = &[column("KEY", "/key"), column("VALUE", "/value"), column("FROM", "/origin")];

/// The settings of the process, read on this machine.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what they are; secrets are masked.
    Show {
        /// And where each comes from.
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Say whether they are sound, and if not, what to do.
    Check {
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

impl ConfigCommand {
    pub(super) fn run(self, remote: &Remote) -> Done {
        let out = Output::new(remote);
        match self {
            Self::Show { origin, settings } => show(&out, &load(settings)?, origin),
            Self::Check { settings } => {
                let config = load(settings)?;
                let report = json!({ "status": "ok", "warnings": config.warnings });
                if out.format == Format::Table {
                    for warning in &config.warnings {
                        print(format!("warning: {warning}").as_bytes())?;
                    }
                    return print(b"the configuration is sound");
                }
                out.own(&report, "/status")
            }
        }
    }
}

/// What `check-config` always printed.
pub(super) fn check(settings: SettingsArgs) -> Done {
    let config = load(settings)?;
    let mut text = String::new();
    for setting in config.describe() {
        let value = setting.value.as_deref().unwrap_or("(not set)");
        // Writing to a text does not fail.
        let _ = writeln!(text, "{:<28} {value}  [{}]", setting.key, setting.origin);
    }
    for warning in &config.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    print(text.as_bytes())
}

fn load(settings: SettingsArgs) -> Result<Config, Failure> {
    config::load(&settings.into()).map_err(|error| {
        Failure::new(Exit::No, format!("configuration: {error}\n  mend: {}", mend::of(&error)))
    })
}

fn show(out: &Output, config: &Config, origin: bool) -> Done {
    let settings = config.describe().iter().map(|setting| {
        let mut shown = Map::new();
        shown.insert("key".to_owned(), json!(setting.key));
        shown.insert("value".to_owned(), json!(setting.value));
        if origin {
            shown.insert("origin".to_owned(), json!(setting.origin.to_string()));
        }
        Value::Object(shown)
    });
    let list = json!({ "items": settings.collect::<Vec<_>>() });
    let body = serde_json::to_vec(&list).map_err(|error| Failure::new(Exit::No, error))?;
    out.list(&body, if origin { WITH_ORIGIN } else { COLUMNS }, "/key")
}
