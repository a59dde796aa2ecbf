//! The commands that are the server, or prepare its database: they read the settings of the process.

use anyhow::Context as _;

use super::{exit::Done, process_args::SettingsArgs};
use crate::{
    boot,
    config::{self, Config, Flags},
    demo, logging,
};

/// Serves until told to stop.
pub(super) async fn serve(settings: SettingsArgs, demo: bool) -> Done {
    if demo {
        let stage = demo::stage::Stage::set(settings.into())?;
        logging::start(&stage.config().log);
        return Ok(boot::serve(stage.config().clone(), |house| stage.open(house)).await?);
    }
    let config = load(settings)?;
    Ok(boot::serve(config, |_| std::future::ready(Ok(()))).await?)
}

/// Brings the database up to this version.
pub(super) async fn migrate(settings: SettingsArgs) -> Done {
    Ok(boot::migrate(load(settings)?).await?)
}

/// Makes a new admin token.
pub(super) async fn reset_admin_token(settings: SettingsArgs) -> Done {
    Ok(boot::reset_admin_token(load(settings)?).await?)
}

/// Begins anew where the sealing key is lost.
pub(super) async fn reset_sealing_key(settings: SettingsArgs, meant: bool) -> Done {
    Ok(boot::reset_sealing_key(load(settings)?, meant).await?)
}

fn load(settings: SettingsArgs) -> anyhow::Result<Config> {
    let config = config::load(&Flags::from(settings)).context("configuration")?;
    logging::start(&config.log);
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    Ok(config)
}
