//! Tickets: what a browser keeps between leaving for a provider and coming back from it (C-19).
//!
//! A ticket lies in a cookie, so it is bound to the browser; a mark of ours keeps it from being made up or
//! changed. What the provider is shown (`state`, `nonce`, the PKCE verifier) is derived from its random part
//! and a key of ours: who reads the cookie knows none of it, and nothing is remembered here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    digest::{Digest, random_text},
    digest_key::DigestKey,
    sealing_key::hmac_sha256,
};

/// How long somebody may take to sign in at the provider.
pub const LASTS: TimeDelta = TimeDelta::minutes(10);
const RANDOM_CHARS: usize = 43;

/// Makes tickets and knows them again.
#[derive(Clone)]
pub struct Tickets([u8; 32]);

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    random: String,
    until: i64,
    /// Where the browser goes afterwards.
    pub return_to: String,
    /// The digest of the session that the browser came with, in hex.
    pub left: Option<String>,
}

impl Tickets {
    /// Those under this digest key.
    #[must_use]
    pub fn new(key: &DigestKey) -> Self {
        Self(key.derive("pointsman/1/sign-in-tickets"))
    }

    /// A new one.
    #[must_use]
    pub fn make(&self, return_to: String, left: Option<Digest>, now: DateTime<Utc>) -> Ticket {
        Ticket {
            random: random_text(RANDOM_CHARS),
            until: (now + LASTS).timestamp(),
            return_to,
            left: left.map(|digest| digest.to_hex()),
        }
    }

    /// As it goes into the cookie: letters, digits, `-`, `_` and one dot.
    #[must_use]
    pub fn sealed(&self, ticket: &Ticket) -> String {
        // Texts and a number: there is nothing that could fail to become JSON.
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_string(ticket).unwrap_or_default());
        format!("{said}.{}", self.derive("mark", &said))
    }

    /// The ticket of a cookie, if it is one of ours and not over.
    #[must_use]
    pub fn open(&self, cookie: &str, now: DateTime<Utc>) -> Option<Ticket> {
        let (said, mark) = cookie.split_once('.')?;
        if !bool::from(self.derive("mark", said).as_bytes().ct_eq(mark.as_bytes())) {
            return None;
        }
        let ticket: Ticket = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
        (now.timestamp() < ticket.until).then_some(ticket)
    }

    /// What the provider hands back with the browser.
    #[must_use]
    pub fn state(&self, ticket: &Ticket) -> String {
        self.derive("state", &ticket.random)
    }

    /// Whether that was handed back, in a time that does not tell how nearly.
    #[must_use]
    pub fn is_state(&self, ticket: &Ticket, presented: &str) -> bool {
        self.state(ticket).as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// What the provider writes into its token.
    #[must_use]
    pub fn nonce(&self, ticket: &Ticket) -> String {
        self.derive("nonce", &ticket.random)
    }

    /// What shows the provider that who redeems its code is who asked for it.
    #[must_use]
    pub fn verifier(&self, ticket: &Ticket) -> String {
        self.derive("verifier", &ticket.random)
    }

    /// What a ticket is known by once it is spent.
    #[must_use]
    pub fn digest(&self, ticket: &Ticket) -> Digest {
        Digest::of(hmac_sha256(&self.0, format!("spent {}", ticket.random).as_bytes()))
    }

    fn derive(&self, what: &str, from: &str) -> String {
        hex::encode(hmac_sha256(&self.0, format!("{what} {from}").as_bytes()))
    }
}

impl Ticket {
    /// The session that the browser came with.
    #[must_use]
    pub fn left(&self) -> Option<Digest> {
        Digest::from_hex(self.left.as_deref()?)
    }

    /// From then on it is over.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.until, 0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::secrets::sealing_key::SealingKey;

    fn tickets(byte: &str) -> Tickets {
        Tickets::new(&DigestKey::of_old(&SealingKey::parse(&byte.repeat(32)).unwrap()))
    }

    #[test]
    fn c19_a_ticket_is_ours_unchanged_and_lasts_ten_minutes() {
        let (ours, theirs, now) = (tickets("11"), tickets("22"), DateTime::UNIX_EPOCH);
        let ticket = ours.make("/a?b=c".to_owned(), None, now);
        let cookie = ours.sealed(&ticket);
        assert_eq!(ours.open(&cookie, now), Some(ticket.clone()));
        assert_eq!(ours.open(&cookie, now + LASTS - TimeDelta::seconds(1)), Some(ticket.clone()));
        assert_eq!(ours.open(&cookie, now + LASTS), None);
        assert_eq!(theirs.open(&cookie, now), None);
        let other = ours.sealed(&Ticket { return_to: "/z".to_owned(), ..ticket });
        let (said, _) = other.split_once('.').unwrap();
        let (_, mark) = cookie.split_once('.').unwrap();
        for forged in [format!("{said}.{mark}"), format!("{said}."), said.to_owned(), String::new()] {
            assert_eq!(ours.open(&forged, now), None, "{forged}");
        }
    }

    #[test]
    fn c19_what_the_provider_is_shown_differs_each_time_and_is_not_in_the_cookie() {
        let (tickets, now) = (tickets("11"), DateTime::UNIX_EPOCH);
        let (one, two) = (tickets.make(String::new(), None, now), tickets.make(String::new(), None, now));
        let shown = |ticket| [tickets.state(ticket), tickets.nonce(ticket), tickets.verifier(ticket)];
        let all: HashSet<_> = shown(&one).into_iter().chain(shown(&two)).collect();
        assert_eq!(all.len(), 6);
        let cookie = tickets.sealed(&one);
        let said = URL_SAFE_NO_PAD.decode(cookie.split('.').next().unwrap()).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(all.iter().all(|secret| !said.contains(secret) && !cookie.contains(secret)));
        // PKCE takes 43 to 128 of certain characters.
        assert!(tickets.verifier(&one).len() == 64);
        assert!(
            tickets.is_state(&one, &tickets.state(&one)) && !tickets.is_state(&one, &tickets.state(&two))
        );
    }
}
