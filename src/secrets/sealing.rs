//! Sealing: AES-256-GCM over what must be kept secret but read again (C-09).
//!
//! A blob is `1 | key id (8) | nonce (12) | ciphertext and tag`. The nonce is random for each
//! sealing. The first two parts and the name of the record are authenticated along with the
//! text, so a blob that was changed in any bit, or put into another row, does not open.
//!
//! A sealer seals with one key and opens with that and others, since a blob tells whose it is. The keys can be
//! replaced while it is in use: so the sealing key is changed without an interruption (C-10).

use std::sync::Arc;

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use arc_swap::ArcSwap;

use super::{keyring::Keyring, sealing_key::SealingKey};

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// Seals with one key and opens with several. Those who share one see the same keys.
#[derive(Clone)]
pub struct Sealer(Arc<ArcSwap<Ciphers>>);

/// One cipher for each key.
struct Ciphers {
    current: Cipher,
    also: Vec<Cipher>,
}

struct Cipher {
    cipher: Aes256Gcm,
    /// What its blobs begin with.
    head: [u8; HEAD_BYTES],
}

/// Why a blob does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a blob of ours.
    #[error("not a sealed value")]
    Malformed,
    /// Sealed under another key.
    #[error("sealed under another sealing key")]
    OtherKey,
    /// Changed since, or sealed for another record.
    #[error("sealed value was changed or belongs to another record")]
    Tampered,
}

impl Sealer {
    /// A sealer with one key.
    #[must_use]
    pub fn new(key: &SealingKey) -> Self {
        Self::with(&Keyring { current: key.clone(), also: Vec::new() })
    }

    /// A sealer with these keys.
    #[must_use]
    pub fn with(keys: &Keyring) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Ciphers::of(keys))))
    }

    /// From now on it has these keys.
    pub fn replace(&self, keys: &Keyring) {
        self.0.store(Arc::new(Ciphers::of(keys)));
    }

    /// Seals `secret` for `record`, a name that no other place has.
    #[must_use]
    pub fn seal(&self, secret: &[u8], record: &str) -> Vec<u8> {
        self.0.load().current.seal(secret, record)
    }

    /// Opens what was sealed for `record`.
    ///
    /// # Errors
    /// When the blob is not ours, from a key that is not here, changed, or another record's.
    pub fn open(&self, blob: &[u8], record: &str) -> Result<Vec<u8>, SealError> {
        self.0.load().open(blob, record)
    }

    /// The same sealed anew with the current key; none, and nothing is looked at, where it is sealed with that one.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn resealed(&self, blob: &[u8], record: &str) -> Result<Option<Vec<u8>>, SealError> {
        let ciphers = self.0.load();
        if blob.starts_with(&ciphers.current.head) {
            return Ok(None);
        }
        Ok(Some(ciphers.current.seal(&ciphers.open(blob, record)?, record)))
    }

    /// What blobs of the current key begin with.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        self.0.load().current.head.to_vec()
    }

    /// The names of the keys in hex: that of the current one, and those of the others. They tell nothing of the keys.
    #[must_use]
    pub fn key_ids(&self) -> (String, Vec<String>) {
        let ciphers = self.0.load();
        (ciphers.current.id(), ciphers.also.iter().map(Cipher::id).collect())
    }
}

impl Ciphers {
    fn of(keys: &Keyring) -> Self {
        Self { current: Cipher::new(&keys.current), also: keys.also.iter().map(Cipher::new).collect() }
    }

    fn open(&self, blob: &[u8], record: &str) -> Result<Vec<u8>, SealError> {
        let (head, _) = blob.split_at_checked(HEAD_BYTES).ok_or(SealError::Malformed)?;
        if head[0] != FORMAT {
            return Err(SealError::Malformed);
        }
        let mut ciphers = [&self.current].into_iter().chain(&self.also);
        ciphers.find(|cipher| cipher.head == head).ok_or(SealError::OtherKey)?.open(blob, record)
    }
}

impl Cipher {
    fn new(key: &SealingKey) -> Self {
        let mut head = [FORMAT; HEAD_BYTES];
        head[1..].copy_from_slice(&key.derive("pointsman/1/key-id")[..KEY_ID_BYTES]);
        Self { cipher: Aes256Gcm::new(&key.derive("pointsman/1/seal").into()), head }
    }

