//! Tokens of console sessions: 256 random bits in a cookie, known by their digest, and what proves that a
//! request comes from a page of ours (C-19, C-21).

use subtle::ConstantTimeEq as _;

use super::{
    digest::{Digest, Digester, random_text},
    digest_key::DigestKey,
    sealing_key::hmac_sha256,
};

/// What a token begins with.
pub const PREFIX: &str = "sid_";
const RANDOM_CHARS: usize = 43;

/// Makes tokens and knows them again.
#[derive(Clone)]
pub struct SessionTokens {
    digester: Digester,
    csrf: [u8; 32],
}

impl SessionTokens {
    /// Those under this digest key.
    #[must_use]
    pub fn new(key: &DigestKey) -> Self {
        Self {
            digester: Digester::for_console_sessions(key),
            csrf: key.derive("pointsman/1/console-session-csrf"),
        }
    }

    /// A new token. It goes into the cookie and nowhere else.
    #[must_use]
    pub fn make(&self) -> String {
        format!("{PREFIX}{}", random_text(RANDOM_CHARS))
    }

    /// What a token is stored and looked up by.
    #[must_use]
    pub fn digest(&self, token: &str) -> Digest {
        self.digester.digest(token)
    }

    /// What a session remembers of what it rests on: of a password a digest of its hash, of a provider one of
    /// its name.
    #[must_use]
    pub fn proof(&self, rests_on: &str) -> Digest {
        self.digester.digest(rests_on)
    }

    /// What a page of ours sends along with a change. It says nothing about the token, which the page
    /// can't read.
    #[must_use]
    pub fn csrf(&self, token: &str) -> String {
        hex::encode(hmac_sha256(&self.csrf, token.as_bytes()))
    }

    /// Whether `presented` belongs to the token, in a time that does not tell how nearly.
    #[must_use]
    pub fn is_csrf(&self, token: &str, presented: &str) -> bool {
        self.csrf(token).as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::sealing_key::SealingKey;

    fn tokens(byte: &str) -> SessionTokens {
        SessionTokens::new(&DigestKey::of_old(&SealingKey::parse(&byte.repeat(32)).unwrap()))
    }

    #[test]
    fn c19_a_token_is_256_random_bits_that_fit_into_a_cookie() {
        let (one, other) = (tokens("11").make(), tokens("11").make());
        assert_ne!(one, other);
        let random = one.strip_prefix(PREFIX).unwrap();
        assert!(random.len() as f64 * 62f64.log2() >= 256.0);
        assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
    }

    #[test]
    fn c21_what_proves_a_page_belongs_to_one_session_and_is_not_its_digest() {
        let (ours, theirs) = (tokens("11"), tokens("22"));
        let token = ours.make();
        let csrf = ours.csrf(&token);
        assert!(ours.is_csrf(&token, &csrf));
        assert!(!ours.is_csrf(&ours.make(), &csrf) && !theirs.is_csrf(&token, &csrf));
        assert!(!ours.is_csrf(&token, "") && !ours.is_csrf(&token, &csrf[1..]));
        assert!(!ours.is_csrf(&token, &csrf.to_uppercase()));
        assert_ne!(csrf, ours.digest(&token).to_hex());
    }
}
