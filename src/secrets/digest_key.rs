//! The digest key: what all digests and marks are made with, and what stays when the sealing key is changed.
//!
//! Api keys are known by their digests alone, so what makes them cannot change without every caller getting a
//! new key. Therefore it is a key of its own: random, and kept in the database, sealed (C-10).

use std::fmt;

use super::{
    sealing::{SealError, Sealer},
    sealing_key::{SealingKey, hmac_sha256},
};

/// The name it is sealed under.
const RECORD: &str = "digest_key";

/// 32 secret bytes that the key of each kind of digest is derived from.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

impl DigestKey {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let mut key = [0; 32];
        rand::fill(&mut key);
        Self(key)
    }

    /// That of a database from before there was one: its digests were made with the sealing key itself.
    #[must_use]
    pub const fn of_old(key: &SealingKey) -> Self {
        Self(key.bytes())
    }

    /// As the database keeps it.
    #[must_use]
    pub fn sealed(&self, sealer: &Sealer) -> Vec<u8> {
        sealer.seal(&self.0, RECORD)
    }

    /// The one that the database keeps.
    ///
    /// # Errors
    /// When it is sealed under a key that `sealer` does not have, or was changed.
    pub fn open(sealer: &Sealer, blob: &[u8]) -> Result<Self, SealError> {
        let key = sealer.open(blob, RECORD)?;
        key.try_into().map(Self).map_err(|_| SealError::Malformed)
    }

    /// The same sealed anew, unless it is under the current key already.
    ///
    /// # Errors
    /// As [`DigestKey::open`].
    pub fn resealed(sealer: &Sealer, blob: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        sealer.resealed(blob, RECORD)
    }

    /// The key for one use.
    pub(super) fn derive(&self, label: &str) -> [u8; 32] {
        hmac_sha256(&self.0, label.as_bytes())
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::keyring::Keyring;

    fn sealing_key(byte: &str) -> SealingKey {
        SealingKey::parse(&byte.repeat(32)).unwrap()
    }

    #[test]
    fn c10_it_stays_the_same_under_another_sealing_key() {
        let (old, new) = (sealing_key("11"), sealing_key("22"));
        let key = DigestKey::generate();
        let blob = key.sealed(&Sealer::new(&old));
        let both = Sealer::with(&Keyring { current: new.clone(), also: vec![old.clone()] });
        let resealed = DigestKey::resealed(&both, &blob).unwrap().unwrap();
        assert_eq!(DigestKey::resealed(&both, &resealed), Ok(None));
        assert_eq!(DigestKey::open(&Sealer::new(&new), &resealed).unwrap().0, key.0);
        assert!(matches!(DigestKey::open(&Sealer::new(&old), &resealed), Err(SealError::OtherKey)));
    }

    #[test]
    fn no_two_are_the_same_and_none_shows_itself() {
        let (one, other) = (DigestKey::generate(), DigestKey::generate());
        assert_ne!(one.0, other.0);
        assert_eq!(format!("{one:?}"), "DigestKey(…)");
    }
}