    fn id(&self) -> String {
        hex::encode(&self.head[1..])
    }

    fn seal(&self, secret: &[u8], record: &str) -> Vec<u8> {
        let nonce = fresh_nonce();
        let associated = self.associated(record);
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), Payload { msg: secret, aad: &associated })
            .expect("GCM takes texts up to 64 GB");
        [&self.head[..], &nonce, &sealed].concat()
    }

    fn open(&self, blob: &[u8], record: &str) -> Result<Vec<u8>, SealError> {
        let sealed = &blob[HEAD_BYTES..];
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Malformed)?;
        let associated = self.associated(record);
        self.cipher
            .decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &associated })
            .map_err(|_| SealError::Tampered)
    }

    fn associated(&self, record: &str) -> Vec<u8> {
        [&self.head[..], record.as_bytes()].concat()
    }
}

fn fresh_nonce() -> [u8; NONCE_BYTES] {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: &str) -> Sealer {
        Sealer::new(&SealingKey::parse(&byte.repeat(32)).unwrap())
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let sealer = sealer("11");
        for secret in ["", "sk-ant-1", &"x".repeat(10_000)] {
            let blob = sealer.seal(secret.as_bytes(), "providers/1");
            assert_eq!(sealer.open(&blob, "providers/1").unwrap(), secret.as_bytes());
        }
    }

    #[test]
    fn c09_a_blob_put_into_another_row_is_refused() {
        let sealer = sealer("11");
        let blob = sealer.seal(b"secret", "providers/1");
        assert_eq!(sealer.open(&blob, "providers/2"), Err(SealError::Tampered));
        assert_eq!(sealer.open(&blob, "providers/11"), Err(SealError::Tampered));
    }

    #[test]
    fn c09_a_blob_changed_in_any_bit_is_refused() {
        let sealer = sealer("11");
        let blob = sealer.seal(b"secret", "providers/1");
        for bit in 0..blob.len() * 8 {
            let mut changed = blob.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(&changed, "providers/1").is_err(), "bit {bit}");
        }
        for length in 0..blob.len() {
            assert!(sealer.open(&blob[..length], "providers/1").is_err(), "length {length}");
        }
    }

    #[test]
    fn a_blob_of_another_key_is_told_apart_from_a_damaged_one() {
        let blob = sealer("11").seal(b"secret", "providers/1");
        assert_eq!(sealer("22").open(&blob, "providers/1"), Err(SealError::OtherKey));
    }

    #[test]
    fn c10_blobs_of_several_keys_open_and_are_sealed_anew_with_the_current_one() {
        let key = |byte: &str| SealingKey::parse(&byte.repeat(32)).unwrap();
        let (old, new) = (sealer("11"), sealer("22"));
        let both = sealer("33");
        both.clone().replace(&Keyring { current: key("22"), also: vec![key("33"), key("11")] });
        let blob = old.seal(b"secret", "providers/1");
        assert_eq!(both.open(&blob, "providers/1").unwrap(), b"secret");
        assert_eq!(both.resealed(&blob, "providers/2"), Err(SealError::Tampered));
        let anew = both.resealed(&blob, "providers/1").unwrap().unwrap();
        assert!(anew.starts_with(&both.head()) && both.head() == new.head());
        assert_eq!(new.open(&anew, "providers/1").unwrap(), b"secret");
        assert_eq!(old.open(&anew, "providers/1"), Err(SealError::OtherKey));
        assert_eq!(both.resealed(&anew, "providers/1"), Ok(None));
        assert_eq!(new.resealed(&blob, "providers/1"), Err(SealError::OtherKey));
        let (current, also) = both.key_ids();
        assert_eq!((current, &also[1]), (new.key_ids().0, &old.key_ids().0));
    }

    #[test]
    fn c09_no_nonce_comes_twice_in_a_million() {
        let mut nonces: Vec<_> = (0..1_000_000).map(|_| fresh_nonce()).collect();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), 1_000_000);
    }

    #[test]
    fn c09_equal_secrets_look_different_each_time() {
        let sealer = sealer("11");
        let one = sealer.seal(b"secret", "providers/1");
        let two = sealer.seal(b"secret", "providers/1");
        assert_ne!(one[HEAD_BYTES..], two[HEAD_BYTES..]);
        assert!(!one.windows(6).any(|window| window == b"secret"));
    }
}
