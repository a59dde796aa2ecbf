//! Effective limits: what each user and key is bound by once everything unset has been taken from above.
//!
//! A ledger compares limits by their address, so one is made anew only where it says something else: a
//! change of one user's limits leaves every other ledger alone.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::Limits,
};

use crate::store::DirectoryEntry;

/// The limits of all who have a key.
#[derive(Debug, Default)]
pub(super) struct Effective {
    users: HashMap<UserId, Arc<Limits>>,
    keys: HashMap<KeyId, Arc<Limits>>,
}

impl Effective {
    /// Adds the user and the key of an entry, and returns the limits of each: below the system's `defaults`,
    /// and the very ones of `before` where nothing changed.
    pub(super) fn add(
        &mut self,
        entry: &DirectoryEntry,
        defaults: &Limits,
        before: &Self,
    ) -> (Arc<Limits>, Arc<Limits>) {
        let user = entry.user_limits.inherit(defaults);
        let key = entry.key_limits.inherit(&user);
        let user =
            self.users.entry(entry.user_id).or_insert_with(|| kept(&before.users, entry.user_id, user));
        let user = Arc::clone(user);
        // A key that was rotated comes twice.
        let key = self.keys.entry(entry.key_id).or_insert_with(|| kept(&before.keys, entry.key_id, key));
        (user, Arc::clone(key))
    }

    /// What binds a user who has a key.
    pub(super) fn user(&self, id: UserId) -> Option<Arc<Limits>> {
        self.users.get(&id).cloned()
    }

    /// What binds a key.
    pub(super) fn key(&self, id: KeyId) -> Option<Arc<Limits>> {
        self.keys.get(&id).cloned()
    }
}

fn kept<Id: Eq + Hash>(before: &HashMap<Id, Arc<Limits>>, id: Id, limits: Limits) -> Arc<Limits> {
    before.get(&id).filter(|known| ***known == limits).cloned().unwrap_or_else(|| Arc::new(limits))
}
