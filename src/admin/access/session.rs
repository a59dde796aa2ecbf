//! Whether a console session still stands: what was true at the sign-in, held against what is true now
//! (C-19).
//!
//! This is decided anew at each request, from one reading of the database: what an operator changes on any
//! replica ends sessions on all of them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Principal, credential::nobody};
use crate::{
    admin::{Admin, error::Problem},
    config::Secret,
    secrets::digest::Digest,
    store::{Author, ConsoleSession, Standing, Way},
};

/// How old the note of a session's last use may become.
const SEEN_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Expired,
    Idle,
    UserDisabled,
    UserExpired,
    RoleChanged,
    KeyDisabled,
    KeyExpired,
    KeyRightsChanged,
    SecretChanged,
}

impl Over {
    const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::UserDisabled => "user disabled",
            Self::UserExpired => "user expired",
            Self::RoleChanged => "role changed",
            Self::KeyDisabled => "key disabled",
            Self::KeyExpired => "key expired",
            Self::KeyRightsChanged => "web_login of the key changed",
            Self::SecretChanged => "secret of the sign-in changed",
        }
    }
}

/// Who comes with the token of a session.
pub(super) async fn holder(admin: &Admin, token: &str) -> Result<Principal, Problem> {
    let over = || nobody("the session is over; sign in again");
    let standing = admin.store.console_session(&admin.sessions.digest(token)).await?;
    let standing = standing.ok_or_else(over)?;
    let (now, session) = (admin.wall_now(), &standing.session);
    if let Err(why) = judge(&standing, now, admin.console.session_idle, rests_on(admin, &standing)) {
        // It opens nothing whether it is removed or not; another request may have done so.
        let nobody = Author { who: "nobody".into(), address: None };
        let _ = admin.store.signed(nobody).end_console_session(session.id, why.name()).await;
        return Err(over());
    }
    if now - session.seen_at >= SEEN_WITHIN {
        admin.store.console_session_seen(session.id, now).await?;
    }
    Ok(principal(standing, admin.sessions.csrf(token)))
}

/// A digest of what one would sign in with now in the way of that session: of the admin token, the stored
/// password, the provider's name, or which directory it is. An api key is looked at itself.
fn rests_on(admin: &Admin, standing: &Standing) -> Option<Digest> {
    let proof = |text: &str| admin.sessions.proof(text);
    match standing.session.way {
        Way::AdminToken => Some(*admin.token.known_by()),
        Way::ApiKey => None,
        Way::Password => standing.password.as_deref().map(proof),
        Way::Oidc => admin.oidc.as_ref().map(|provider| proof(provider.issuer())),
        Way::Ldap => admin.directory.as_ref().map(|directory| proof(&directory.mark())),
    }
}

/// Whether what was true at the sign-in still is, `rests_on` among it.
fn judge(
    standing: &Standing,
    now: DateTime<Utc>,
    idle: Duration,
    rests_on: Option<Digest>,
) -> Result<(), Over> {
    let Standing { session, proof, owner, key, .. } = standing;
    let when = |over: bool, why: Over| if over { Err(why) } else { Ok(()) };
    let past = |end: Option<DateTime<Utc>>| end.is_some_and(|end| now >= end);
    when(now >= session.expires_at, Over::Expired)?;
    when((now - session.seen_at).to_std().is_ok_and(|unused| unused >= idle), Over::Idle)?;
    if let Some(owner) = owner {
        when(!owner.enabled, Over::UserDisabled)?;
        when(past(owner.expires_at), Over::UserExpired)?;
        // A key without console rights does not carry the role.
        when(!session.read_only && owner.role != session.role, Over::RoleChanged)?;
    }
    if let Some(key) = key {
        when(!key.enabled, Over::KeyDisabled)?;
        when(past(key.expires_at), Over::KeyExpired)?;
        when(key.web_login == session.read_only, Over::KeyRightsChanged)?;
    }
    let counts = match session.way {
        Way::ApiKey => key.is_some() && owner.is_some(),
        Way::AdminToken | Way::Password | Way::Oidc | Way::Ldap => {
            proof.zip(rests_on).is_some_and(|(then, now)| then.matches(&now))
        }
    };
    when(!counts, Over::SecretChanged)
}

/// Who holds a session that stands.
fn principal(standing: Standing, csrf: String) -> Principal {
    let Standing { session, owner, key, .. } = standing;
    let name = match (&owner, &key) {
        (Some(owner), Some(key)) => format!("{} (key {})", owner.name, key.name),
        (Some(owner), None) => owner.name.clone(),
        (None, _) => Principal::admin_token().name.to_string(),
    };
    Principal {
        role: session.role,
        user: session.user,
        key: session.key,
        read_only: session.read_only,
        name: name.into(),
        way: session.way,
        session: Some(super::Session {
            id: session.id,
            expires_at: session.expires_at,
            csrf: Secret::new(csrf),
        }),
    }
}

