//! What stands before anything is served: the database at this version, the keys, the admin token.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle};
use anyhow::{Context, bail};
use tokio::time::sleep;

use crate::{
    admin::Directory,
    config::Config,
    ops,
    secrets::{
        admin_token::{AdminToken, Settled},
        digest::Digester,
        digest_key::DigestKey,
        keyring::Keyring,
        sealing::Sealer,
    },
    store::{Store, StoreError, SystemSettings},
    upstream,
};

/// How often a database is looked for that is away at the start.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What stands before anything is served.
pub(super) struct Foundation {
    pub(super) store: Store,
    pub(super) sealer: Sealer,
    pub(super) digest_key: DigestKey,
    pub(super) token: AdminToken,
    pub(super) new_admin_token: Option<String>,
    pub(super) upstream: upstream::Settings,
    pub(super) directory: Option<Directory>,
    pub(super) settings: SystemSettings,
}

impl Foundation {
    async fn lay(config: &Config) -> anyhow::Result<Self> {
        let Opened { store, sealer, keys } = open_store(config)?;
        if config.store.auto_migrate {
            let applied = store.migrate().await.context("migrations")?;
            if !applied.is_empty() {
                log::info!("{} migrations applied", applied.len());
            }
        } else {
            let pending = store.pending_migrations().await.context("migrations")?;
            if !pending.is_empty() {
                bail!("{} migrations are pending; run `pointsman migrate`", pending.len());
            }
        }
        let digest_key = store.digest_key(&keys).await.context("sealing_key")?;
        let configured = config.secrets.admin_token.as_ref().map(|token| token.reveal());
        let stored = store.admin_token_digest().await?;
        let Settled { token, store: digest, made } =
            AdminToken::settle(Digester::for_admin_token(&digest_key), configured, stored)
                .context("admin_token")?;
        if let Some(digest) = digest {
            store.put_admin_token_digest(&digest).await?;
        }
        let upstream = upstream::Settings::new(None)?;
        let directory = config.ldap.clone().map(Directory::new).transpose().context("ldap.ca_file")?;
        let settings = store.system_settings().await?;
        Ok(Self { store, sealer, digest_key, token, new_admin_token: made, upstream, directory, settings })
    }
}

/// The store, and what it seals with.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) sealer: Sealer,
    pub(super) keys: Keyring,
}

pub(super) fn open_store(config: &Config) -> anyhow::Result<Opened> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("data_dir: cannot make {}", config.data_dir.display()))?;
    let keys = config.secrets.load_keyring(&config.data_dir).context("sealing key")?;
    let sealer = Sealer::with(&keys);
    let store = Store::open(&config.store, sealer.clone()).context("store.url")?;
    Ok(Opened { store, sealer, keys })
}

/// Lays the foundation, waiting for a database that is away. Meanwhile `/readyz` says so, and everything else
/// is refused.
pub(super) async fn lay_when_there(config: &Config, listener: &TcpListener) -> anyhow::Result<Foundation> {
    let mut waiting: Option<ServerHandle> = None;
    loop {
        match Foundation::lay(config).await {
            Err(error) if error.downcast_ref().is_some_and(StoreError::is_temporary) => {
                if waiting.is_none() {
                    log::warn!("waiting for the database, nothing is served until it is there: {error:#}");
                    let server = HttpServer::new(|| App::new().configure(ops::configure_waiting));
                    let server = server.workers(1).disable_signals().listen(listener.try_clone()?)?.run();
                    waiting = Some(server.handle());
                    actix_web::rt::spawn(server);
                }
                sleep(TRY_AGAIN_AFTER).await;
            }
            laid => {
                if let Some(waiting) = waiting {
                    log::info!("the database is there");
                    waiting.stop(false).await;
                }
                return laid;
            }
        }
    }
}
