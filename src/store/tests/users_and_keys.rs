//! Users, their keys, and the directory made of both.

use actors::{
    ids::{KeyId, UserId},
    ledger::limits::{Day, FiveHours, Limits, Span},
    money::Pico,
    restrictions::{
        Restrictions,
        clients::{ClientPattern, ClientRules},
    },
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::{
    Backend, Rig, digester,
    lists::{behind, top},
    on_both,
};
use crate::{
    secrets::digest::NewApiKey,
    store::{Key, KeyChange, KeyFilter, ListAsk, NewKey, NewUser, Role, Store, StoreError, User, UserChange},
};

on_both! {
    a_user_comes_back_as_stored
    a_user_changes_only_where_told
    limits_of_a_key_change_only_where_told
    restrictions_change_only_where_told_and_survive_the_trash
    what_was_put_away_before_there_were_restrictions_comes_back_without
    rows_of_an_older_server_have_no_limits
    a_name_belongs_to_one_user
    what_is_not_there_is_not_found
    lists_go_on_behind_the_last_row
    a_user_takes_the_keys_along
    the_directory_joins_keys_and_users
    c02_the_database_never_sees_a_key
    c11_names_are_data_whatever_they_say
}

fn instant() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_900_000_000_123_456).unwrap()
}

pub(super) fn named(name: &str) -> NewUser {
    NewUser {
        name: name.into(),
        role: Role::User,
        groups: vec!["team".into()],
        tags: vec![],
        limits: Limits::default(),
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    }
}

pub(super) fn plain_key(name: &str) -> NewKey {
    let limits = Limits::default();
    NewKey {
        name: name.into(),
        groups: vec![],
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
        web_login: false,
    }
}

/// Every one of them set.
fn restrictions() -> Restrictions {
    let patterns = |text: &str| vec![ClientPattern::parse(text).unwrap()];
    let clients = ClientRules { allowed: patterns("Codex-CLI"), blocked: patterns("*/0.1") };
    Restrictions { allowed_models: vec!["claude-*".into(), "b".into()], clients }
}

/// Every one of them set.
fn limits() -> Limits {
    let mut limits = Limits {
        rpm: Some(1),
        tpm: Some(1_000_000_000_000),
        concurrency: Some(0),
        sessions: Some(4),
        five_hours: Some(FiveHours::Fixed),
        day: Some(Day::Fixed(NaiveTime::from_hms_opt(23, 59, 0).unwrap())),
        strict: Some(false),
        hard_stop: Some(true),
        ..Limits::default()
    };
    for (span, picos) in Span::ALL.into_iter().zip(1..) {
        limits.usd[span] = Some(Pico(picos * 1_000_000_000_001));
    }
    limits
}

pub(super) async fn user(store: &Store, name: &str) -> User {
    store.create_user(named(name)).await.unwrap()
}

async fn key(store: &Store, user: &User, new: NewKey) -> (Key, NewApiKey) {
    let secret = NewApiKey::generate(&digester());
    (store.create_key(user.id, &secret, new).await.unwrap(), secret)
}

async fn a_user_comes_back_as_stored(rig: Rig) {
    let new = NewUser {
        name: "Zoë".into(),
        role: Role::Admin,
        groups: vec!["a".into(), "b \"quoted\"".into()],
        tags: vec!["x".into()],
        limits: limits(),
        restrictions: restrictions(),
        expires_at: Some(instant()),
        enabled: false,
    };
    let made = rig.store.create_user(new).await.unwrap();
    assert_eq!(made.name, "Zoë");
    assert_eq!(made.role, Role::Admin);
    assert_eq!(made.groups, ["a", "b \"quoted\""]);
    assert_eq!(made.limits, limits());
    assert_eq!(made.restrictions, restrictions());
    assert_eq!(made.expires_at, Some(instant()));
    assert!(!made.enabled);
    assert_eq!(made.created_at, made.updated_at);
    assert_eq!(rig.store.user(made.id).await.unwrap(), made);
}

async fn a_user_changes_only_where_told(rig: Rig) {
    let made = user(&rig.store, "one").await;
    let change = UserChange { expires_at: Some(Some(instant())), ..UserChange::default() };
    let changed = rig.store.update_user(made.id, change).await.unwrap();
    let expected =
        User { version: 2, expires_at: Some(instant()), updated_at: changed.updated_at, ..made.clone() };
    assert_eq!(changed, expected);
    assert!(changed.updated_at >= made.updated_at);

    let change = UserChange { limits: Some(limits()), ..UserChange::default() };
    rig.store.update_user(made.id, change).await.unwrap();
    let untouched = rig.store.update_user(made.id, UserChange::default()).await.unwrap();
    assert_eq!(untouched.limits, limits());
    assert_eq!(untouched.expires_at, Some(instant()), "none means: leave it");
    let change = UserChange { expires_at: Some(None), ..UserChange::default() };
    assert_eq!(rig.store.update_user(made.id, change).await.unwrap().expires_at, None);
}