impl Principal {
    /// Whether a session may be looked at and ended.
    pub(in crate::admin) fn owns(&self, session: &ConsoleSession) -> bool {
        self.user == session.user && (!self.read_only || self.key == session.key)
    }
}

#[cfg(test)]
mod tests {
    use actors::ids::{KeyId, UserId};

    use super::*;
    use crate::{
        secrets::{digest::Digester, digest_key::DigestKey, sealing_key::SealingKey},
        store::{OwnKey, Owner, Role},
    };

    fn digest(of: &str) -> Digest {
        Digester::for_admin_token(&DigestKey::of_old(&SealingKey::parse(&"11".repeat(32)).unwrap()))
            .digest(of)
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// Begun in minute 0, last used in minute 50, at most until minute 100.
    fn session(way: Way) -> Standing {
        let by_key = way == Way::ApiKey;
        let by_token = way == Way::AdminToken;
        Standing {
            session: ConsoleSession {
                id: 1,
                way,
                user: (!by_token).then_some(UserId(1)),
                key: by_key.then_some(KeyId(1)),
                role: Role::Admin,
                read_only: false,
                created_at: at(0),
                seen_at: at(50),
                expires_at: at(100),
                address: None,
                user_agent: None,
            },
            proof: (!by_key).then(|| digest("now")),
            password: None,
            owner: (!by_token).then(|| Owner {
                name: "anna".to_owned(),
                role: Role::Admin,
                enabled: true,
                expires_at: None,
            }),
            key: by_key.then(|| OwnKey {
                name: "k".to_owned(),
                enabled: true,
                expires_at: Some(at(300)),
                web_login: true,
            }),
        }
    }

    fn judged(standing: &Standing, minute: i64) -> Result<(), Over> {
        // A password goes with its owner.
        let gone = standing.session.way == Way::Password && standing.owner.is_none();
        let rests_on = (!gone).then(|| digest("now"));
        judge(standing, at(minute), Duration::from_secs(30 * 60), rests_on)
    }

    #[test]
    fn c19_a_session_ends_with_what_it_rests_on() {
        type Change = fn(&mut Standing);
        let table: [(Way, Change, Result<(), Over>); 18] = [
            (Way::AdminToken, |_| (), Ok(())),
            (Way::ApiKey, |_| (), Ok(())),
            (Way::Password, |_| (), Ok(())),
            (Way::Oidc, |_| (), Ok(())),
            (Way::Ldap, |_| (), Ok(())),
            (Way::Ldap, |it| it.proof = Some(digest("before")), Err(Over::SecretChanged)),
            (Way::Oidc, |it| it.proof = Some(digest("before")), Err(Over::SecretChanged)),
            (Way::Password, |it| it.proof = Some(digest("before")), Err(Over::SecretChanged)),
            (Way::Password, |it| it.owner = None, Err(Over::SecretChanged)),
            (Way::AdminToken, |it| it.proof = Some(digest("before")), Err(Over::SecretChanged)),
            (Way::AdminToken, |it| it.proof = None, Err(Over::SecretChanged)),
            (Way::ApiKey, |it| it.key = None, Err(Over::SecretChanged)),
            (Way::ApiKey, |it| it.key.as_mut().unwrap().enabled = false, Err(Over::KeyDisabled)),
            (Way::ApiKey, |it| it.key.as_mut().unwrap().expires_at = Some(at(60)), Err(Over::KeyExpired)),
            (Way::ApiKey, |it| it.key.as_mut().unwrap().web_login = false, Err(Over::KeyRightsChanged)),
            (Way::ApiKey, |it| it.owner.as_mut().unwrap().enabled = false, Err(Over::UserDisabled)),
            (Way::Password, |it| it.owner.as_mut().unwrap().role = Role::User, Err(Over::RoleChanged)),
            (
                Way::Password,
                |it| it.owner.as_mut().unwrap().expires_at = Some(at(60)),
                Err(Over::UserExpired),
            ),
        ];
        for (row, (way, change, expected)) in table.into_iter().enumerate() {
            let mut standing = session(way);
            change(&mut standing);
            assert_eq!(judged(&standing, 60), expected, "row {row}");
        }
    }

    #[test]
    fn c19_a_session_ends_unused_and_ends_at_last_however_much_it_is_used() {
        for way in Way::ALL {
            let mut standing = session(way);
            assert_eq!(judged(&standing, 79), Ok(()));
            assert_eq!(judged(&standing, 80), Err(Over::Idle));
            // Another replica's clock may be ahead.
            assert_eq!(judged(&standing, 40), Ok(()));
            standing.session.seen_at = at(99);
            assert_eq!(judged(&standing, 99), Ok(()));
            assert_eq!(judged(&standing, 100), Err(Over::Expired));
        }
    }
}
