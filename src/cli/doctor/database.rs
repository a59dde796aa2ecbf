//! Is the database there, at this version, and writable; and does the sealing key open what is in it.

use std::fs;

use super::{finding::Finding, upstreams::Place};
use crate::{
    config::{Config, secrets::KeySource, store::StoreUrl},
    secrets::{
        keyring::Keyring,
        sealing::Sealer,
        sealing_key::{FILE_NAME, KeyError, SealingKey},
    },
    store::{Pass, Store, StoreError, backup},
};

const DATABASE: &str = "database";
const SEALING: &str = "sealing_key";

/// Looks, and gives the providers if they could be read.
pub(super) async fn look(config: &Config, findings: &mut Vec<Finding>) -> Option<Vec<Place>> {
    let keys = match keys(config) {
        Ok(keys) => keys,
        Err(error) => {
            findings.push(Finding::bad(SEALING, error.to_string(), mend_of_key(&error)));
            return None;
        }
    };
    if let StoreUrl::Sqlite(path) = &config.store.url
        && !path.exists()
    {
        let shown = path.display();
        findings.push(Finding::ok(DATABASE, format!("{shown} is not there yet: the first start makes it")));
        findings.push(Finding::ok(SEALING, "nothing is sealed yet"));
        return None;
    }
    // Any key does for looking at what is not sealed, and tells by failing that something is.
    let sealer = Sealer::with(keys.as_ref().unwrap_or(&throw_away()?));
    let store = match Store::open(&config.store, sealer) {
        Ok(store) => store,
        Err(error) => {
            findings.push(away(&error));
            return None;
        }
    };
    if let Err(error) = store.ping().await {
        findings.push(away(&error));
        return None;
    }
    if !schema(config, &store, findings).await {
        return None;
    }
    findings.push(writable(config));
    let places = sealed(config, &store, keys.is_some(), findings).await?;
    findings.extend(sealed_otherwise(&store, keys.is_some()).await);
    Some(places)
}

/// The keys without making one; none where the first start would make it.
fn keys(config: &Config) -> Result<Option<Keyring>, KeyError> {
    let absent = matches!(config.secrets.sealing_key, KeySource::DataDirectory)
        && !fs::exists(config.data_dir.join(FILE_NAME)).unwrap_or(true);
    if absent { Ok(None) } else { config.secrets.load_keyring(&config.data_dir).map(Some) }
}

fn throw_away() -> Option<Keyring> {
    Some(Keyring { current: SealingKey::parse(&"00".repeat(32)).ok()?, also: Vec::new() })
}

fn mend_of_key(error: &KeyError) -> String {
    match error {
        KeyError::TooOpen { path, .. } => format!("chmod 0600 {}", path.display()),
        _ => "put back the key that was in use; a new one opens no credential and knows no key of a caller"
            .to_owned(),
    }
}

fn away(error: &StoreError) -> Finding {
    let cause = error.to_string();
    let mend = match &*cause {
        text if text.contains("password authentication failed") || text.contains("no pg_hba.conf entry") => {
            "correct user and password in store.url (DATABASE_URL), or the server's pg_hba.conf"
        }
        text if text.contains("does not exist") => {
            "make the database and the role (createdb, createuser), or correct store.url (DATABASE_URL)"
        }
        text if text.contains("lookup") || text.contains("resolve") => {
            "the host in store.url (DATABASE_URL) has no address: correct it, or look at DNS"
        }
        text if text.contains("certificate") || text.contains("tls") => {
            "let the server show a certificate this machine trusts, or say sslmode=disable in store.url if the way to it is safe"
        }
        text if text.contains("not a database") => {
            "the file that store.url names is something else; point it elsewhere"
        }
        _ => "is the database running, and are host, port and path in store.url (DATABASE_URL) right?",
    };
    Finding::bad(DATABASE, cause, mend)
}

async fn schema(config: &Config, store: &Store, findings: &mut Vec<Finding>) -> bool {
    let kind = config.store.url.kind();
    match store.pending_migrations().await {
        Ok(pending) if pending.is_empty() => {
            findings.push(Finding::ok(DATABASE, format!("{kind} answers and is at this version")));
            true
        }
        Ok(pending) => {
            let cause = format!("{kind} answers; {} migrations are not applied", pending.len());
            let mend = if config.store.auto_migrate {
                "the next start applies them"
            } else {
                "run `pointsman migrate`"
            };
            findings.push(Finding::warning(DATABASE, cause, mend));
            false
        }
        Err(error) => {
            findings.push(away(&error));
            false
        }
    }
}

fn writable(config: &Config) -> Finding {
    const CHECK: &str = "database_write";
    let StoreUrl::Sqlite(path) = &config.store.url else {
        return Finding::skipped(CHECK, "only looked at for SQLite");
    };
    match backup::probe_sqlite_write(path) {
        Ok(()) => Finding::ok(CHECK, "it can be written"),
        Err(error) => Finding::bad(
            CHECK,
            error.to_string(),
            format!(
                "let the server's user write {} and its directory; is another program holding it?",
                path.display()
            ),
        ),
    }
}

async fn sealed(
    config: &Config,
    store: &Store,
    has_key: bool,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Place>> {
    let place = config.data_dir.join(FILE_NAME);
    let opened = match store.opens().await {
        Ok(true) => store.providers().await,
        Ok(false) => Err(StoreError::OtherSealingKey),
        Err(error) => Err(error),
    };
    match opened {
        Ok(cards) => {
            let what = if has_key {
                "it opens what is sealed"
            } else {
                "nothing is sealed yet: the first start makes it"
            };
            findings.push(Finding::ok(SEALING, what));
            Some(
                cards
                    .into_iter()
                    .map(|card| Place::new(card.name, card.base_url, card.allow_private_network))
                    .collect(),
            )
        }
        Err(error) if error.is_temporary() => {
            findings.push(away(&error));
            None
        }
        Err(error) if error != StoreError::OtherSealingKey => {
            let mend = "a row is damaged, or of a later version: mend it, or go back to a backup";
            findings.push(Finding::bad(DATABASE, error.to_string(), mend));
            None
        }
        Err(error) => {
            let cause = if has_key {
                error.to_string()
            } else {
                format!("{} is missing, and what is in the database is sealed with it", place.display())
            };
            let mend = "put back the key that was in use (its backup, SEALING_KEY or SEALING_KEY_FILE). If it is \
                        lost: `pointsman reset-sealing-key`";
            findings.push(Finding::bad(SEALING, cause, mend));
            None
        }
    }
}

/// Whether something is still sealed with another key than the current one.
async fn sealed_otherwise(store: &Store, has_key: bool) -> Option<Finding> {
    let left = store.seals(Pass::Look).await.ok()?.total().left;
    let mend = "keep that key in sealing_key_also (or as sealing.key.old) until the running server has sealed it anew";
    let cause = format!("{left} values are sealed with another key than the current one");
    (has_key && left > 0).then(|| Finding::warning(SEALING, cause, mend))
}