async fn limits_of_a_key_change_only_where_told(rig: Rig) {
    let one = user(&rig.store, "one").await;
    let (made, _) = key(&rig.store, &one, NewKey { limits: limits(), ..plain_key("k") }).await;
    assert_eq!(made.limits, limits());
    let untouched = rig.store.update_key(made.id, KeyChange::default()).await.unwrap();
    assert_eq!(untouched.limits, limits());
    let change = KeyChange { limits: Some(Limits::default()), ..KeyChange::default() };
    rig.store.update_key(made.id, change).await.unwrap();
    assert_eq!(rig.store.key(made.id).await.unwrap().limits, Limits::default());
}

async fn restrictions_change_only_where_told_and_survive_the_trash(rig: Rig) {
    let one = rig.store.create_user(NewUser { restrictions: restrictions(), ..named("one") }).await.unwrap();
    let own = Restrictions { allowed_models: vec!["b".into()], ..Restrictions::default() };
    let (made, _) = key(&rig.store, &one, NewKey { restrictions: own.clone(), ..plain_key("k") }).await;
    assert_eq!(made.restrictions, own);
    assert_eq!(rig.store.update_key(made.id, KeyChange::default()).await.unwrap().restrictions, own);
    assert_eq!(
        rig.store.update_user(one.id, UserChange::default()).await.unwrap().restrictions,
        restrictions()
    );
    rig.store.delete_user(one.id).await.unwrap();
    assert_eq!(rig.store.restore_user(one.id).await.unwrap().restrictions, restrictions());
    let entry = rig.store.directory().await.unwrap().remove(0);
    assert_eq!((entry.user_restrictions, entry.key_restrictions), (restrictions(), own));
    let none = KeyChange { restrictions: Some(Restrictions::default()), ..KeyChange::default() };
    assert_eq!(rig.store.update_key(made.id, none).await.unwrap().restrictions, Restrictions::default());

    rig.sql("UPDATE users SET restrictions = '{\"allowed_regions\": []}'").await.unwrap();
    let error = rig.store.directory().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "a restriction nobody here keeps: {error}");
}

async fn what_was_put_away_before_there_were_restrictions_comes_back_without(rig: Rig) {
    let one = user(&rig.store, "one").await;
    rig.store.delete_user(one.id).await.unwrap();
    let older = match rig.backend {
        Backend::Sqlite => "UPDATE trash SET document = json_remove(document, '$.user.restrictions')",
        Backend::Postgres => "UPDATE trash SET document = document #- '{user,restrictions}'",
    };
    rig.sql(older).await.unwrap();
    assert_eq!(rig.store.restore_user(one.id).await.unwrap().restrictions, Restrictions::default());
}

async fn rows_of_an_older_server_have_no_limits(rig: Rig) {
    let made = user(&rig.store, "one").await;
    let (of_key, _) = key(&rig.store, &made, NewKey { limits: limits(), ..plain_key("k") }).await;
    rig.sql("UPDATE users SET limits = '{}'; UPDATE api_keys SET limits = '{\"rpm\": 3}'").await.unwrap();
    assert_eq!(rig.store.user(made.id).await.unwrap().limits, Limits::default());
    let entry = rig.store.directory().await.unwrap().remove(0);
    assert_eq!(entry.key_id, of_key.id);
    assert_eq!(entry.key_limits, Limits { rpm: Some(3), ..Limits::default() });

    rig.sql("UPDATE users SET limits = '{\"usd_hourly\": \"1\"}'").await.unwrap();
    let error = rig.store.directory().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "a limit nobody here holds: {error}");
}

async fn a_name_belongs_to_one_user(rig: Rig) {
    user(&rig.store, "one").await;
    let other = user(&rig.store, "two").await;
    let taken = StoreError::Conflict { field: "name".into() };
    assert_eq!(rig.store.create_user(named("one")).await.unwrap_err(), taken);
    let rename = UserChange { name: Some("one".into()), ..UserChange::default() };
    assert_eq!(rig.store.update_user(other.id, rename).await.unwrap_err(), taken);
    for name in ["", "  ", &"x".repeat(201)] {
        let refused = rig.store.create_user(named(name)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { field: "name", .. }), "{refused}");
    }
}

async fn what_is_not_there_is_not_found(rig: Rig) {
    let nobody = UserId(404);
    let user = StoreError::NotFound { what: "user" };
    assert_eq!(rig.store.user(nobody).await.unwrap_err(), user);
    assert_eq!(rig.store.update_user(nobody, UserChange::default()).await.unwrap_err(), user);
    assert_eq!(rig.store.delete_user(nobody).await.unwrap_err(), user);
    let secret = NewApiKey::generate(&digester());
    assert_eq!(rig.store.create_key(nobody, &secret, plain_key("k")).await.unwrap_err(), user);
    let nothing = StoreError::NotFound { what: "api key" };
    assert_eq!(rig.store.key(KeyId(404)).await.unwrap_err(), nothing);
    assert_eq!(rig.store.update_key(KeyId(404), KeyChange::default()).await.unwrap_err(), nothing);
    assert_eq!(rig.store.delete_key(KeyId(404)).await.unwrap_err(), nothing);
}

