//! Balances: the sums of what was really inserted, however often and in whatever order it is posted.

use std::{collections::BTreeMap, time::Duration};

use actors::{
    ids::{KeyId, ProviderId, UserId},
    ledger::limits::{AccountId, Span},
    money::Pico,
};
use chrono::{DateTime, TimeDelta};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use protocol::Usage;

use super::{Backend, Rig, on_both};
use crate::{
    journal::{
        balances::{Balance, BalancesAsk, EntryKind, LedgerEntry},
        record::{AttemptRecord, Metering, Record, Settlement},
    },
    store::{AuditFilter, Author, Correction, Deed, StoreError},
};

on_both! {
    i40_any_replay_gives_the_same_balances
    i04_balances_are_the_sums_of_their_rows_per_minute_and_in_all
    i04_a_lost_attempt_is_posted_to_its_provider_and_counts_no_request
    i40_a_record_that_was_there_already_is_not_posted_again
    i42_a_group_that_is_refused_posts_nothing
    i04_a_balance_that_was_changed_by_hand_is_told
    i04_corrections_count_and_one_made_twice_counts_once
    the_latest_reset_and_raise_are_told
    a_sum_beyond_what_a_column_holds_is_refused_and_not_bent
    many_questions_are_answered_in_their_order
}

const MINUTE: i64 = 31_666_666;

fn user(id: i64) -> AccountId {
    AccountId::User(UserId(id))
}

/// A priced record of these accounts.
fn record(user: i64, key: i64, provider: Option<i64>, minute: i64, cost: Option<i64>) -> Record {
    let mut record =
        Record::plain(DateTime::from_timestamp(minute * 60, 0).unwrap() - TimeDelta::seconds(90));
    record.minute = minute;
    record.user_id = Some(UserId(user));
    record.key_id = Some(KeyId(key));
    record.provider_id = provider.map(ProviderId);
    let metering = Metering::Exact(Usage::default());
    record.settle(metering, cost.map(|cost| Pico(cost.into())), false);
    record
}

fn ask(account: AccountId) -> BalancesAsk {
    let ranges = vec![0..i64::MAX, MINUTE..MINUTE + 1, MINUTE..MINUTE + 2, 0..MINUTE];
    BalancesAsk { account, ranges, by_minute: Some(0..i64::MAX) }
}

async fn balance(rig: &Rig, account: AccountId) -> Balance {
    rig.store.balances(vec![ask(account)]).await.unwrap().remove(0)
}

async fn everything(rig: &Rig) -> Vec<String> {
    rig.texts(
        "SELECT account || ' ' || CAST(minute AS text) || ' ' || CAST(cost AS text) || ' ' \
         || CAST(requests AS text) AS text FROM ledger_balances ORDER BY account, minute",
    )
    .await
}

fn picos(numbers: &[i128]) -> Vec<Pico> {
    numbers.iter().copied().map(Pico).collect()
}

async fn i04_balances_are_the_sums_of_their_rows_per_minute_and_in_all(rig: Rig) {
    let group = [
        record(1, 10, Some(7), MINUTE, Some(5)),
        record(1, 11, Some(7), MINUTE, Some(3)),
        record(1, 10, Some(8), MINUTE + 1, Some(1)),
        record(2, 20, None, MINUTE, None),
    ];
    assert_eq!(rig.store.insert_requests(&group).await, Ok(4));
    let one = balance(&rig, user(1)).await;
    assert_eq!(one.sums, picos(&[9, 8, 9, 0]));
    assert_eq!(one.by_minute, [(MINUTE, Pico(8)), (MINUTE + 1, Pico(1))]);
    assert_eq!(balance(&rig, AccountId::Key(KeyId(10))).await.sums, picos(&[6, 5, 6, 0]));
    assert_eq!(balance(&rig, AccountId::Provider(ProviderId(7))).await.sums, picos(&[8, 8, 8, 0]));
    assert_eq!(balance(&rig, user(2)).await.sums, picos(&[0, 0, 0, 0]));
    assert_eq!(balance(&rig, user(3)).await.by_minute, [], "nobody has heard of it");
    assert_eq!(rig.store.drift().await.unwrap(), []);
}

async fn i04_a_lost_attempt_is_posted_to_its_provider_and_counts_no_request(rig: Rig) {
    let mut record = record(1, 10, Some(7), MINUTE, Some(5));
    let lost = |provider, cost| AttemptRecord {
        settlement: Some(Settlement::Estimated),
        cost: Some(Pico(cost)),
        ..AttemptRecord::new(ProviderId(provider), "lost".into(), Duration::ZERO)
    };
    record.attempts = vec![lost(8, 3), lost(7, 1)];
    rig.store.insert_requests(&[record.clone(), record]).await.unwrap();
    assert_eq!(balance(&rig, user(1)).await.sums, picos(&[5, 5, 5, 0]));
    assert_eq!(balance(&rig, AccountId::Provider(ProviderId(7))).await.sums, picos(&[6, 6, 6, 0]));
    assert_eq!(balance(&rig, AccountId::Provider(ProviderId(8))).await.sums, picos(&[3, 3, 3, 0]));
    let told = everything(&rig).await;
    let at =
        |account: &str| told.iter().find(|line| line.starts_with(&format!("{account} {MINUTE} "))).unwrap();
    assert!(at("provider/7").ends_with(" 1") && at("provider/8").ends_with(" 0"), "{told:?}");
    assert_eq!(rig.store.drift().await.unwrap(), []);
}

