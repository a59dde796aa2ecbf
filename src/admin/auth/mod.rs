//! Signing in to the control plane, and out again.
//!
//! What a browser keeps of it is a cookie that no script can read; what a page keeps is what it sends along
//! with changes. Each sign-in makes a new token and ends the session that the request came with (C-19).

mod elsewhere;
pub(super) mod ldap;
pub(super) mod oidc;
pub(super) mod passwords;
mod proof;
pub(super) mod sessions;
mod visitor;
pub(super) mod ways;
mod workers;

use actix_web::{
    HttpResponse,
    http::header::{HeaderValue, SET_COOKIE},
    web::Data,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use self::proof::{Known, by_password, by_token};
pub(super) use self::{visitor::Visitor, workers::Workers};
use super::{
    Admin, Answer, Principal,
    author::Signed,
    body::{Body, Given, body},
    error::{Code, Problem},
    schema::view,
    values::{SecretText, Text},
};
use crate::{
    secrets::digest::Digest,
    store::{Author, NewConsoleSession},
};

body! {
    /// What one signs in with: a token, or name and password.
    struct LoginBody {
        /// The admin token, or an api key.
        token: SecretText,
        /// Or a user's name.
        name: Text,
        /// With the user's password.
        password: Text,
    }
}

view! {
    /// Who signed in.
    #[derive(Serialize)]
    pub(super) struct SignedIn {
        /// As the audit log names one.
        name: String,
        role: &'static str,
        /// Whether the session can only look.
        read_only: bool,
        user_id: Option<i64>,
        key_id: Option<i64>,
        signed_in_by: &'static str,
        session_id: i64,
        /// From then on the session is over, however much it is used.
        expires_at: DateTime<Utc>,
        /// What a change sends along as `x-pointsman-csrf`. `/api/v1/me` tells it, too.
        csrf_token: String,
    }
}

/// `POST /api/v1/auth/login`.
pub(super) async fn login(admin: Data<Admin>, visitor: Visitor, Body(body): Body<LoginBody>) -> Answer {
    let known = match (body.token, body.name, body.password) {
        (Given::Value(token), Given::Absent, Given::Absent) => by_token(&admin, &visitor, &token.0).await?,
        (Given::Absent, Given::Value(name), Given::Value(password)) => {
            by_password(&admin, &visitor, &name.0, password.0).await?
        }
        _ => return Err(Problem::new(Code::Invalid, "send `token`, or `name` and `password`")),
    };
    let Begun { signed_in, cookie } = begin(&admin, &visitor, known, None).await?;
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie)).json(signed_in))
}

/// A session that has just begun.
struct Begun {
    signed_in: SignedIn,
    /// What has the browser keep it.
    cookie: HeaderValue,
}

/// Begins the session of somebody who is known, in place of the one that is `left` or came along.
async fn begin(
    admin: &Admin,
    visitor: &Visitor,
    known: Known,
    left: Option<Digest>,
) -> Result<Begun, Problem> {
    let Known { principal, proof } = known;
    let (token, now) = (admin.sessions.make(), admin.wall_now());
    let (ttl, idle) = (admin.console.session_ttl, admin.console.session_idle);
    let new = NewConsoleSession {
        digest: admin.sessions.digest(&token),
        way: principal.way,
        user: principal.user,
        key: principal.key,
        role: principal.role,
        read_only: principal.read_only,
        proof,
        created_at: now,
        expires_at: now + ttl,
        address: visitor.address,
        user_agent: visitor.user_agent.clone(),
    };
    let store = admin.store.signed(Author { who: principal.name.clone(), address: visitor.address });
    let left = left.or_else(|| visitor.token.as_deref().map(|token| admin.sessions.digest(token)));
    let session = store.begin_console_session(new, left, now - idle).await?;
    let signed_in = SignedIn {
        name: principal.name.to_string(),
        role: principal.role.name(),
        read_only: principal.read_only,
        user_id: principal.user.map(|user| user.0),
        key_id: principal.key.map(|key| key.0),
        signed_in_by: principal.way.name(),
        session_id: session.id,
        expires_at: session.expires_at,
        csrf_token: admin.sessions.csrf(&token),
    };
    Ok(Begun { signed_in, cookie: admin.cookies().set(&token, ttl) })
}

/// `POST /api/v1/auth/logout`.
pub(super) async fn logout(admin: Data<Admin>, me: Principal, Signed(by): Signed) -> Answer {
    let Some(session) = &me.session else {
        let detail = "the request is not by session, but by what its header holds; there is nothing to end";
        return Err(Problem::new(Code::NoSession, detail));
    };
    sessions::end_one(&admin.store.signed(by), &me, session.id, "signed out").await?;
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, admin.cookies().forget())).finish())
}
