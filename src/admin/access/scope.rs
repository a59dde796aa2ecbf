//! What belongs to whom: which rows a principal may look at and change (C-04), and how far somebody may go
//! with a key of their own (C-05).
//!
//! What one may not look at does not exist: the answer is the same 404 as for an id that was never given out.

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::{Limits, Span},
};

use super::{Principal, Right};
use crate::{
    admin::{
        body::Flaws,
        error::{Code, FlawCode, Problem},
    },
    store::User,
};

impl Principal {
    /// Whether the user and everything of that user may be looked at.
    #[must_use]
    pub fn sees(&self, user: Option<UserId>) -> bool {
        self.has(Right::Read) || (!self.read_only && self.is(user))
    }

    /// Whether what a key has used may be looked at. A key without console rights sees what itself used.
    #[must_use]
    pub fn sees_usage(&self, user: Option<UserId>, key: Option<KeyId>) -> bool {
        self.sees(user) || (self.read_only && key.is_some() && key == self.key)
    }

    /// Whose requests may be looked at: of any user and key, of one user, or of one key.
    #[must_use]
    pub fn scope(&self) -> (Option<UserId>, Option<KeyId>) {
        let key = if self.read_only { self.key } else { None };
        if self.has(Right::Read) { (None, None) } else { (self.user, key) }
    }

    /// Whose requests may be looked at, of those of `user` by `key` that are asked for; none where that is nobody's.
    #[must_use]
    pub fn narrow(
        &self,
        user: Option<UserId>,
        key: Option<KeyId>,
    ) -> Option<(Option<UserId>, Option<KeyId>)> {
        let (own, own_key) = self.scope();
        let anothers = own.is_some() && user.is_some() && user != own;
        let another_keys = own_key.is_some() && key.is_some() && key != own_key;
        // A key is of one user, so what it used is told without naming that one.
        let named = if own_key.is_some() { None } else { own.or(user) };
        (!anothers && !another_keys).then_some((named, own_key.or(key)))
    }

    /// Refuses to show what is another's.
    pub(in crate::admin) fn look_at(&self, user: UserId, what: &str) -> Result<(), Problem> {
        if self.sees(Some(user)) { Ok(()) } else { Err(Problem::not_found(what)) }
    }

    /// Refuses to change what is another's; to who may look at it, it says so.
    pub(in crate::admin) fn change_of(&self, user: UserId, what: &str) -> Result<(), Problem> {
        self.look_at(user, what)?;
        if self.has(Right::Admin) || self.is(Some(user)) {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            format!("this {what} is another's; changing it takes the right `admin`"),
        ))
    }

    /// Refuses a key of one's own that would be more than its user is. An admin knows no such bounds.
    pub(in crate::admin) fn bound_key(
        &self,
        user: &User,
        has: &Limits,
        groups: Option<&[String]>,
        limits: Option<&Limits>,
    ) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        if self.has(Right::Admin) {
            return Ok(());
        }
        for group in groups.unwrap_or_default().iter().filter(|group| !user.groups.contains(group)) {
            flaws.add("groups", FlawCode::OutOfRange, format!("`{group}` is no group of yours"));
        }
        if let Some(limits) = limits {
            bound_limits(&user.limits, has, limits, &mut flaws);
        }
        flaws.check()
    }

    fn is(&self, user: Option<UserId>) -> bool {
        user.is_some() && user == self.user
    }
}

/// Notes limits above those of the user, and ways of counting, which are an admin's to set.
fn bound_limits(user: &Limits, has: &Limits, wish: &Limits, flaws: &mut Flaws) {
    above("limits.rpm", user.rpm, wish.rpm, flaws);
    above("limits.tpm", user.tpm, wish.tpm, flaws);
    above("limits.concurrency", user.concurrency, wish.concurrency, flaws);
    above("limits.sessions", user.sessions, wish.sessions, flaws);
    for (span, field) in Span::ALL.into_iter().zip(DOLLARS) {
        above(field, user.usd[span], wish.usd[span], flaws);
    }
    let mut kept = |field: &str, same: bool| {
        if !same {
            flaws.add(field, FlawCode::OutOfRange, "is for an admin to change");
        }
    };
    kept("limits.five_hours_reset", wish.five_hours == has.five_hours);
    kept("limits.daily_reset", wish.day == has.day);
    kept("limits.strict", wish.strict == has.strict);
    kept("limits.hard_stop", wish.hard_stop == has.hard_stop);
}

/// In the order of [`Span::ALL`].
const DOLLARS: [&str; Span::ALL.len()] =
    ["limits.usd_5h", "limits.usd_daily", "limits.usd_weekly", "limits.usd_monthly", "limits.usd_total"];

fn above<T: PartialOrd>(field: &str, most: Option<T>, wish: Option<T>, flaws: &mut Flaws) {
    if let (Some(most), Some(wish)) = (most, wish)
        && wish > most
    {
        flaws.add(field, FlawCode::OutOfRange, "is above the limit of its user");
    }
}
