//! Who is calling: of the credentials a request presents, the one that is ours decides.
//!
//! Clients present keys in several places, often two at once: a leftover vendor key beside ours is normal
//! and must not lock anybody out. Only two *known* keys that differ are refused. How a key arrives says
//! nothing about the API that is spoken.

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};

use crate::current::keys::{Caller, KeyDirectory};

/// Headers in which clients present a key.
const HEADERS: [&str; 4] = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/// Why nobody is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCaller {
    /// No credential at all.
    #[error("no api key was sent; set it as `authorization: Bearer <key>` or `x-api-key`")]
    Missing,
    /// None that we know.
    #[error("the api key is not known here")]
    Unknown,
    /// Two of ours at once.
    #[error("two different api keys were sent; send one")]
    Ambiguous,
    /// Known, but turned off, or its owner is.
    #[error("the api key is disabled")]
    Disabled,
    /// Known, but its time is over, or its owner's is.
    #[error("the api key has expired")]
    Expired,
}

/// Identifies the caller of a request.
///
/// # Errors
/// [`NoCaller`] says why there is none.
pub(super) fn identify(
    headers: &HeaderMap,
    query: &str,
    keys: &KeyDirectory,
    now: DateTime<Utc>,
) -> Result<Caller, NoCaller> {
    proven(headers, query, keys, now).map(|(_, caller)| caller)
}

/// The secret by which a request is known to be somebody's, and whose.
///
/// # Errors
/// [`NoCaller`] says why there is nobody.
pub(super) fn proven(
    headers: &HeaderMap,
    query: &str,
    keys: &KeyDirectory,
    now: DateTime<Utc>,
) -> Result<(String, Caller), NoCaller> {
    let mut presented = presented(headers, query);
    presented.sort_unstable();
    presented.dedup();
    if presented.is_empty() {
        return Err(NoCaller::Missing);
    }
    let mut known =
        presented.into_iter().filter_map(|secret| keys.find(&secret).map(|caller| (secret, caller)));
    let (secret, caller) = known.next().ok_or(NoCaller::Unknown)?;
    if known.any(|(_, other)| other.key != caller.key) {
        return Err(NoCaller::Ambiguous);
    }
    if !caller.enabled {
        return Err(NoCaller::Disabled);
    }
    if caller.expires_at.is_some_and(|end| end <= now) {
        return Err(NoCaller::Expired);
    }
    Ok((secret, caller))
}

/// Every credential of a request, wherever it stands.
fn presented(headers: &HeaderMap, query: &str) -> Vec<String> {
    let in_headers = HEADERS.into_iter().flat_map(|name| headers.get_all(name)).filter_map(|value| {
        let value = value.to_str().ok()?.trim();
        let secret = strip_scheme(value);
        (!secret.is_empty()).then(|| secret.to_owned())
    });
    let in_query = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, secret)| name == "key" && !secret.is_empty())
        .map(|(_, secret)| secret.into_owned());
    in_headers.chain(in_query).collect()
}

/// The secret without `Bearer`, in whatever case that is written.
fn strip_scheme(value: &str) -> &str {
    match value.split_at_checked(7) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer ") => secret.trim_start(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::http::header::{HeaderName, HeaderValue};
    use actors::ids::{KeyId, UserId};
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        current::keys::Badge,
        secrets::{digest::Digester, digest_key::DigestKey},
        store::Role,
    };

    fn directory() -> KeyDirectory {
        let digester = Digester::for_api_keys(&DigestKey::generate());
        let caller = |id: i64| Caller {
            key: KeyId(id),
            user: UserId(id),
            groups: Arc::new([]),
            user_limits: Arc::default(),
            key_limits: Arc::default(),
            rules: None,
            settings: Arc::default(),
            enabled: id != 3,
            expires_at: (id == 4).then(|| DateTime::UNIX_EPOCH + TimeDelta::days(1)),
            badge: Arc::new(Badge { role: Role::User, web_login: false, name: "team".into() }),
        };
        let entries: Vec<_> = (1..=4).map(|id| (digester.digest(&format!("sk-{id}")), caller(id))).collect();
        KeyDirectory::new(digester, entries)
    }

    fn check(headers: &[(&'static str, &str)], query: &str, expected: Result<i64, NoCaller>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(2);
        let found = identify(&map, query, &directory(), now).map(|caller| caller.key.0);
        assert_eq!(found, expected, "{headers:?} {query}");
    }

    #[test]
    fn a_key_is_taken_from_wherever_it_stands() {
        check(&[("authorization", "Bearer sk-1")], "", Ok(1));
        check(&[("authorization", "bearer  sk-1")], "", Ok(1));
        check(&[("authorization", "sk-1")], "", Ok(1));
        check(&[("x-api-key", "sk-1")], "", Ok(1));
        check(&[("x-goog-api-key", "sk-1")], "", Ok(1));
        check(&[("api-key", "sk-1")], "", Ok(1));
        check(&[], "alt=sse&key=sk%2D1", Ok(1));
    }

    #[test]
    fn a_leftover_foreign_key_beside_ours_locks_nobody_out() {
        check(&[("authorization", "Bearer sk-1"), ("x-api-key", "sk-ant-old")], "", Ok(1));
        check(&[("authorization", "Bearer other"), ("x-api-key", "sk-2")], "", Ok(2));
        check(&[("authorization", "Bearer sk-1"), ("x-goog-api-key", "sk-1")], "", Ok(1));
        check(&[("authorization", "Bearer sk-1"), ("x-api-key", "sk-2")], "", Err(NoCaller::Ambiguous));
    }

    #[test]
    fn unknown_disabled_and_expired_keys_are_told_apart() {
        check(&[], "", Err(NoCaller::Missing));
        check(&[("x-api-key", "")], "", Err(NoCaller::Missing));
        check(&[("x-api-key", "sk-9")], "", Err(NoCaller::Unknown));
        check(&[("x-api-key", "sk-1 ")], "", Ok(1));
        check(&[("x-api-key", "sk-11")], "", Err(NoCaller::Unknown));
        check(&[("x-api-key", "sk-3")], "", Err(NoCaller::Disabled));
        check(&[("x-api-key", "sk-4")], "", Err(NoCaller::Expired));
    }
}
