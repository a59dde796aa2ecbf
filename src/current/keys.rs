//! The key directory: every api key by its digest, in memory, so that no request waits for the database.
//!
//! It is a snapshot, made anew after each change an operator makes. A request sees one version of it from
//! start to end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::Limits,
    restrictions::CallerRules,
};
use chrono::{DateTime, Utc};

use crate::{
    secrets::digest::{Digest, Digester},
    store::{Role, SystemSettings},
};

/// One version of the directory, shared by all workers.
pub struct KeyDirectory {
    digester: Digester,
    keys: HashMap<Digest, Caller>,
}

/// Whoever an api key has identified.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key.
    pub key: KeyId,
    /// Its owner.
    pub user: UserId,
    /// The key's groups, or its owner's where the key names none.
    pub groups: Arc<[String]>,
    /// What bounds the owner and all the owner's keys together. The same value as long as nothing changed.
    pub user_limits: Arc<Limits>,
    /// What bounds this key alone. The same value as long as nothing changed.
    pub key_limits: Arc<Limits>,
    /// What may be asked for, and with which programs; none where all may.
    pub rules: Option<Arc<CallerRules>>,
    /// The settings that came with the limits, so that a request goes by one version of both (I-52).
    pub settings: Arc<SystemSettings>,
    /// Whether key and owner are both enabled.
    pub enabled: bool,
    /// The earlier of the key's and its owner's end.
    pub expires_at: Option<DateTime<Utc>>,
    /// What counts on the control plane.
    pub badge: Arc<Badge>,
}

/// Who comes with a key, for the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The owner's role.
    pub role: Role,
    /// Whether the key carries it.
    pub web_login: bool,
    /// Owner and key, as the audit log names them.
    pub name: Arc<str>,
}

impl KeyDirectory {
    /// A directory of these.
    #[must_use]
    pub fn new(digester: Digester, entries: impl IntoIterator<Item = (Digest, Caller)>) -> Self {
        Self { digester, keys: entries.into_iter().collect() }
    }

    /// Whose key this is, whether it may be used or not. The whole digest is compared (C-02).
    #[must_use]
    pub fn find(&self, presented: &str) -> Option<Caller> {
        self.keys.get(&self.digester.digest(presented)).cloned()
    }

    /// The keys of a user. One that is being rotated has two texts and is one key.
    #[must_use]
    pub fn of_user(&self, user: UserId) -> BTreeSet<KeyId> {
        self.keys.values().filter(|caller| caller.user == user).map(|caller| caller.key).collect()
    }
}
