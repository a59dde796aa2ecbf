//! The command line: what the one binary can be asked to do. One file per noun.
//!
//! Three sorts of commands: those that are the server (`serve`, `migrate`), those that ask a server through its
//! own admin API, and those that look at this machine (`config`, `doctor`, `drain`, `backup`).

mod actors;
mod audit;
mod backup;
mod batch;
mod client;
mod config;
mod desk;
mod doctor;
mod drain;
mod exit;
mod export;
mod fields;
mod filters;
mod generate;
mod key;
mod ledger;
mod lifecycle;
mod listing;
mod names;
mod output;
mod price;
mod process;
mod process_args;
mod progress;
mod provider;
mod quota;
mod remote;
mod request;
mod route;
mod sealing_key;
mod session;
mod settings;
mod stats;
mod status;
mod stop;
mod table;
mod tail;
mod trash;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::{
    exit::{Done, Exit, Failure},
    process_args::SettingsArgs,
    remote::Remote,
};

/// An AI-API gateway for teams: keys, routing, failover, exact accounting.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about, propagate_version = true, after_long_help = exit::codes_text())]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve requests until told to stop (SIGTERM or Ctrl-C; twice to stop at once).
    Serve {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Serve a scripted upstream with everything made to try the product, from a throw-away database.
        #[arg(long)]
        demo: bool,
    },
    /// Bring the database up to this version, and end.
    Migrate {
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// The settings of the process, read on this machine.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Say what the settings are and where each comes from, or what is wrong with them.
    CheckConfig {
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Make a new admin token and print it; the old one ends with the next start of the server.
    ResetAdminToken {
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Begin anew when the sealing key is lost: forget what was sealed with it, keep everything else.
    ResetSealingKey {
        #[command(flatten)]
        settings: SettingsArgs,
        /// There is no copy of the key, and what it has sealed may be forgotten.
        #[arg(long)]
        yes: bool,
    },
    Status(status::Status),
    Doctor(doctor::Doctor),
    Drain(drain::Drain),
    Backup(backup::Backup),
    #[command(subcommand, visible_alias = "providers")]
    Provider(provider::Provider),
    #[command(subcommand, visible_alias = "users")]
    User(user::User),
    #[command(subcommand, visible_alias = "keys")]
    Key(key::Key),
    #[command(subcommand)]
    Batch(batch::Batch),
    #[command(subcommand)]
    Quota(quota::Quota),
    #[command(subcommand, visible_alias = "requests")]
    Request(request::Request),
    #[command(subcommand, visible_alias = "sessions")]
    Session(session::Session),
    #[command(subcommand)]
    Actors(actors::Actors),
    #[command(subcommand)]
    Route(route::Route),
    #[command(subcommand, visible_alias = "prices")]
    Price(price::Price),
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand)]
    Trash(trash::Trash),
    #[command(subcommand)]
    Stats(stats::Stats),
    #[command(subcommand)]
    Settings(settings::Settings),
    #[command(subcommand)]
    SealingKey(sealing_key::SealingKey),
    Completions(generate::Completions),
    Man(generate::Man),
}

/// Reads the command line, does what it says, and gives the code to end with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match actix_web::rt::System::new().block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.finish(),
    }
}

/// The description of the command line.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

async fn run(cli: Cli) -> Done {
    cli.remote.check()?;
    match cli.command {
        // These listen to signals themselves.
        Command::Serve { settings, demo } => process::serve(settings, demo).await,
        Command::Request(export @ request::Request::Export(_)) => export.run(&cli.remote).await,
        Command::Backup(backup) => backup.run(&cli.remote).await,
        other => tokio::select! {
            done = answer(other, &cli.remote) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::told(Exit::Interrupted)),
        },
    }
}

async fn answer(command: Command, remote: &Remote) -> Done {
    match command {
        Command::Serve { settings, demo } => process::serve(settings, demo).await,
        Command::Migrate { settings } => process::migrate(settings).await,
        Command::ResetAdminToken { settings } => process::reset_admin_token(settings).await,
        Command::ResetSealingKey { settings, yes } => process::reset_sealing_key(settings, yes).await,
        Command::Config(command) => command.run(remote),
        Command::CheckConfig { settings } => config::check(settings),
        Command::Status(command) => command.run(remote).await,
        Command::Doctor(command) => command.run(remote).await,
        Command::Drain(command) => command.run(remote).await,
        Command::Backup(command) => command.run(remote).await,
        Command::Provider(command) => command.run(remote).await,
        Command::User(command) => command.run(remote).await,
        Command::Key(command) => command.run(remote).await,
        Command::Batch(command) => command.run(remote).await,
        Command::Quota(command) => command.run(remote).await,
        Command::Request(command) => command.run(remote).await,
        Command::Session(command) => command.run(remote).await,
        Command::Actors(command) => command.run(remote).await,
        Command::Route(command) => command.run(remote).await,
        Command::Price(command) => command.run(remote).await,
        Command::Ledger(command) => command.run(remote).await,
        Command::Audit(command) => command.run(remote).await,
        Command::Trash(command) => command.run(remote).await,
        Command::Stats(command) => command.run(remote).await,
        Command::Settings(command) => command.run(remote).await,
        Command::SealingKey(command) => command.run(remote).await,
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_makes_sense() {
        super::command().debug_assert();
    }

    /// The whole path of every command that does something.
    fn commands(above: &str, command: &clap::Command, found: &mut Vec<(String, String)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            found.push((above.to_owned(), inner.get_name().to_owned()));
            commands(&format!("{above} {}", inner.get_name()), inner, found);
        }
    }

    #[test]
    fn the_documentation_names_every_command_and_every_exit_code() {
        let text = include_str!("../../docs/operating/command-line.md");
        let mut found = Vec::new();
        commands("pointsman", &super::command(), &mut found);
        assert!(found.len() > 50, "{found:?}");
        for (above, name) in found {
            let whole = format!("`{above} {name}");
            let rows = || text.lines().filter(|line| line.starts_with('|'));
            // The first of a noun with its whole path, the others by their own names in its row.
            let told = rows().any(|row| {
                row.contains(&whole) || (row.contains(&above) && row.contains(&format!("`{name}`")))
            });
            assert!(told, "{above} {name}");
        }
        for (code, meaning) in super::exit::CODES {
            assert!(text.contains(&format!("| {code} | {meaning} |")), "{code}");
        }
    }
}
