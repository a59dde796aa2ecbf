//! Sealing: AES-256-GCM over what must be kept secret but read again (C-09).
//!
//! A blob is `1 | key id (8) | nonce (12) | ciphertext and tag`. The nonce is random for each
//! sealing. The first two parts and the name of the record are authenticated along with the
//! text, so a blob that was changed in any bit, or put into another row, does not open.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};

use super::sealing_key::SealingKey;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// Seals and opens under one sealing key.
#[derive(Clone)]
pub struct Sealer {
    cipher: Aes256Gcm,
    key_id: [u8; KEY_ID_BYTES],
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
    /// A sealer under `key`.
    #[must_use]
    pub fn new(key: &SealingKey) -> Self {
        let id = key.derive("pointsman/1/key-id");
        let key_id = id[..KEY_ID_BYTES].try_into().expect("a prefix of that length");
        Self { cipher: Aes256Gcm::new(&key.derive("pointsman/1/seal").into()), key_id }
    }

    /// Seals `secret` for `record`, a name that no other place has.
    #[must_use]
    pub fn seal(&self, secret: &[u8], record: &str) -> Vec<u8> {
        let nonce = fresh_nonce();
        let mut blob = vec![FORMAT];
        blob.extend_from_slice(&self.key_id);
        let associated = associated(&blob, record);
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), Payload { msg: secret, aad: &associated })
            .expect("GCM takes texts up to 64 GB");
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        blob
    }

    /// Opens what was sealed for `record`.
    ///
    /// # Errors
    /// When the blob is not ours, from another key, changed, or another record's.
    pub fn open(&self, blob: &[u8], record: &str) -> Result<Vec<u8>, SealError> {
        let (head, rest) = blob.split_at_checked(HEAD_BYTES).ok_or(SealError::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Malformed)?;
        if head[0] != FORMAT {
            return Err(SealError::Malformed);
        }
        if head[1..] != self.key_id {
            return Err(SealError::OtherKey);
        }
        let associated = associated(head, record);
        self.cipher
            .decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &associated })
            .map_err(|_| SealError::Tampered)
    }
}

fn associated(head: &[u8], record: &str) -> Vec<u8> {
    [head, record.as_bytes()].concat()
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
