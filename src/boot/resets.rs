//! What an operator does beside a server that does not run: another admin token, and beginning anew without the
//! sealing key.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail};

use super::{
    foundation::{Opened, open_store},
    pid_file,
};
use crate::{
    config::Config,
    secrets::{admin_token::AdminToken, digest::Digester},
    store::{Author, Forgotten},
};

/// Makes a new admin token, prints it and stores its digest.
///
/// # Errors
/// When the database can't be written, or the token is set from outside.
pub async fn reset_admin_token(config: Config) -> anyhow::Result<()> {
    if config.secrets.admin_token.is_some() {
        bail!("admin_token is set in the configuration; change it there");
    }
    let Opened { store, keys, .. } = open_store(&config)?;
    store.migrate().await.context("migrations")?;
    let digest_key = store.digest_key(&keys).await?;
    let settled = AdminToken::settle(Digester::for_admin_token(&digest_key), None, None)?;
    if let (Some(digest), Some(token)) = (settled.store, settled.made) {
        store.put_admin_token_digest(&digest).await?;
        writeln!(io::stdout(), "{token}")?;
    }
    Ok(())
}

/// Begins anew with the configured sealing key, where the one in use is lost, and says what that has cost.
///
/// # Errors
/// When a server runs, nothing is lost, nobody says that this is meant, or the database can't be written.
pub async fn reset_sealing_key(config: Config, meant: bool) -> anyhow::Result<()> {
    if let Some(server) = pid_file::running(&config.data_dir).context("data_dir")? {
        bail!(
            "a server runs on this data directory (process {server}): it has a key that opens the database"
        );
    }
    let Opened { store, .. } = open_store(&config)?;
    store.migrate().await.context("migrations")?;
    if store.opens().await? {
        bail!("the database opens with the sealing key that is configured: nothing is lost");
    }
    if !meant {
        bail!(
            "this forgets what does not open: credentials of providers and, where the key that digests are made with \
             is among it, every api key, console session and admin token. If there is a copy of the sealing key \
             anywhere, put it back instead. If there is none: --yes"
        );
    }
    let author = Author { who: "reset-sealing-key".into(), address: None };
    let Forgotten { digest_key, providers } = store.signed(author).begin_anew().await?;
    let mut out = io::stdout().lock();
    writeln!(out, "The sealing key that is configured counts from now on.")?;
    if !providers.is_empty() {
        writeln!(out, "Disabled until they are given a credential: {}", providers.join(", "))?;
    }
    if digest_key {
        writeln!(
            out,
            "Api keys count again once they are rotated. The next start prints a new admin token."
        )?;
    }
    Ok(())
}
