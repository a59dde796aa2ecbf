//! The command line: what the one binary can be asked to do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Flags;

/// An AI-API gateway for teams: keys, routing, failover, exact accounting.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests until told to stop (SIGTERM or Ctrl-C; twice to stop at once).
    Serve {
        /// Where settings come from.
        #[command(flatten)]
        settings: SettingsArgs,
        /// Serve a scripted upstream with everything made to try the product, from a throw-away database.
        #[arg(long)]
        demo: bool,
    },
    /// Bring the database up to this version, and end.
    Migrate {
        /// Where settings come from.
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Say what the settings are and where each comes from, or what is wrong with them.
    CheckConfig {
        /// Where settings come from.
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Make a new admin token and print it; the old one ends with the next start of the server.
    ResetAdminToken {
        /// Where settings come from.
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

/// Where settings come from; the rest is read from the environment.
#[derive(Debug, Clone, Default, Args)]
pub struct SettingsArgs {
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
