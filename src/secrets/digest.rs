//! Api keys: how they are made, and the digest they are known by (C-02).
//!
//! A key is `sk-` and 43 characters out of 62, which is 256 random bits. It is shown once; stored
//! and looked up is the HMAC-SHA-256 of the whole of it, under a key derived from the
//! digest key.
//! A fast digest is right here: what is random in 256 bits cannot be guessed, however fast.

use std::fmt;

use rand::RngExt as _;
use subtle::ConstantTimeEq as _;

use super::{digest_key::DigestKey, sealing_key::hmac_sha256};

const PREFIX: &str = "sk-";
const RANDOM_CHARS: usize = 43;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a secret is known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(super) const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, as stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A stored digest; none unless it has exactly 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A digest written in hex.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_slice(&hex::decode(text).ok()?)
    }

    /// The digest in hex.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Whether two digests are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// Makes digests of one kind of secret.
#[derive(Clone)]
pub struct Digester([u8; 32]);

impl Digester {
    /// The digester for api keys.
    #[must_use]
    pub fn for_api_keys(key: &DigestKey) -> Self {
        Self(key.derive("pointsman/1/api-keys"))
    }

    /// The digester for the admin token.
    #[must_use]
    pub fn for_admin_token(key: &DigestKey) -> Self {
        Self(key.derive("pointsman/1/admin-token"))
    }

    /// The digester for the tokens of console sessions.
    #[must_use]
    pub fn for_console_sessions(key: &DigestKey) -> Self {
        Self(key.derive("pointsman/1/console-sessions"))
    }

    /// The digest of the whole of `secret`.
    #[must_use]
    pub fn digest(&self, secret: &str) -> Digest {
        Digest(hmac_sha256(&self.0, secret.as_bytes()))
    }
}

/// A key that was just made: the only moment at which it can be shown.
#[derive(Clone)]
pub struct NewApiKey {
    secret: String,
    /// What it will be known by.
    pub digest: Digest,
}

impl NewApiKey {
    /// Makes a key.
    #[must_use]
    pub fn generate(digester: &Digester) -> Self {
        let secret = format!("{PREFIX}{}", random_text(RANDOM_CHARS));
        let digest = digester.digest(&secret);
        Self { secret, digest }
    }

    /// The key itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.secret
    }

    /// The characters it may be recognised by in lists.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.secret[..PREFIX.len() + 4]
    }

    /// Its last four characters.
    #[must_use]
    pub fn last_four(&self) -> &str {
        &self.secret[self.secret.len() - 4..]
    }
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewApiKey({}…{})", self.prefix(), self.last_four())
    }
}

/// Letters and digits, each chosen evenly; 5.95 random bits a character.
pub(super) fn random_text(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::secrets::sealing_key::SealingKey;

    fn digester(byte: &str) -> Digester {
        Digester::for_api_keys(&DigestKey::of_old(&SealingKey::parse(&byte.repeat(32)).unwrap()))
    }

    #[test]
    fn c02_a_key_has_at_least_192_random_bits_in_its_own_alphabet() {
        let bits = RANDOM_CHARS as f64 * (ALPHABET.len() as f64).log2();
        assert!(bits >= 192.0, "{bits}");
        let key = NewApiKey::generate(&digester("11"));
        let random = key.reveal().strip_prefix("sk-").unwrap();
        assert_eq!(random.len(), RANDOM_CHARS);
        assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)));
        let many: HashSet<_> =
            (0..1_000).map(|_| NewApiKey::generate(&digester("11")).reveal().to_owned()).collect();
        assert_eq!(many.len(), 1_000);
    }

    #[test]
    fn c02_the_digest_is_of_the_whole_key_and_bound_to_the_digest_key() {
        let shared = "sk-".to_owned() + &"a".repeat(60);
        let one = digester("11").digest(&format!("{shared}1"));
        assert!(!one.matches(&digester("11").digest(&format!("{shared}2"))));
        assert!(!one.matches(&digester("22").digest(&format!("{shared}1"))));
        assert!(one.matches(&digester("11").digest(&format!("{shared}1"))));
    }

    /// What stands in databases from before there was a digest key; reckoned by another program.
    #[test]
    fn c10_digests_of_old_are_still_the_same() {
        let old = DigestKey::of_old(&SealingKey::parse(&"11".repeat(32)).unwrap());
        for (digester, secret, digest) in [
            (
                Digester::for_api_keys(&old),
                "sk-1",
                "1c0cc40ea1d9b92735a46bfe2d25b266cd3b1de37cf6ed81eaefcf0578b300eb",
            ),
            (
                Digester::for_admin_token(&old),
                "hT7kq2ZwPm4LsVx9",
                "00ba6b66b36a46b1487931e4af052629fdc4cf0c1f76122e8d018729ebeb41d1",
            ),
            (
                Digester::for_console_sessions(&old),
                "sid_1",
                "2b9d06df4f83f7c8f6cf2cbabff18698df6acfa05bfa141137f329404ca0df19",
            ),
        ] {
            assert_eq!(digester.digest(secret).to_hex(), digest, "{secret}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself_by_accident() {
        let key = NewApiKey::generate(&digester("11"));
        let shown = format!("{key:?} {:?}", key.digest);
        assert!(!shown.contains(key.reveal()), "{shown}");
        assert!(!shown.contains(&key.digest.to_hex()), "{shown}");
        assert_eq!((key.prefix().len(), key.last_four().len()), (7, 4));
    }

    #[test]
    fn a_digest_survives_being_written_down() {
        let digest = digester("11").digest("sk-x");
        assert_eq!(Digest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(Digest::from_slice(&digest.as_bytes()[..31]), None);
    }
}
