//! Somebody whom another house knows, which user that is here, and a new one where the operator says so.
//!
//! Invariant: whoever comes is known by what the other house calls itself and somebody for ever, never by a name
//! that another may have tomorrow (C-19).

use actix_web::web::Data;
use actors::{ledger::limits::Limits, restrictions::Restrictions};

use super::Visitor;
use crate::{
    admin::{
        Admin, Principal, Topic, change,
        error::{Code, Problem},
        values::name_rule,
    },
    store::{Author, NewUser, Role, StoreError, User, UserChange, Way},
};

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// What the other house calls this one for ever.
    pub(super) subject: String,
    /// What a new user is called, where that may be a user's name.
    pub(super) name: Option<String>,
    /// The role, where roles are the other house's to give.
    pub(super) role: Option<Role>,
}

/// The house that knows somebody.
#[derive(Debug, Clone, Copy)]
pub(super) struct House<'a> {
    pub(super) way: Way,
    /// What it calls itself.
    pub(super) issuer: &'a str,
    /// Whether somebody unknown becomes a user.
    pub(super) create_users: bool,
}

/// The name, if a user may be called so.
pub(super) fn fit_name(name: &str) -> Option<String> {
    let name = name.trim();
    name_rule(name).is_ok().then(|| name.to_owned())
}

/// Whose account it is; where that is to be, a new one.
pub(super) async fn user(
    admin: &Data<Admin>,
    visitor: &Visitor,
    house: House<'_>,
    person: Person,
) -> Result<User, Problem> {
    let store = admin.store.signed(Author { who: house.way.name().into(), address: visitor.address });
    let known = admin.store.user_known_as(house.issuer, &person.subject).await?;
    let Some(user) = known else {
        if !house.create_users {
            log::info!("admin: no user is linked to the subject {:?} of {}", person.subject, house.issuer);
            return Err(refused("no user here is linked to this account; an admin can link one"));
        }
        let new = new_user(&person)?;
        let issuer = house.issuer.to_owned();
        let made = async move {
            let made = store.create_user_known_as(new, &issuer, &person.subject).await;
            made.map_err(|error| match error {
                StoreError::Conflict { .. } => refused(
                    "a user of that name exists and is not linked to this account; an admin can link it",
                ),
                error => error.into(),
            })
        };
        return change(admin.clone(), Topic::Keys, made).await;
    };
    if !user.enabled || user.expires_at.is_some_and(|end| admin.wall_now() >= end) {
        return Err(refused("this user is disabled or expired"));
    }
    match person.role {
        Some(role) if role != user.role => {
            let update = UserChange { role: Some(role), ..UserChange::default() };
            let update = async move { Ok(store.update_user(user.id, update).await?) };
            change(admin.clone(), Topic::Keys, update).await
        }
        _ => Ok(user),
    }
}

fn new_user(person: &Person) -> Result<NewUser, Problem> {
    let nameless = || refused("this account has no name that a user may have");
    Ok(NewUser {
        name: person.name.clone().ok_or_else(nameless)?,
        role: person.role.unwrap_or(Role::User),
        groups: Vec::new(),
        tags: Vec::new(),
        limits: Limits::default(),
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    })
}

/// Who signed in so.
pub(super) fn principal(user: User, way: Way) -> Principal {
    Principal::of_user(user.id, user.role, user.name, way)
}

/// The no to somebody who is who they say, and may not come in.
pub(super) fn refused(detail: &str) -> Problem {
    Problem::new(Code::SignInRefused, detail)
}
