//! What somebody shows to sign in, and who that makes them.
//!
//! Secrets that are random (the admin token, api keys) are looked at first and always: no back-off keeps the
//! right one out, and guessing them is hopeless however fast. Passwords are chosen by people; a try at one
//! takes leave of the door before it is judged, and the same work here whoever it is for (C-20).

use std::{net::IpAddr, sync::Arc};

use actix_web::web::Data;
use actors::sign_in::backoff::{Attempt, Leave, Place};

use super::{Visitor, ldap::by_directory};
use crate::{
    admin::{
        Admin, Principal,
        access::of_token,
        error::{Code, Problem},
    },
    secrets::{digest::Digest, password},
    store::{Applicant, Way},
};

/// The most bytes of a name that tell accounts apart at the door. No user's name is longer.
const NAME_BYTES: usize = 256;

/// Somebody who has shown who it is.
pub(super) struct Known {
    pub(super) principal: Principal,
    /// A digest of what was shown, where that can be another tomorrow.
    pub(super) proof: Option<Digest>,
}

/// By the admin token or an api key.
pub(super) async fn by_token(admin: &Admin, visitor: &Visitor, token: &str) -> Result<Known, Problem> {
    if let Ok(principal) = of_token(admin, token) {
        let proof = (principal.way == Way::AdminToken).then(|| *admin.token.known_by());
        return Ok(Known { principal, proof });
    }
    // It has failed, and stays counted.
    let _ = knock(admin, visitor.address, None, false).await?;
    Err(failed())
}

/// By name and password, which the directory judges where there is one and none is kept here.
pub(super) async fn by_password(
    admin: &Data<Admin>,
    visitor: &Visitor,
    name: &str,
    shown: String,
) -> Result<Known, Problem> {
    let applicant = admin.store.applicant(name, visitor.address).await?;
    let known_here = applicant.as_ref().is_some_and(|applicant| applicant.known_here);
    let leave = knock(admin, visitor.address, Some(name), known_here).await?;
    let kept = applicant.as_ref().and_then(|applicant| applicant.hash.clone());
    let is_right = is_password(admin, shown.clone(), kept.clone()).await?;
    if kept.is_none()
        && let Some(directory) = &admin.directory
    {
        return by_directory(admin, visitor, directory, leave, (name, shown)).await;
    }
    let now = admin.wall_now();
    let admitted = applicant.filter(|applicant| {
        is_right && applicant.enabled && applicant.expires_at.is_none_or(|end| now < end)
    });
    let (Some(applicant), Some(hash)) = (admitted, kept) else { return Err(failed()) };
    admin.gateway.sign_in_succeeded(leave);
    let Applicant { id, role, name, .. } = applicant;
    let principal = Principal::of_user(id, role, name, Way::Password);
    Ok(Known { principal, proof: Some(admin.sessions.proof(&hash)) })
}

/// Whether it is that password. Where there is none it takes as long.
pub(super) async fn is_password(admin: &Admin, shown: String, kept: Option<String>) -> Result<bool, Problem> {
    let exists = kept.is_some();
    let kept = kept.unwrap_or_else(|| password::NOBODYS.to_owned());
    Ok(admin.workers.is(shown, kept).await? && exists)
}

/// Leave to try, or how long to wait.
pub(super) async fn knock(
    admin: &Admin,
    address: Option<IpAddr>,
    account: Option<&str>,
    known_here: bool,
) -> Result<Leave, Problem> {
    let account = account.map(|name| Arc::from(&name[..name.floor_char_boundary(NAME_BYTES)]));
    let attempt = Attempt { place: Place::of(address), account, known_here };
    let admitted = admin.gateway.admit_sign_in(attempt).await.map_err(|undelivered| {
        Problem::new(Code::Overloaded, "the door does not answer; try again").because(undelivered)
    })?;
    admitted.map_err(|wait| {
        let detail = "too many attempts to sign in; wait before the next one";
        Problem::new(Code::TooManyAttempts, detail).after(wait)
    })
}

/// The no to whoever shows nothing that counts, the same to all. The gate writes it down.
pub(super) fn failed() -> Problem {
    Problem::new(Code::SignInFailed, "what was sent does not sign anybody in")
}
