//! The sealing key while the server runs: which keys it has, how the one in the data directory is changed without
//! an interruption, and that everything is sealed anew afterwards (C-10).
//!
//! A server with more than one key looks once a minute whether something is sealed with another one than its
//! current one, and seals that anew. With several servers, each with its own order of keys while they are
//! restarted one by one, values may go back and forth until all have the same current key; all can open them.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix_web::web;
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};

use crate::{
    config::secrets::{KeySource, SecretSettings},
    secrets::{
        keyring::{ChangeError, Keyring},
        sealing::Sealer,
    },
    store::{Pass, SealReport, Store, StoreError},
};

/// How often a server with several keys looks.
const EVERY: Duration = Duration::from_secs(60);

/// What it works with.
pub struct Parts {
    /// Where sealed values are.
    pub store: Store,
    /// What they are sealed and opened with.
    pub sealer: Sealer,
    /// Where keys come from.
    pub secrets: SecretSettings,
    /// Where the key lies unless it is given.
    pub data_dir: PathBuf,
}

/// Changes the sealing key, and has everything sealed with the current one.
pub struct Resealer {
    parts: Parts,
    /// What the last pass found; none before the first one.
    last: RwLock<Option<SealReport>>,
    changing: Mutex<()>,
    look: Notify,
}

/// The keys that a server has, by name, and what is sealed with which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The one it seals with.
    pub current: String,
    /// Those it opens with as well.
    pub also: Vec<String>,
    /// What is sealed with another one than the current one.
    pub report: SealReport,
}

/// Why the key is not changed.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged {
    /// It does not lie in the data directory.
    #[error("the sealing key is given by the configuration")]
    Given,
    /// The files don't allow it.
    #[error(transparent)]
    Files(#[from] ChangeError),
}

impl Resealer {
    /// Nothing is looked at before [`Resealer::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, last: RwLock::default(), changing: Mutex::default(), look: Notify::new() }
    }

    /// Has everything sealed with the current key, until the server stops.
    pub async fn run(self: Arc<Self>) {
        loop {
            let done = self.pass().await;
            if let Err(error) = &done {
                log::warn!("sealing: {error}");
            }
            if done.is_ok() && self.parts.sealer.key_ids().1.is_empty() {
                self.look.notified().await;
            } else {
                // Whether it was woken or it is time makes no difference.
                let _ = timeout(EVERY, self.look.notified()).await;
            }
        }
    }

    /// How many values were sealed with another key when somebody last looked.
    #[must_use]
    pub fn last(&self) -> Option<SealReport> {
        *self.last.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, and what is sealed with which at this moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let (current, also) = self.parts.sealer.key_ids();
        Ok(Standing { current, also, report: self.parts.store.seals(Pass::Look).await? })
    }

    /// Puts a new key in the place of the one in the data directory, and seals with it from now on. What is
    /// sealed already is sealed anew in the background. Gives the names of the key before and of the new one.
    ///
    /// # Errors
    /// When the key is given from outside, or the files don't allow it; then everything is as before.
    pub async fn change(&self) -> Result<(String, String), Unchanged> {
        let _turn = self.changing.lock().await;
        let (before, _) = self.parts.sealer.key_ids();
        let keys = self.put_new_key().await?;
        self.parts.sealer.replace(&keys);
        self.look.notify_one();
        let (current, _) = self.parts.sealer.key_ids();
        log::info!(key = current.as_str(); "sealing: the key was changed; everything is being sealed anew");
        Ok((before, current))
    }

    async fn put_new_key(&self) -> Result<Keyring, Unchanged> {
        let Parts { secrets, data_dir, .. } = &self.parts;
        if !matches!(secrets.sealing_key, KeySource::DataDirectory) {
            return Err(Unchanged::Given);
        }
        let (secrets, data_dir) = (secrets.clone(), data_dir.clone());
        let changed = web::block(move || {
            Keyring::change_in_directory(&data_dir)?;
            Ok::<_, ChangeError>(secrets.load_keyring(&data_dir)?)
        });
        // The thread only fails to answer when it panics.
        Ok(changed.await.map_err(|_| ChangeError::Died)??)
    }

    /// Seals anew what another key has sealed, and remembers what is left.
    async fn pass(&self) -> Result<(), StoreError> {
        let report = self.parts.store.seals(Pass::Reseal).await?;
        let before = self.last.write().unwrap_or_else(PoisonError::into_inner).replace(report);
        let (anew, left) = (report.total().anew, report.total().left);
        if anew > 0 {
            log::info!("sealing: {anew} values were sealed anew");
        }
        let was_left = before.map(|before| before.total().left);
        if left > 0 && was_left != Some(left) {
            log::warn!("sealing: {left} values are sealed with a key that is not here: {}", sorts(&report));
        }
        let done = left == 0 && (anew > 0 || was_left.is_some_and(|left| left > 0));
        if done && !self.parts.sealer.key_ids().1.is_empty() {
            log::info!("sealing: nothing is sealed with another key any more, this one alone is enough");
        }
        Ok(())
    }
}

/// What is left of each sort, for the log.
fn sorts(report: &SealReport) -> String {
    let left = report.sorts().into_iter().filter(|(_, seals)| seals.left > 0);
    left.map(|(sort, seals)| format!("{sort} {}", seals.left)).collect::<Vec<_>>().join(", ")
}
