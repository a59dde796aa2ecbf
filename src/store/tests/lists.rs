//! Lists: what filters let through, and pages under every order while rows come and go.

use std::{collections::BTreeSet, fmt::Debug};

use actors::{ids::KeyId, provider::card::Kind};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use protocol::Format;

use super::{
    Backend, Rig, digester, on_both,
    providers::provider,
    users_and_keys::{named, plain_key},
};
use crate::{
    secrets::digest::NewApiKey,
    store::{
        By, Key, KeyFilter, ListAsk, NewKey, NewProvider, NewUser, Order, Page, Place, ProviderFilter, Role,
        Start, Status, Store, StoreError, User, UserFilter,
    },
};

on_both! {
    keys_are_met_once_and_in_order_while_others_come_and_go
    providers_are_met_once_and_in_order
    users_are_found_by_what_they_are
    keys_are_found_by_what_they_are
    providers_are_found_by_what_they_are
    c11_what_is_looked_for_is_data_whatever_it_says
}

/// The first page of everything.
pub(super) fn top<F: Default>(limit: usize) -> ListAsk<F> {
    ListAsk { limit, ..ListAsk::default() }
}

/// The page behind a place.
pub(super) fn behind<F: Default>(place: Option<Place>, limit: usize) -> ListAsk<F> {
    ListAsk { start: Start::Behind(place.unwrap()), limit, ..ListAsk::default() }
}

/// What happens to the list between two of its pages.
#[derive(Debug, Clone)]
enum Meanwhile {
    Comes(Box<NewKey>),
    Goes(Index),
}

fn new_key() -> impl Strategy<Value = NewKey> {
    // Few names, few ends: many are equal, and some differ only in capitals.
    let end = proptest::option::of(0..3_i64).prop_map(|day| day.map(|day| epoch() + TimeDelta::days(day)));
    ("[aAbB]{1,2}", end).prop_map(|(name, expires_at)| NewKey { expires_at, ..plain_key(&name) })
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        new_key().prop_map(|key| Meanwhile::Comes(Box::new(key))),
        any::<Index>().prop_map(Meanwhile::Goes)
    ]
}

fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

/// Checks that entries stand in an order and that no two are the same.
#[track_caller]
fn check_order<R: Ord + Debug>(seen: &[(R, i64)], order: Order) {
    for pair in seen.windows(2) {
        let rises = pair[0] < pair[1];
        assert!(pair[0] != pair[1] && rises != order.descending, "{order:?}: {pair:?}");
    }
}

/// What a key is ranked by, as text that is ordered like it.
fn rank(key: &Key, by: By) -> String {
    match by {
        By::Name => key.name.to_lowercase(),
        By::CreatedAt => key.created_at.to_rfc3339(),
        By::ExpiresAt => key.expires_at.map_or("never".to_owned(), |end| end.to_rfc3339()),
        By::Id | By::Priority | By::Weight => String::new(),
    }
}

async fn keys_are_met_once_and_in_order_while_others_come_and_go(rig: Rig) {
    let cases = (vec(new_key(), 10..24), 1..5_usize, vec(meanwhile(), 60));
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for round in 0..3 {
        let (new, limit, meanwhile) = cases.new_tree(&mut runner).unwrap().current();
        let owner = rig.store.create_user(named(&format!("owner {round}"))).await.unwrap();
        for key in new {
            make(&rig.store, &owner, key).await;
        }
        // Made at the same time, some of them.
        rig.sql("UPDATE api_keys SET created_at = (SELECT min(created_at) FROM api_keys) WHERE id % 3 = 0")
            .await
            .unwrap();
        let mut meanwhile = meanwhile.into_iter().cycle();
        let filter = KeyFilter { user_id: Some(owner.id), ..KeyFilter::default() };
        let mut orders = Order::all_of(By::OF_USERS);
        orders.push(Order::default());
        for order in orders {
            let all = ListAsk { filter: filter.clone(), start: Start::default(), limit: 500 };
            let mut standing: BTreeSet<KeyId> =
                rig.store.keys(all).await.unwrap().items.iter().map(|key| key.id).collect();
            let (mut seen, mut start) = (Vec::new(), Start::Top(order));
            loop {
                let page = rig.store.keys(ListAsk { filter: filter.clone(), start, limit }).await.unwrap();
                assert!(page.items.len() <= limit);
                seen.extend(page.items.iter().map(|key| (rank(key, order.by), key.id.0)));
                let Some(next) = page.next else { break };
                // Through its text, as it travels.
                start = Start::Behind(next.to_string().parse().unwrap());
                match meanwhile.next().unwrap() {
                    Meanwhile::Comes(key) => make(&rig.store, &owner, *key).await,
                    Meanwhile::Goes(which) => {
                        let goes = *which.get(&standing.iter().copied().collect::<Vec<_>>());
                        rig.store.delete_key(goes).await.unwrap();
                        standing.remove(&goes);
                    }
                }
            }
            check_order(&seen, order);
            let seen: BTreeSet<KeyId> = seen.into_iter().map(|(_, id)| KeyId(id)).collect();
            assert!(standing.is_subset(&seen), "{order:?} hides some that were there all the time");
        }
    }
}