async fn i40_a_record_that_was_there_already_is_not_posted_again(rig: Rig) {
    let (one, two) = (record(1, 10, None, MINUTE, Some(5)), record(1, 10, None, MINUTE, Some(7)));
    rig.store.insert_requests(std::slice::from_ref(&one)).await.unwrap();
    // The repost says something else; what was first stands.
    let mut changed = one.clone();
    changed.settle(Metering::Exact(Usage::default()), Some(Pico(1_000)), false);
    assert_eq!(rig.store.insert_requests(&[changed, two.clone(), two]).await, Ok(1));
    assert_eq!(balance(&rig, user(1)).await.sums[0], Pico(12));
    assert_eq!(rig.store.drift().await.unwrap(), []);
}

async fn i42_a_group_that_is_refused_posts_nothing(rig: Rig) {
    let mut bad = record(1, 10, None, MINUTE, Some(5));
    bad.bytes_up = u64::MAX;
    rig.store.insert_requests(&[record(1, 10, None, MINUTE, Some(5)), bad]).await.unwrap_err();
    assert_eq!(everything(&rig).await, Vec::<String>::new());
}

async fn i04_a_balance_that_was_changed_by_hand_is_told(rig: Rig) {
    rig.store.insert_requests(&[record(1, 10, None, MINUTE, Some(5))]).await.unwrap();
    let change = "UPDATE ledger_balances SET cost = cost + cost WHERE account = 'key/10' AND minute > 0; \
                  DELETE FROM ledger_balances WHERE account = 'user/1' AND minute = 0; \
                  INSERT INTO ledger_balances (account, minute, cost, requests) VALUES ('user/9', 1, 0, 3)";
    rig.sql(change).await.unwrap();
    let told: Vec<_> = rig.store.drift().await.unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|d| (d.account.as_str(), d.minute, d.cost.0, d.balance.0, d.requests, d.counted))
        .collect();
    assert_eq!(told, [("key/10", MINUTE, 5, 10, 1, 1), ("user/1", 0, 5, 0, 1, 0), ("user/9", 1, 0, 0, 0, 3)]);
}

async fn i04_corrections_count_and_one_made_twice_counts_once(rig: Rig) {
    let (unpriced, other) = (record(1, 10, Some(2), MINUTE, None), record(1, 11, None, MINUTE, Some(5)));
    rig.store.insert_requests(&[unpriced.clone(), other.clone()]).await.unwrap();
    let first = Correction::to(&unpriced, Pico(12), &[]).unwrap();
    let down = Correction::to(&other, Pico(1), &[]).unwrap();
    assert_eq!((first.amount(), down.amount()), (Pico(12), Pico(-4)));
    rig.store.correct(vec![first.clone(), down], "late", deed()).await.unwrap();
    assert_eq!(balance(&rig, user(1)).await.sums[0], Pico(13));
    assert_eq!(rig.store.drift().await.unwrap(), []);

    let again = rig.store.correct(vec![first], "late", deed()).await.unwrap_err();
    assert!(matches!(again, StoreError::Conflict { .. }), "somebody was quicker: {again:?}");
    let had = rig.store.corrections([unpriced.id, other.id]).await.unwrap();
    let (of_unpriced, of_other) = (&had[&unpriced.id], &had[&other.id]);
    assert_eq!((of_unpriced.len(), of_unpriced[0].amount, of_other[0].amount), (1, Pico(12), Pico(-4)));
    assert_eq!(of_unpriced[0].note, "late");
    assert_eq!(Correction::to(&unpriced, Pico(12), of_unpriced), None, "it costs that already");
    let second = Correction::to(&unpriced, Pico(10), of_unpriced).unwrap();
    rig.store.correct(vec![second], "later", deed()).await.unwrap();
    assert_eq!(balance(&rig, user(1)).await.sums[0], Pico(11));
    assert_eq!(rig.store.drift().await.unwrap(), []);
    assert_eq!(
        rig.store.audit_log(AuditFilter::default(), None, 9).await.unwrap().items.len(),
        2,
        "a no leaves no line"
    );
}

fn deed() -> Deed {
    Deed {
        author: Author { who: "somebody".into(), address: None },
        action: "requests.reprice",
        subject: "requests".into(),
        before: None,
        after: None,
    }
}

