//! `doctor`: looks at this machine and at the running server, and says of each trouble what causes it and what
//! mends it.

mod database;
mod finding;
mod ldap;
mod machine;
mod oidc;
mod server;
mod upstreams;

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::{
    finding::{Finding, Level},
    upstreams::Place,
};
use super::{
    config::mend,
    desk::Desk,
    exit::{Done, Exit, Failure},
    output::{Output, print},
    process_args::SettingsArgs,
    progress::spinner,
    remote::{DEFAULT_SERVER, Format, Remote},
    table,
};
use crate::config::{self, Config};

/// Look at this machine and at the running server; ends with 7 if anything is bad.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Only one of the two.
    #[arg(long)]
    only: Option<Side>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Configuration, data directory, database, ports.
    Local,
    /// The server as it answers, its providers and books.
    Server,
}

#[derive(Serialize)]
struct Report {
    status: Level,
    findings: Vec<Finding>,
}

impl Doctor {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let out = Output::new(remote);
        let bar = spinner(&out, "looking");
        let mut findings = Vec::new();
        let mut places: Option<Vec<Place>> = None;
        let mut server = remote.server.clone();
        if self.only != Some(Side::Server) {
            let config = config::load(&self.settings.clone().into());
            match &config {
                Ok(config) => {
                    findings.push(configuration(config));
                    machine::look(config, &mut findings).await;
                    places = database::look(config, &mut findings).await;
                    oidc::look(remote, config, &mut findings).await?;
                    ldap::look(config, &mut findings).await;
                    server = address(config, server);
                }
                Err(error) => findings.push(Finding::bad("config", error.to_string(), mend::of(error))),
            }
        }
        if self.only != Some(Side::Local) {
            let desk = Desk::at(remote, &server)?;
            // The running server knows best whom it asks.
            places = server::look(&desk, remote, &mut findings).await?.or(places);
        }
        match places {
            Some(places) => upstreams::look(remote, places, &mut findings).await?,
            None => findings.push(Finding::skipped("providers", "neither server nor database names them")),
        }
        bar.finish_and_clear();
        show(&out, findings)
    }
}

fn configuration(config: &Config) -> Finding {
    match config.warnings.first() {
        None => {
            Finding::ok("config", format!("{} keys, time zone {}", config.describe().len(), config.time_zone))
        }
        Some(_) => Finding::warning(
            "config",
            config.warnings.join("; "),
            "remove what has no effect, so that nobody believes that it works",
        ),
    }
}

/// Where the server is that this configuration starts, unless another was named.
fn address(config: &Config, named: String) -> String {
    let port = config.server.listen.port();
    if named == DEFAULT_SERVER && port != 0 { format!("http://127.0.0.1:{port}") } else { named }
}

fn show(out: &Output, findings: Vec<Finding>) -> Done {
    let status = findings.iter().map(|finding| finding.level).filter(|level| *level != Level::Skipped).max();
    let status = status.unwrap_or(Level::Skipped);
    if out.format == Format::Table {
        let mut text = String::new();
        for Finding { check, level, cause, mend } in &findings {
            let word = format!("{:<8}", level.word());
            let word = if *level == Level::Skipped {
                word
            } else {
                table::state(word.trim(), out.colour()) + &word[word.trim().len()..]
            };
            text += &format!("{word}{check:<24}  {cause}\n");
            if let Some(mend) = mend {
                text += &format!("{:34}mend: {mend}\n", "");
            }
        }
        print(text.as_bytes())?;
    } else {
        out.own(&Report { status, findings }, "/status")?;
    }
    if status == Level::Bad { Err(Failure::told(Exit::Unwell)) } else { Ok(()) }
}
