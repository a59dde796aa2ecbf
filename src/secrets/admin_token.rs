//! The admin token: no default, no weak value, and only its digest is kept (C-01).
//!
//! | configured | stored digest | what happens |
//! |---|---|---|
//! | yes, strong | any | it counts from now on; its digest replaces the stored one |
//! | yes, weak | any | the server does not start |
//! | no | yes | the stored one goes on counting |
//! | no | no | one is made, to be printed once |

use super::digest::{Digest, Digester, random_text};

const SHORTEST: usize = 16;
const FEWEST_KINDS: usize = 6;
/// Words that show a value was copied from an example.
const EXAMPLES: [&str; 10] = [
    "change",
    "default",
    "example",
    "password",
    "secret-token",
    "your",
    "admin-token",
    "placeholder",
    "12345678",
    "qwerty",
];

/// Checks presented tokens against the one that counts.
#[derive(Clone)]
pub struct AdminToken {
    digester: Digester,
    digest: Digest,
}

/// The token that counts, and what is left to do about it.
pub struct Settled {
    /// Checks presented tokens.
    pub token: AdminToken,
    /// The digest to store, where it differs from the stored one.
    pub store: Option<Digest>,
    /// The token that was made, to be printed once and then forgotten.
    pub made: Option<String>,
}

/// Why a configured token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too few characters.
    #[error("has fewer than {SHORTEST} characters")]
    Short,
    /// Too few different characters.
    #[error("has fewer than {FEWEST_KINDS} different characters")]
    Monotonous,
    /// Made of words from examples.
    #[error("looks like an example value")]
    Example,
}

impl AdminToken {
    /// Decides which token counts.
    ///
    /// # Errors
    /// When the configured one is weak.
    pub fn settle(
        digester: Digester,
        configured: Option<&str>,
        stored: Option<Digest>,
    ) -> Result<Settled, Weak> {
        let (digest, made) = match (configured, stored) {
            (Some(token), _) => {
                check_strength(token)?;
                (digester.digest(token), None)
            }
            (None, Some(digest)) => (digest, None),
            (None, None) => {
                let token = format!("pm-{}", random_text(40));
                (digester.digest(&token), Some(token))
            }
        };
        let store = (stored != Some(digest)).then_some(digest);
        Ok(Settled { token: Self { digester, digest }, store, made })
    }

    /// What the token that counts is known by.
    #[must_use]
    pub const fn known_by(&self) -> &Digest {
        &self.digest
    }

    /// Whether `presented` is the admin token, in a time that does not tell how nearly.
    #[must_use]
    pub fn accepts(&self, presented: &str) -> bool {
        self.digester.digest(presented).matches(&self.digest)
    }
}

/// Refuses a token that could be guessed.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_strength(token: &str) -> Result<(), Weak> {
    if token.chars().count() < SHORTEST {
        return Err(Weak::Short);
    }
    let lower = token.to_lowercase();
    let mut kinds: Vec<char> = lower.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < FEWEST_KINDS {
        return Err(Weak::Monotonous);
    }
    // A long random value may contain a word by chance; one that is mostly the word may not pass.
    if EXAMPLES.iter().any(|word| lower.contains(word)) && token.len() < 2 * SHORTEST {
        return Err(Weak::Example);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{digest_key::DigestKey, sealing_key::SealingKey};

    fn digester() -> Digester {
        Digester::for_admin_token(&DigestKey::of_old(&SealingKey::parse(&"11".repeat(32)).unwrap()))
    }

    #[test]
    fn c01_weak_values_are_refused() {
        for (token, why) in [
            ("", Weak::Short),
            ("change-me", Weak::Short),
            ("123456789012345", Weak::Short),
            ("éééééééé", Weak::Short),
            ("aaaaaaaaaaaaaaaaaaaa", Weak::Monotonous),
            ("abababababababababab", Weak::Monotonous),
            ("                    ", Weak::Monotonous),
            ("aAaAaAbBbBbBaAaAbB12", Weak::Monotonous),
            ("change-me-change-me", Weak::Example),
            ("your-admin-token-here", Weak::Example),
            ("Password123456789!", Weak::Example),
            ("1234567890abcdef", Weak::Example),
        ] {
            assert_eq!(check_strength(token), Err(why), "{token}");
            assert!(AdminToken::settle(digester(), Some(token), None).is_err(), "{token}");
        }
        assert_eq!(check_strength("hT7kq2ZwPm4LsVx9"), Ok(()));
    }

    #[test]
    fn c01_the_first_start_makes_a_token_and_later_ones_remember_it() {
        let first = AdminToken::settle(digester(), None, None).unwrap();
        let made = first.made.unwrap();
        assert_eq!(check_strength(&made), Ok(()));
        assert!(first.token.accepts(&made));
        let second = AdminToken::settle(digester(), None, first.store).unwrap();
        assert!(second.made.is_none() && second.store.is_none());
        assert!(second.token.accepts(&made));
        assert!(!second.token.accepts(""));
        assert!(!second.token.accepts(&made[..made.len() - 1]));
    }

    #[test]
    fn a_configured_token_replaces_the_stored_one() {
        let old = AdminToken::settle(digester(), None, None).unwrap();
        let new = AdminToken::settle(digester(), Some("hT7kq2ZwPm4LsVx9"), old.store).unwrap();
        assert!(new.made.is_none());
        assert_eq!(new.store, Some(digester().digest("hT7kq2ZwPm4LsVx9")));
        assert!(new.token.accepts("hT7kq2ZwPm4LsVx9"));
        assert!(!new.token.accepts(&old.made.unwrap()));
    }
}