async fn lists_go_on_behind_the_last_row(rig: Rig) {
    for number in 0..5 {
        user(&rig.store, &format!("user {number}")).await;
    }
    let first = rig.store.users(top(2)).await.unwrap();
    assert_eq!(first.items.len(), 2);
    // A row that goes away in between hides no other.
    rig.store.delete_user(first.items[1].id).await.unwrap();
    let second = rig.store.users(behind(first.next, 2)).await.unwrap();
    let names: Vec<&str> = second.items.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["user 2", "user 3"]);
    let last = rig.store.users(behind(second.next, 2)).await.unwrap();
    assert_eq!((last.items.len(), last.next), (1, None));
    assert_eq!(rig.store.users(top(4)).await.unwrap().next, None, "a full last page is the last");
}

async fn a_user_takes_the_keys_along(rig: Rig) {
    let (one, other) = (user(&rig.store, "one").await, user(&rig.store, "other").await);
    let (gone, _) = key(&rig.store, &one, plain_key("k")).await;
    let (stays, _) = key(&rig.store, &other, plain_key("k")).await;
    rig.store.delete_user(one.id).await.unwrap();
    assert!(rig.store.key(gone.id).await.is_err());
    let of_user =
        ListAsk { filter: KeyFilter { user_id: Some(other.id), ..KeyFilter::default() }, ..top(10) };
    assert_eq!(rig.store.keys(of_user).await.unwrap().items, [stays]);
    let next = user(&rig.store, "one").await;
    assert!(next.id > other.id, "the number of a removed user is not given out again");
}

async fn the_directory_joins_keys_and_users(rig: Rig) {
    let late = instant() + TimeDelta::days(1);
    let one = rig
        .store
        .create_user(NewUser { expires_at: Some(late), limits: limits(), ..named("one") })
        .await
        .unwrap();
    let (plain, secret) = key(&rig.store, &one, plain_key("plain")).await;
    let own_limits = Limits { rpm: Some(7), ..Limits::default() };
    let own = NewKey {
        limits: own_limits,
        groups: vec!["own".into()],
        expires_at: Some(instant()),
        web_login: true,
        ..plain_key("own")
    };
    let (own, _) = key(&rig.store, &one, own).await;

    let directory = rig.store.directory().await.unwrap();
    assert_eq!(directory.len(), 2);
    let first = &directory[0];
    assert_eq!((first.key_id, first.user_id), (plain.id, one.id));
    assert_eq!((first.key_name.as_str(), first.user_name.as_str()), ("plain", "one"));
    assert!(first.digest.matches(&digester().digest(secret.reveal())));
    assert_eq!(first.groups, ["team"], "a key without groups has its user's");
    assert_eq!(first.expires_at, Some(late));
    assert!(first.enabled && !first.web_login);
    let second = &directory[1];
    assert_eq!(second.groups, ["own"]);
    assert_eq!((first.key_limits, second.key_limits), (Limits::default(), own_limits));
    assert_eq!((first.user_limits, second.user_limits), (limits(), limits()));
    assert_eq!(second.expires_at, Some(instant()), "the earlier of the two");

    let off = KeyChange { enabled: Some(false), ..KeyChange::default() };
    rig.store.update_key(own.id, off).await.unwrap();
    let enabled = |directory: Vec<crate::store::DirectoryEntry>| -> Vec<bool> {
        directory.iter().map(|entry| entry.enabled).collect()
    };
    assert_eq!(enabled(rig.store.directory().await.unwrap()), [true, false]);
    let off = UserChange { enabled: Some(false), ..UserChange::default() };
    rig.store.update_user(one.id, off).await.unwrap();
    assert_eq!(enabled(rig.store.directory().await.unwrap()), [false, false]);
}

async fn c02_the_database_never_sees_a_key(rig: Rig) {
    let one = user(&rig.store, "one").await;
    let (stored, secret) = key(&rig.store, &one, plain_key("k")).await;
    assert_eq!((stored.prefix.as_str(), stored.last_four.as_str()), (secret.prefix(), secret.last_four()));
    let row =
        rig.texts("SELECT name || prefix || last_four || CAST(groups AS text) AS text FROM api_keys").await;
    let shown = secret.prefix().len() + secret.last_four().len();
    assert_eq!(row[0].len(), "k[]".len() + shown, "nothing of the key but what lists show: {row:?}");

    let again = rig.store.create_key(one.id, &secret, plain_key("twice")).await.unwrap_err();
    assert_eq!(again, StoreError::Conflict { field: "digest".into() });
}

async fn c11_names_are_data_whatever_they_say(rig: Rig) {
    for name in ["'; DROP TABLE users; --", "\" OR 1=1 --", "$1", "?", ":name", "\\", "a\u{202e}b", "%_"] {
        let made = user(&rig.store, name).await;
        assert_eq!(rig.store.user(made.id).await.unwrap().name, name);
    }
    assert_eq!(user(&rig.store, "nul\0here").await.name, "nul\u{FFFD}here", "S15");
    assert_eq!(rig.store.users(top(100)).await.unwrap().items.len(), 9);
}
