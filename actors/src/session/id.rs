//! Naming a sticky session: the caller's conversation, within one key, format and model family.

use std::{fmt, hash::Hasher, ops::RangeInclusive, str::FromStr};

use protocol::Format;
use serde::{Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::ids::KeyId;

/// A sticky session. The key is part of the name itself, so no two callers ever share one (I-49); a
/// model family has its own, so a title request does not move the main conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    key: KeyId,
    digest: u128,
}

impl SessionId {
    /// The session of `conversation`, as the client marked it or as its prefix tells.
    #[must_use]
    pub fn new(key: KeyId, format: Format, family: &str, conversation: &str) -> Self {
        let mut hasher = SipHasher13::new();
        for part in [format.name(), family, conversation] {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        Self { key, digest: hasher.finish128().as_u128() }
    }

    /// Between which two all sessions of a key are.
    pub(super) fn all_of(key: KeyId) -> RangeInclusive<Self> {
        Self { key, digest: u128::MIN }..=Self { key, digest: u128::MAX }
    }

    /// Whose it is.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// A short number that tells conversations apart where a name would be too long.
    #[must_use]
    pub fn short(&self) -> u64 {
        // The low half of a good hash is a good hash.
        self.digest as u64
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.key, self.digest)
    }
}

/// Not the written form of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct NotASession;

impl FromStr for SessionId {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, NotASession> {
        let (key, digest) = text.rsplit_once('-').ok_or(NotASession)?;
        let key = KeyId(key.parse().map_err(|_| NotASession)?);
        let digest = u128::from_str_radix(digest, 16).map_err(|_| NotASession)?;
        Ok(Self { key, digest })
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i49_key_format_family_and_conversation_each_tell_sessions_apart() {
        let base = SessionId::new(KeyId(1), Format::Anthropic, "opus", "c");
        for other in [
            SessionId::new(KeyId(2), Format::Anthropic, "opus", "c"),
            SessionId::new(KeyId(1), Format::OpenaiChat, "opus", "c"),
            SessionId::new(KeyId(1), Format::Anthropic, "haiku", "c"),
            SessionId::new(KeyId(1), Format::Anthropic, "opus", "d"),
            SessionId::new(KeyId(1), Format::Anthropic, "opusc", ""),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_written_form_leads_back_to_the_session_and_stays_the_same() {
        let id = SessionId::new(KeyId(12), Format::Gemini, "gemini-pro", "42");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("x".parse::<SessionId>(), Err(NotASession));
    }
}
