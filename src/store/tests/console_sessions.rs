//! Console sessions: what is stored of them, and what goes with what (C-19).

use actors::{ids::UserId, ledger::limits::Limits, restrictions::Restrictions};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::{Rig, digest_key, on_both};
use crate::{
    secrets::session_token::SessionTokens,
    store::{AuditFilter, Author, NewConsoleSession, NewUser, Role, StoreError, Way},
};

on_both! {
    c19_the_token_is_nowhere_in_the_database
    c19_a_session_of_a_user_who_is_gone_is_not_begun
    sessions_that_are_over_are_forgotten_with_the_next_sign_in
}

fn tokens() -> SessionTokens {
    SessionTokens::new(&digest_key())
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

pub(super) fn new(token: &str, user: Option<UserId>) -> NewConsoleSession {
    NewConsoleSession {
        digest: tokens().digest(token),
        way: if user.is_some() { Way::Password } else { Way::AdminToken },
        user,
        key: None,
        role: Role::Admin,
        read_only: false,
        proof: None,
        created_at: now(),
        expires_at: now() + TimeDelta::days(7),
        address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("nul\0 agent".to_owned()),
    }
}

async fn c19_the_token_is_nowhere_in_the_database(rig: Rig) {
    let token = tokens().make();
    rig.store.begin_console_session(new(&token, None), None, now()).await.unwrap();
    let columns = "way || ' ' || role || ' ' || address || ' ' || user_agent";
    let hex = match rig.backend {
        super::Backend::Sqlite => "hex(digest)",
        super::Backend::Postgres => "encode(digest, 'hex')",
    };
    let rows = rig.texts(&format!("SELECT {columns} || ' ' || {hex} AS text FROM console_sessions")).await;
    let digest = tokens().digest(&token).to_hex();
    assert_eq!(rows.len(), 1);
    let (row, stored) = rows[0].rsplit_once(' ').unwrap();
    assert_eq!(row, "admin_token admin 2001:db8::1 nul\u{FFFD} agent");
    assert_eq!(stored.to_lowercase(), digest);
    assert_ne!(stored.to_lowercase(), hex::encode(token.as_bytes()));
    let found = rig.store.console_session(&tokens().digest(&token)).await.unwrap().unwrap();
    assert_eq!((found.owner, found.key, found.proof), (None, None, None));
    assert_eq!(rig.store.console_session(&tokens().digest("sid_other")).await.unwrap(), None);
}

async fn c19_a_session_of_a_user_who_is_gone_is_not_begun(rig: Rig) {
    let gone = new("sid_a", Some(UserId(4_711)));
    let store = rig.store.signed(Author { who: "anna".into(), address: None });
    let refused = store.begin_console_session(gone, None, now()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused:?}");
    assert_eq!(
        rig.store.audit_log(AuditFilter::default(), None, 9).await.unwrap().items,
        [],
        "and nothing is told of it"
    );
}

async fn sessions_that_are_over_are_forgotten_with_the_next_sign_in(rig: Rig) {
    let (groups, tags, limits) = (Vec::new(), Vec::new(), Limits::default());
    let user = NewUser {
        name: "anna".into(),
        role: Role::Admin,
        groups,
        tags,
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    };
    let user = Some(rig.store.create_user(user).await.unwrap().id);
    let begin = async |session: NewConsoleSession, idle_since: DateTime<Utc>| {
        rig.store.begin_console_session(session, None, idle_since).await.unwrap()
    };
    let minutes = TimeDelta::minutes;
    let old = NewConsoleSession {
        created_at: now() - minutes(10),
        expires_at: now() - minutes(1),
        ..new("sid_old", user)
    };
    let idle = NewConsoleSession { created_at: now() - minutes(30), ..new("sid_idle", user) };
    let used = NewConsoleSession { created_at: now() - minutes(30), ..new("sid_used", user) };
    begin(old, now() - minutes(60)).await;
    begin(idle, now() - minutes(60)).await;
    let used = begin(used, now() - minutes(60)).await;
    rig.store.console_session_seen(used.id, now()).await.unwrap();
    let newest = begin(new("sid_new", user), now() - minutes(20)).await;
    let left = rig.store.console_sessions(user, None, 9).await.unwrap();
    assert_eq!(left.items.iter().map(|session| session.id).collect::<Vec<_>>(), [used.id, newest.id]);
    rig.store.end_console_session(newest.id, "ended").await.unwrap();
    let again = rig.store.end_console_session(newest.id, "ended").await.unwrap_err();
    assert!(matches!(again, StoreError::NotFound { .. }), "{again:?}");
}
