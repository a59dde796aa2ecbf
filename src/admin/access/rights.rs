//! What a route takes, and which roles have it.

use super::Principal;
use crate::store::Role;

/// What one must be to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Anybody, also without a credential.
    Public,
    /// Anybody with a credential, also one that can only look: it is about the credential itself.
    SignedIn,
    /// Anybody with a credential; the handler keeps to what is the principal's own.
    Own,
    /// Whoever may look at everything: auditors, operators and admins.
    Read,
    /// Whoever runs the house, without its secrets and users: operators and admins.
    Operate,
    /// Whoever may do everything.
    Admin,
}

impl Right {
    /// Every one of them, the least first.
    pub const ALL: [Self; 6] =
        [Self::Public, Self::SignedIn, Self::Own, Self::Read, Self::Operate, Self::Admin];

    /// The name shown to those who ask what they may.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed_in",
            Self::Own => "own",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The most that a role has. What is less is included.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        match role {
            Role::User => Self::Own,
            Role::Auditor => Self::Read,
            Role::Operator => Self::Operate,
            Role::Admin => Self::Admin,
        }
    }
}

impl Principal {
    /// Whether this one has a right.
    #[must_use]
    pub fn has(&self, right: Right) -> bool {
        right <= Right::of(self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c03_each_role_has_its_right_and_all_that_are_less() {
        let table = [
            (Role::User, [true, true, true, false, false, false]),
            (Role::Auditor, [true, true, true, true, false, false]),
            (Role::Operator, [true, true, true, true, true, false]),
            (Role::Admin, [true, true, true, true, true, true]),
        ];
        assert_eq!(table.map(|(role, _)| role), Role::ALL);
        for (role, expected) in table {
            assert_eq!(Right::ALL.map(|right| right <= Right::of(role)), expected, "{role:?}");
        }
    }
}
