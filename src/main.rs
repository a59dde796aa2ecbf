//! The one binary: reads the command line and hands over.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use pointsman::{
    boot,
    cli::{Cli, Command, SettingsArgs},
    config::{self, Config, Flags},
    demo, logging,
};

/// A request makes a hundred small allocations: the system's allocator took a seventh of its CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pointsman: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { settings, demo: true } => {
            let stage = demo::stage::Stage::set(settings.into())?;
            logging::start(&stage.config().log);
            system(boot::serve(stage.config().clone(), |house| stage.open(house)))
        }
        Command::Serve { settings, demo: false } => {
            let config = load(settings)?;
            system(boot::serve(config, |_| std::future::ready(Ok(()))))
        }
        Command::Migrate { settings } => system(boot::migrate(load(settings)?)),
        Command::ResetAdminToken { settings } => system(boot::reset_admin_token(load(settings)?)),
        Command::CheckConfig { settings } => check(settings),
    }
}

fn load(settings: SettingsArgs) -> anyhow::Result<Config> {
    let config = config::load(&Flags::from(settings)).context("configuration")?;
    logging::start(&config.log);
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    Ok(config)
}

fn check(settings: SettingsArgs) -> anyhow::Result<()> {
    let config = config::load(&Flags::from(settings)).context("configuration")?;
    let mut out = io::stdout().lock();
    for setting in config.describe() {
        let value = setting.value.as_deref().unwrap_or("(not set)");
        writeln!(out, "{:<28} {value}  [{}]", setting.key, setting.origin)?;
    }
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn system(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(work)
}
