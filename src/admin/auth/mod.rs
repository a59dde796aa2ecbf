//! Signing in to the control plane, and out again.
//!
//! What a browser keeps of it is a cookie that no script can read; what a page keeps is what it sends along
//! with changes. Each sign-in makes a new token and ends the session that the request came with (C-19).

pub(super) mod sessions;
mod visitor;

use actix_web::{HttpResponse, http::header::SET_COOKIE, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;

pub(super) use self::visitor::Visitor;
use super::{
    Admin, Answer, Principal,
    access::of_token,
    author::Signed,
    body::{Body, Flaws, body},
    error::{Code, Problem},
    schema::view,
    values::SecretText,
};
use crate::{
    secrets::digest::Digest,
    store::{Author, NewConsoleSession, Way},
};

body! {
    /// What one signs in with.
    struct LoginBody {
        /// The admin token, or an api key.
        token: SecretText = required,
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

/// Somebody who has shown who it is.
struct Known {
    principal: Principal,
    /// A digest of what was shown, where that can be another tomorrow.
    proof: Option<Digest>,
}

/// `POST /api/v1/auth/login`.
pub(super) async fn login(admin: Data<Admin>, visitor: Visitor, Body(body): Body<LoginBody>) -> Answer {
    let mut flaws = Flaws::default();
    let token = body.token.required("token", &mut flaws);
    flaws.check()?;
    let token = token.map(|token| token.0).unwrap_or_default();
    match by_token(&admin, &token) {
        Some(known) => open(&admin, &visitor, known).await,
        None => Err(failed()),
    }
}

/// Whose token or key it is.
fn by_token(admin: &Admin, token: &str) -> Option<Known> {
    let principal = of_token(admin, token).ok()?;
    let proof = (principal.way == Way::AdminToken).then(|| *admin.token.known_by());
    Some(Known { principal, proof })
}

/// Begins the session of somebody who is known.
async fn open(admin: &Admin, visitor: &Visitor, known: Known) -> Answer {
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
    let left = visitor.token.as_deref().map(|token| admin.sessions.digest(token));
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
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, admin.cookies().set(&token, ttl))).json(signed_in))
}

/// The no to whoever shows nothing that counts, the same to all. The gate writes it down.
fn failed() -> Problem {
    Problem::new(Code::SignInFailed, "what was sent does not sign anybody in")
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
