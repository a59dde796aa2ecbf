//! Batches: one transaction for all of it, and undone only as long as nobody was there since.

use super::{
    Rig,
    lists::top,
    on_both,
    users_and_keys::{named, user},
};
use crate::store::{
    AuditFilter, Author, ListAsk, Mode, NewConsoleSession, Role, RowChange, StoreError, TrashKind, User,
    UserChange, UserFilter, Way,
};

on_both! {
    a_batch_is_whole_or_not_at_all
    c19_a_batch_and_its_undoing_end_sessions
    a_batch_that_is_too_old_is_not_undone
}

fn off(user: &User) -> RowChange<UserChange> {
    let change = UserChange { enabled: Some(false), ..UserChange::default() };
    RowChange { id: user.id.0, version: user.version, change }
}

async fn users(rig: &Rig) -> Vec<User> {
    let ask: ListAsk<UserFilter> = top(10);
    rig.store.users(ask).await.unwrap().items
}

async fn a_batch_is_whole_or_not_at_all(rig: Rig) {
    let store = rig.store.signed(Author { who: "anna".into(), address: None });
    let (one, two) = (user(&rig.store, "one").await, user(&rig.store, "two").await);
    let stale = RowChange { version: 7, ..off(&two) };
    let refused = store.change_users(vec![off(&one), stale], Mode::Apply).await.unwrap_err();
    assert_eq!(refused, StoreError::Stale { version: 1 });
    let shown = store.change_users(vec![off(&one), off(&two)], Mode::Preview).await.unwrap();
    assert_eq!(shown.made, None);
    assert!(shown.changed.iter().all(|(before, after)| before.enabled && !after.enabled));
    assert_eq!(users(&rig).await, [one, two], "nothing of the one, nothing of the other");
    assert_eq!(rig.texts("SELECT kind AS text FROM batches").await, Vec::<String>::new());
    assert_eq!(store.audit_log(AuditFilter::default(), None, 9).await.unwrap().items, []);
}

async fn c19_a_batch_and_its_undoing_end_sessions(rig: Rig) {
    let one = user(&rig.store, "one").await;
    let sessions = async || rig.store.console_sessions(Some(one.id), None, 9).await.unwrap().items.len();
    let begin = async || {
        let new = NewConsoleSession {
            way: Way::Password,
            role: Role::User,
            ..super::console_sessions::new("sid", Some(one.id))
        };
        rig.store.begin_console_session(new, None, one.created_at).await.unwrap();
    };
    begin().await;
    let made = rig.store.change_users(vec![off(&one)], Mode::Preview).await.unwrap().made;
    assert_eq!((made, sessions().await), (None, 1), "a preview ends none");
    let made = rig.store.change_users(vec![off(&one)], Mode::Apply).await.unwrap().made.unwrap();
    assert_eq!(sessions().await, 0);
    rig.store.undo_batch(TrashKind::User, made.id).await.unwrap();
    assert_eq!(sessions().await, 0, "what was over stays over");

    // Turned on by a batch, which is undone.
    let one = rig.store.user(one.id).await.unwrap();
    rig.store.change_users(vec![off(&one)], Mode::Apply).await.unwrap();
    let one = rig.store.user(one.id).await.unwrap();
    let change = UserChange { enabled: Some(true), role: Some(Role::Admin), ..UserChange::default() };
    let on = RowChange { change, ..off(&one) };
    let made = rig.store.change_users(vec![on], Mode::Apply).await.unwrap().made.unwrap();
    begin().await;
    rig.store.undo_batch(TrashKind::User, made.id).await.unwrap();
    assert_eq!(sessions().await, 0);
}

async fn a_batch_that_is_too_old_is_not_undone(rig: Rig) {
    let one = rig.store.create_user(named("one")).await.unwrap();
    let made = rig.store.change_users(vec![off(&one)], Mode::Apply).await.unwrap().made.unwrap();
    assert_eq!(rig.store.batch_kind(made.id).await.unwrap(), TrashKind::User);
    let wrong = rig.store.undo_batch(TrashKind::Key, made.id).await.unwrap_err();
    let gone = StoreError::NotFound { what: "batch" };
    assert_eq!(wrong, gone, "of another kind");
    let day = match rig.backend {
        super::Backend::Sqlite => "made_at - 86400000001",
        super::Backend::Postgres => "made_at - interval '1 day 1 second'",
    };
    rig.sql(&format!("UPDATE batches SET made_at = {day}")).await.unwrap();
    assert_eq!(rig.store.batch_kind(made.id).await.unwrap_err(), gone);
    assert_eq!(rig.store.undo_batch(TrashKind::User, made.id).await.unwrap_err(), gone);
    let one = rig.store.user(one.id).await.unwrap();
    rig.store.change_users(vec![off(&one)], Mode::Apply).await.unwrap();
    assert_eq!(rig.texts("SELECT kind AS text FROM batches").await, ["user"], "and forgotten with the next");
}
