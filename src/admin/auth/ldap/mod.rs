//! Signing in with the name and password of a directory (C-19): the directory is asked, by its own protocol,
//! whether they belong together.
//!
//! Invariants
//! - A name that has a password here is judged here: that password is never shown to the directory.
//! - Whoever comes is known by what the directory calls somebody for ever, not by the name.

mod directory;

use actix_web::web::Data;
use actors::sign_in::backoff::Leave;

pub use self::directory::Directory;
use self::directory::Fault;
use super::{
    Visitor,
    elsewhere::{House, principal, user},
    proof::{Known, failed},
};
use crate::{
    admin::{
        Admin,
        error::{Code, Problem},
    },
    store::Way,
};

/// By the name and password of an account in the directory.
pub(super) async fn by_directory(
    admin: &Data<Admin>,
    visitor: &Visitor,
    directory: &Directory,
    leave: Leave,
    (name, password): (&str, String),
) -> Result<Known, Problem> {
    let person = match directory.person(name, password).await {
        Ok(person) => person.ok_or_else(failed)?,
        Err(fault) => {
            // Nobody judged it, so it does not count as failed.
            admin.gateway.sign_in_succeeded(leave);
            return Err(fault.into());
        }
    };
    let settings = directory.settings();
    let house = House { way: Way::Ldap, issuer: &settings.issuer, create_users: settings.create_users };
    let user = user(admin, visitor, house, person).await?;
    admin.gateway.sign_in_succeeded(leave);
    let proof = Some(admin.sessions.proof(&directory.mark()));
    Ok(Known { principal: principal(user, Way::Ldap), proof })
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let detail = "the directory does not answer as it should; try again later";
        Self::new(Code::SignInProviderFailed, detail).because(format!("the directory {fault}"))
    }
}