async fn the_latest_reset_and_raise_are_told(rig: Rig) {
    rig.store.insert_requests(&[record(1, 10, None, MINUTE, Some(5))]).await.unwrap();
    let entry = |kind, span, amount| LedgerEntry {
        account: user(1),
        minute: MINUTE,
        kind,
        span: Some(span),
        amount: Pico(amount),
        until: (kind == EntryKind::Raise).then(|| DateTime::from_timestamp(1_900_000_000, 0).unwrap()),
        request: None,
        note: "because".into(),
    };
    let first = entry(EntryKind::Reset, Span::Week, 1);
    let reset = entry(EntryKind::Reset, Span::Week, 5);
    let other = entry(EntryKind::Reset, Span::Month, 5);
    let raise = entry(EntryKind::Raise, Span::Week, 900);
    let entries = [first, reset.clone(), other.clone(), raise.clone()];
    rig.store.remember(deed(), &entries).await.unwrap();
    let found = balance(&rig, user(1)).await;
    assert_eq!(found.entries, [reset, other, raise]);
    assert_eq!(rig.store.drift().await.unwrap(), []);
}

async fn a_sum_beyond_what_a_column_holds_is_refused_and_not_bent(rig: Rig) {
    let large = || record(1, 10, None, MINUTE, Some(i64::MAX));
    rig.store.insert_requests(&[large()]).await.unwrap();
    let refused = rig.store.insert_requests(&[large(), large()]).await.unwrap_err();
    assert!(!refused.is_temporary(), "{refused}");
    let posted = match (rig.backend, rig.store.insert_requests(&[large()]).await) {
        // 64 bits is all there is, and nothing is rounded into a float.
        (Backend::Sqlite, Err(refused)) => {
            assert!(!refused.is_temporary(), "{refused}");
            1
        }
        (Backend::Postgres, Ok(1)) => 2,
        (backend, other) => panic!("{backend:?}: {other:?}"),
    };
    assert_eq!(balance(&rig, user(1)).await.sums[0], Pico(i128::from(i64::MAX) * posted));
    assert_eq!(rig.store.drift().await.unwrap(), []);
}

async fn many_questions_are_answered_in_their_order(rig: Rig) {
    let group: Vec<Record> = (1..=300).map(|id| record(id, id, None, MINUTE, Some(id))).collect();
    rig.store.insert_requests(&group).await.unwrap();
    let found = rig.store.balances((1..=300).map(|id| ask(user(id))).collect()).await.unwrap();
    for (id, balance) in (1..).zip(found) {
        assert_eq!(balance.sums, picos(&[id, id, id, 0]));
    }
    assert_eq!(rig.store.balances(Vec::new()).await, Ok(Vec::new()));
}

/// Thirty records and the order in which pieces of the journal are posted, some of them again and again.
async fn i40_any_replay_gives_the_same_balances(rig: Rig) {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let one = (1..4_i64, 1..3_i64, prop::option::of(1..3_i64), 0..3_i64, prop::option::of(0..1_000_i64));
    let journals = prop::collection::vec(one, 30);
    let pieces = prop::collection::vec((0..30_usize, 1..12_usize, prop::bool::ANY), 1..12);
    for case in 0..12 {
        rig.sql("DELETE FROM requests; DELETE FROM attempts; DELETE FROM ledger_balances").await.unwrap();
        let journal: Vec<Record> = journals
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .into_iter()
            .map(|(user, key, provider, minute, cost)| {
                record(user, user * 10 + key, provider, MINUTE + minute, cost)
            })
            .collect();
        for (from, length, doubled) in pieces.new_tree(&mut runner).unwrap().current() {
            let mut piece = journal[from..(from + length).min(journal.len())].to_vec();
            if doubled {
                piece.extend(piece.clone());
            }
            rig.store.insert_requests(&piece).await.unwrap();
            assert_eq!(rig.store.drift().await.unwrap(), [], "case {case}, at any time");
        }
        rig.store.insert_requests(&journal).await.unwrap();
        let mut expected: BTreeMap<(String, i64), (i128, i64)> = BTreeMap::new();
        for record in &journal {
            for account in record.accounts() {
                for minute in [0, record.minute] {
                    let (cost, requests) = expected.entry((account.to_string(), minute)).or_default();
                    *cost += record.cost.map_or(0, |cost| cost.0);
                    *requests += 1;
                }
            }
        }
        assert_eq!(everything(&rig).await.len(), expected.len(), "case {case}");
        for ((account, minute), (cost, _)) in expected {
            let range = if minute == 0 { 0..i64::MAX } else { minute..minute + 1 };
            let asked =
                BalancesAsk { account: account.parse().unwrap(), ranges: vec![range], by_minute: None };
            let found = rig.store.balances(vec![asked]).await.unwrap();
            assert_eq!(found[0].sums, [Pico(cost)], "case {case}: {account} {minute}");
        }
        assert_eq!(rig.store.drift().await.unwrap(), [], "case {case}");
    }
}
