//! Where the settings of the process come from, for the commands that read them.

use std::path::PathBuf;

use clap::Args;

use crate::config::Flags;

/// Where settings come from; the rest is read from the environment.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SettingsArgs {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where files of ours live.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// The address to listen on.
    #[arg(long, value_name = "IP")]
    listen_addr: Option<String>,
    /// The port to listen on.
    #[arg(long)]
    port: Option<String>,
    /// `postgres://…`, or `sqlite:` and a path.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// error, warn, info, debug, trace or off.
    #[arg(long)]
    log_level: Option<String>,
    /// text or json.
    #[arg(long)]
    log_format: Option<String>,
}

impl From<SettingsArgs> for Flags {
    fn from(args: SettingsArgs) -> Self {
        let SettingsArgs { config, data_dir, listen_addr, port, database_url, log_level, log_format } = args;
        Self { config, data_dir, listen_addr, port, database_url, log_level, log_format }
    }
}