async fn make(store: &Store, owner: &User, key: NewKey) {
    store.create_key(owner.id, &NewApiKey::generate(&digester()), key).await.unwrap();
}

async fn providers_are_met_once_and_in_order(rig: Rig) {
    for number in 0..12_i32 {
        let name = format!("{}{number}", if number % 2 == 0 { "P" } else { "p" });
        let (priority, weight) = (number % 3 - 1, u32::try_from(number % 4).unwrap());
        rig.store.create_provider(NewProvider { priority, weight, ..provider(&name) }).await.unwrap();
    }
    for order in Order::all_of(By::OF_PROVIDERS) {
        let (mut seen, mut start) = (Vec::new(), Start::Top(order));
        loop {
            let ask: ListAsk<ProviderFilter> = ListAsk { start, limit: 5, ..ListAsk::default() };
            let page = rig.store.provider_list(ask).await.unwrap();
            seen.extend(page.items.iter().map(|one| {
                let rank = match order.by {
                    By::Name => (0, one.card.name.to_lowercase()),
                    By::Priority => (i64::from(one.card.priority), String::new()),
                    By::Weight => (i64::from(one.card.weight), String::new()),
                    _ => (one.created_at.timestamp_micros(), String::new()),
                };
                (rank, one.card.id.0)
            }));
            let Some(next) = page.next else { break };
            start = Start::Behind(next.to_string().parse().unwrap());
        }
        assert_eq!(seen.len(), 12, "{order:?}");
        check_order(&seen, order);
    }
}

fn names<T>(page: Page<T, Place>, name: impl Fn(&T) -> &str) -> Vec<String> {
    page.items.iter().map(|row| name(row).to_owned()).collect()
}

async fn users_are_found_by_what_they_are(rig: Rig) {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let ends = |days| Some(Utc::now() + TimeDelta::days(days));
    for new in [
        NewUser { tags: texts(&["Blue team", "x"]), ..named("Ann") },
        NewUser { role: Role::Admin, groups: texts(&["vip", "team"]), ..named("bob") },
        NewUser { expires_at: ends(3), ..named("Cy") },
        NewUser { expires_at: ends(-1), ..named("dee") },
        NewUser { expires_at: ends(30), enabled: false, ..named("Zoë 50%") },
    ] {
        rig.store.create_user(new).await.unwrap();
    }
    let found = async |filter: UserFilter| {
        let start = Start::Top(Order { by: By::Name, descending: false });
        let page = rig.store.users(ListAsk { filter, start, limit: 10 }).await.unwrap();
        names(page, |user| &user.name)
    };
    let none = UserFilter::default;
    assert_eq!(found(none()).await, ["Ann", "bob", "Cy", "dee", "Zoë 50%"]);
    for (q, expected) in
        [("ANN", &["Ann"][..]), ("blue", &["Ann"]), ("\",", &[]), ("50%", &["Zoë 50%"]), ("%", &["Zoë 50%"])]
    {
        assert_eq!(found(UserFilter { q: Some(q.into()), ..none() }).await, expected, "{q}");
    }
    if rig.backend == Backend::Sqlite {
        // In PostgreSQL it is the locale of the database that knows capitals.
        assert_eq!(found(UserFilter { q: Some("ZOË".into()), ..none() }).await, ["Zoë 50%"]);
    }
    assert_eq!(found(UserFilter { role: Some(Role::Admin), ..none() }).await, ["bob"]);
    assert_eq!(found(UserFilter { group: Some("vip".into()), ..none() }).await, ["bob"]);
    assert_eq!(found(UserFilter { group: Some("vi".into()), ..none() }).await, Vec::<String>::new());
    assert_eq!(found(UserFilter { tag: Some("Blue team".into()), ..none() }).await, ["Ann"]);
    assert_eq!(found(UserFilter { enabled: Some(false), ..none() }).await, ["Zoë 50%"]);
    for (status, expected) in [
        (Status::Active, &["Ann", "bob", "Cy"][..]),
        (Status::Expiring, &["Cy"]),
        (Status::Expired, &["dee"]),
        (Status::Disabled, &["Zoë 50%"]),
    ] {
        assert_eq!(found(UserFilter { status: Some(status), ..none() }).await, expected, "{status:?}");
    }
    let both = UserFilter {
        status: Some(Status::Active),
        group: Some("team".into()),
        q: Some("n".into()),
        ..none()
    };
    assert_eq!(found(both).await, ["Ann"], "all that is asked for must hold");
}

