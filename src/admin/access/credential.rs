//! Who is asking: the one credential of a request, and whose it is.
//!
//! | credential | who that is |
//! |---|---|
//! | `authorization: Bearer <admin token>` | the admin |
//! | `authorization: Bearer <api key>` or `x-api-key: <api key>` | the key's user; by a key without `web_login` somebody who may look at the own usage |
//!
//! | the cookie of a console session | whoever signed in |
//!
//! Two credentials in headers are none: which of them counts must not be for anybody in between to choose.
//! One in a header goes before the cookie, which a browser adds by itself; the cookie then counts for nothing,
//! also where the header is wrong.

use actix_web::http::{
    Method,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use chrono::{DateTime, Utc};

use super::{Presented, Principal, origin, session};
use crate::{
    admin::{
        Admin,
        error::{Code, Problem},
    },
    current::keys::Caller,
    store::{Role, Way},
};

const API_KEY: &str = "x-api-key";

/// Finds out who is asking.
///
/// # Errors
/// When nobody is: no credential, more than one, or one that does not count (any more). A change by session
/// must come from a page of ours, too.
pub(in crate::admin) async fn identify(
    admin: &Admin,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Principal, Problem> {
    let mut presented = headers.get_all(AUTHORIZATION).map(bearer).chain(headers.get_all(API_KEY).map(text));
    match (presented.next(), presented.next()) {
        (None, _) => by_cookie(admin, method, headers).await,
        (Some(_), Some(_)) => Err(nobody("more than one credential was sent; send one")),
        (Some(None), None) => Err(nobody("this is not a credential; send `authorization: Bearer <...>`")),
        (Some(Some(token)), None) if headers.contains_key(API_KEY) => of_key(admin, token),
        (Some(Some(token)), None) => of_token(admin, token),
    }
}

/// Whether there is a credential that goes before cookies.
pub(in crate::admin) fn shows_more_than_cookies(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY)
}

async fn by_cookie(admin: &Admin, method: &Method, headers: &HeaderMap) -> Result<Principal, Problem> {
    let token = match admin.cookies().presented(headers) {
        Presented::Token(token) => token,
        Presented::None => return Err(nobody("send `authorization: Bearer <admin token or api key>`")),
        Presented::Several => return Err(nobody("two session cookies were sent; sign in again")),
    };
    let principal = session::holder(admin, &token).await?;
    if !method.is_safe() {
        origin::proven(admin, headers, &token)?;
    }
    Ok(principal)
}

/// Whose token or key this is.
pub(in crate::admin) fn of_token(admin: &Admin, token: &str) -> Result<Principal, Problem> {
    if admin.token.accepts(token) { Ok(Principal::admin_token()) } else { of_key(admin, token) }
}

/// Whose key this is. The admin token is none and is not taken for one.
fn of_key(admin: &Admin, key: &str) -> Result<Principal, Problem> {
    let caller = admin.current.keys().find(key);
    let caller = caller.filter(|caller| is_good(caller, admin.wall_now()));
    caller.map(|caller| owner(&caller)).ok_or_else(|| nobody("the credential is not known, or ended"))
}

fn is_good(caller: &Caller, now: DateTime<Utc>) -> bool {
    caller.enabled && caller.expires_at.is_none_or(|end| now < end)
}

/// Who comes with a key that is good.
fn owner(caller: &Caller) -> Principal {
    let badge = &caller.badge;
    Principal {
        // A key that was given to a tool must not carry what its owner may do in the console.
        role: if badge.web_login { badge.role } else { Role::User },
        user: Some(caller.user),
        key: Some(caller.key),
        read_only: !badge.web_login,
        name: badge.name.clone(),
        way: Way::ApiKey,
        session: None,
    }
}

/// A no to whoever can't be told from nobody.
pub(super) fn nobody(detail: &str) -> Problem {
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
