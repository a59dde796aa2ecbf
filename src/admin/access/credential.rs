//! Who is asking: the one credential of a request, and whose it is.
//!
//! | credential | who that is |
//! |---|---|
//! | `authorization: Bearer <admin token>` | the admin |
//! | `authorization: Bearer <api key>` or `x-api-key: <api key>` | the key's user; by a key without `web_login` somebody who may look at the own usage |
//!
//! Two credentials in headers are none: which of them counts must not be for anybody in between to choose.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use chrono::{DateTime, Utc};

use super::Principal;
use crate::{
    admin::{
        Admin,
        error::{Code, Problem},
    },
    current::keys::Caller,
    store::Role,
};

const API_KEY: &str = "x-api-key";

/// Finds out who is asking.
///
/// # Errors
/// When nobody is: no credential, more than one, or one that does not count (any more).
pub(in crate::admin) fn identify(admin: &Admin, headers: &HeaderMap) -> Result<Principal, Problem> {
    let mut presented = headers.get_all(AUTHORIZATION).map(bearer).chain(headers.get_all(API_KEY).map(text));
    match (presented.next(), presented.next()) {
        (None, _) => Err(nobody("send `authorization: Bearer <admin token or api key>`")),
        (Some(_), Some(_)) => Err(nobody("more than one credential was sent; send one")),
        (Some(None), None) => Err(nobody("this is not a credential; send `authorization: Bearer <...>`")),
        (Some(Some(token)), None) => of_token(admin, token, headers.contains_key(API_KEY)),
    }
}

/// Whose token or key this is. The admin token is no api key and is not taken for one.
fn of_token(admin: &Admin, token: &str, as_key: bool) -> Result<Principal, Problem> {
    if !as_key && admin.token.accepts(token) {
        return Ok(Principal::admin_token());
    }
    let clock = admin.gateway.clock();
    let caller = admin.current.keys().find(token);
    let caller = caller.filter(|caller| is_good(caller, clock.wall(clock.now())));
    caller.map(|caller| of_key(&caller)).ok_or_else(|| nobody("the credential is not known, or ended"))
}

fn is_good(caller: &Caller, now: DateTime<Utc>) -> bool {
    caller.enabled && caller.expires_at.is_none_or(|end| now < end)
}

/// Who comes with a key that is good.
fn of_key(caller: &Caller) -> Principal {
    let badge = &caller.badge;
    Principal {
        // A key that was given to a tool must not carry what its owner may do in the console.
        role: if badge.web_login { badge.role } else { Role::User },
        user: Some(caller.user),
        key: Some(caller.key),
        read_only: !badge.web_login,
        name: badge.name.clone(),
    }
}

fn nobody(detail: &str) -> Problem {
    Problem::new(Code::Unauthorized, detail)
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}