async fn keys_are_found_by_what_they_are(rig: Rig) {
    let owner = rig.store.create_user(named("ann")).await.unwrap();
    let other = rig.store.create_user(named("bob")).await.unwrap();
    let secret = NewApiKey::generate(&digester());
    rig.store.create_key(owner.id, &secret, NewKey { web_login: true, ..plain_key("Laptop") }).await.unwrap();
    let soon = Some(Utc::now() + TimeDelta::days(6));
    make(&rig.store, &other, NewKey { groups: vec!["ci".into()], expires_at: soon, ..plain_key("ci") }).await;
    make(&rig.store, &other, NewKey { enabled: false, ..plain_key("old") }).await;
    let found = async |filter: KeyFilter| {
        names(rig.store.keys(ListAsk { filter, ..top(10) }).await.unwrap(), |key| &key.name)
    };
    let none = KeyFilter::default;
    assert_eq!(found(none()).await, ["Laptop", "ci", "old"]);
    assert_eq!(found(KeyFilter { q: Some("LAPTO".into()), ..none() }).await, ["Laptop"]);
    let last_four = Some(secret.last_four().to_owned());
    assert_eq!(found(KeyFilter { q: last_four, ..none() }).await, ["Laptop"]);
    assert_eq!(found(KeyFilter { q: Some(secret.prefix().to_owned()), ..none() }).await, ["Laptop"]);
    assert_eq!(found(KeyFilter { user_id: Some(other.id), ..none() }).await, ["ci", "old"]);
    assert_eq!(found(KeyFilter { group: Some("ci".into()), ..none() }).await, ["ci"]);
    assert_eq!(found(KeyFilter { web_login: Some(true), ..none() }).await, ["Laptop"]);
    assert_eq!(found(KeyFilter { enabled: Some(false), ..none() }).await, ["old"]);
    assert_eq!(found(KeyFilter { status: Some(Status::Expiring), ..none() }).await, ["ci"]);
    assert_eq!(found(KeyFilter { status: Some(Status::Active), ..none() }).await, ["Laptop", "ci"]);
}

async fn providers_are_found_by_what_they_are(rig: Rig) {
    for new in [
        NewProvider { notes: "Paid by Ann".into(), ..provider("one") },
        NewProvider { kind: Kind::Openai, groups: vec!["vip".into()], ..provider("two") },
        NewProvider { formats: vec![Format::OpenaiChat], enabled: false, ..provider("three") },
    ] {
        rig.store.create_provider(new).await.unwrap();
    }
    let found = async |filter: ProviderFilter| {
        names(rig.store.provider_list(ListAsk { filter, ..top(10) }).await.unwrap(), |one| &one.card.name)
    };
    let none = ProviderFilter::default;
    assert_eq!(found(ProviderFilter { q: Some("by ann".into()), ..none() }).await, ["one"]);
    assert_eq!(
        found(ProviderFilter { q: Some("canary".into()), ..none() }).await,
        Vec::<String>::new(),
        "C-05"
    );
    assert_eq!(found(ProviderFilter { kind: Some(Kind::Claude), ..none() }).await, ["one", "three"]);
    assert_eq!(found(ProviderFilter { group: Some("vip".into()), ..none() }).await, ["two"]);
    assert_eq!(found(ProviderFilter { enabled: Some(true), ..none() }).await, ["one", "two"]);
    let chat = ProviderFilter { format: Some(Format::OpenaiChat), ..none() };
    assert_eq!(found(chat).await, ["two", "three"], "by its kind, and by itself");
    let anthropic = ProviderFilter { format: Some(Format::Anthropic), ..none() };
    assert_eq!(found(anthropic).await, ["one"], "formats of its own stand in place of the kind's");
}

async fn c11_what_is_looked_for_is_data_whatever_it_says(rig: Rig) {
    rig.store
        .create_user(NewUser { tags: vec!["\\".into()], ..named("'; DROP TABLE users; --") })
        .await
        .unwrap();
    for text in ["'; DROP TABLE users; --", "\" OR 1=1 --", "$1", "?", ":name", "\\", "%", "_", "nul\0here"] {
        let text = Some(text.to_owned());
        let filter = UserFilter { q: text.clone(), ..UserFilter::default() };
        let held = rig.store.users(ListAsk { filter, ..top(10) }).await.unwrap().items.len();
        let expected = text.as_deref().is_some_and(|text| text.starts_with('\'') || text == "\\");
        assert_eq!(held, usize::from(expected), "{text:?}");
        let filter = UserFilter { group: text.clone(), tag: text, ..UserFilter::default() };
        assert!(rig.store.users(ListAsk { filter, ..top(10) }).await.unwrap().items.is_empty());
    }
    let filter = UserFilter { q: Some("x".repeat(401)), ..UserFilter::default() };
    let refused = rig.store.users(ListAsk { filter, ..top(1) }).await.unwrap_err();
    assert_eq!(refused, StoreError::invalid("q", "is too long"));
}
