//! Databases that are away, slow or busy, and callers that do not wait (S14).

use std::time::{Duration, Instant};

use actors::{ledger::limits::Limits, restrictions::Restrictions};

use super::{Backend, Lock, Rig, lists::top, on_both, sealer};
use crate::{
    config::{
        Secret,
        store::{StoreSettings, StoreUrl},
    },
    store::{NewUser, Role, Store, StoreError},
};

on_both! {
    s14_a_held_lock_costs_the_deadline_and_no_more
    a_caller_that_hangs_up_leaves_a_working_store
    the_last_handle_may_go_away_inside_a_runtime
}

fn user(name: &str) -> NewUser {
    NewUser {
        name: name.into(),
        role: Role::User,
        groups: vec![],
        tags: vec![],
        limits: Limits::default(),
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    }
}

fn settings(url: StoreUrl) -> StoreSettings {
    StoreSettings {
        url,
        pool_size: 2,
        pool_wait: Duration::from_millis(300),
        query_deadline: Duration::from_millis(600),
        auto_migrate: true,
    }
}

async fn s14_a_held_lock_costs_the_deadline_and_no_more(rig: Rig) {
    let store = Store::open(&settings(rig.settings.url.clone()), sealer("11")).unwrap();
    store.ping().await.unwrap();
    let lock = Lock::take(&rig).await;
    let began = Instant::now();
    let error = store.create_user(user("late")).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    store.ping().await.expect("readers go on");
    if rig.backend == Backend::Postgres {
        // The server gives up as well, while the lock is still held.
        let waiting = "SELECT CAST(pid AS text) AS text FROM pg_locks \
                       WHERE relation = 'users'::regclass AND NOT granted";
        while !rig.texts(waiting).await.is_empty() {
            assert!(began.elapsed() < Duration::from_secs(5), "the statement goes on at the server");
        }
    }
    lock.give_back().await;
    loop {
        match store.create_user(user("next")).await {
            Ok(_) => break,
            Err(error) => {
                assert!(error.is_temporary() && began.elapsed() < Duration::from_secs(20), "{error}")
            }
        }
    }
}

async fn a_caller_that_hangs_up_leaves_a_working_store(rig: Rig) {
    for number in 0..40 {
        // Polled until it is under way, then dropped at another point each time.
        let name = format!("user {number}");
        let patience = Duration::from_micros(100 * number);
        let _ = tokio::time::timeout(patience, rig.store.create_user(user(&name))).await;
    }
    let made = rig.store.create_user(user("last")).await.unwrap();
    assert_eq!(rig.store.user(made.id).await.unwrap(), made);
    // What was begun was carried out in full; it is only that nobody waited.
    let users = rig.store.users(top(100)).await.unwrap().items;
    assert!(users.iter().any(|user| user.name == "last"));
    if rig.backend == Backend::Sqlite {
        assert_eq!(users.len(), 41, "one writer, so all before the last are through");
    }
}

async fn the_last_handle_may_go_away_inside_a_runtime(rig: Rig) {
    let store = rig.reopened(sealer("11"));
    let call = store.create_user(user("unheard"));
    let _ = tokio::time::timeout(Duration::from_micros(200), call).await;
    drop(store);
    rig.store.ping().await.unwrap();
}

#[actix::test]
async fn a_server_that_is_away_is_named_with_the_cause() {
    // A port that was free a moment ago, and nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://nobody:hunter2@127.0.0.1:{port}/none");
    let store = Store::open(&settings(StoreUrl::Postgres(Secret::new(url))), sealer("11")).unwrap();
    for error in [store.ping().await.unwrap_err(), store.migrate().await.unwrap_err()] {
        let StoreError::Unavailable(cause) = error else { panic!("{error}") };
        assert!(cause.contains("Connection refused"), "{cause}");
        assert!(!cause.contains("hunter2"), "{cause}");
    }
}

#[actix::test]
async fn s14_a_server_that_accepts_and_says_nothing_costs_the_deadline() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let store = Store::open(&settings(StoreUrl::Postgres(Secret::new(url))), sealer("11")).unwrap();
    let began = Instant::now();
    assert!(store.ping().await.unwrap_err().is_temporary());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[actix::test]
async fn an_sqlite_file_that_cannot_be_opened_is_named_with_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(directory.path().to_owned());
    let store = Store::open(&settings(url), sealer("11")).unwrap();
    let StoreError::Unavailable(cause) = store.ping().await.unwrap_err() else { panic!() };
    assert_eq!(cause, "no connection: unable to open database file");
}
