//! The audit log, and the entries that go with its lines.

use actors::{
    ids::UserId,
    ledger::limits::{AccountId, Span},
    money::Pico,
};
use serde_json::json;

use super::{Backend, Rig, lists::top, on_both, providers::provider, users_and_keys::named};
use crate::{
    journal::balances::{BalancesAsk, EntryKind, LedgerEntry},
    store::{AuditFilter, Author, Deed, StoreError, UserChange},
};

on_both! {
    deeds_are_told_newest_first_in_pages
    a_deed_and_its_entries_are_remembered_together_or_not_at_all
    c26_no_change_without_its_line
    c26_of_refusals_the_newest_are_kept
}

const ACCOUNT: AccountId = AccountId::User(UserId(1));

fn deed(subject: &str) -> Deed {
    Deed {
        author: Author { who: "admin token".into(), address: None },
        action: "quota.reset",
        subject: subject.to_owned(),
        before: None,
        after: Some(json!({"note": "nul\0here", "amount": "0.000000000001"})),
    }
}

fn entry(kind: EntryKind, note: &str) -> LedgerEntry {
    LedgerEntry {
        account: ACCOUNT,
        minute: 7,
        kind,
        span: Some(Span::Day),
        amount: Pico(5),
        until: None,
        request: None,
        note: note.to_owned(),
    }
}

async fn deeds_are_told_newest_first_in_pages(rig: Rig) {
    for subject in ["user/1", "key/2", "provider/3"] {
        rig.store.remember(deed(subject), &[]).await.unwrap();
    }
    let first = rig.store.audit_log(AuditFilter::default(), None, 2).await.unwrap();
    let subjects: Vec<_> = first.items.iter().map(|line| &*line.subject).collect();
    assert_eq!(subjects, ["provider/3", "key/2"]);
    let line = &first.items[0];
    assert_eq!((&*line.who, &*line.action, &line.before), ("admin token", "quota.reset", &None));
    assert_eq!(line.after, Some(json!({"note": "nul\u{FFFD}here", "amount": "0.000000000001"})));
    // A line that comes in between moves no other.
    rig.store.remember(deed("user/4"), &[]).await.unwrap();
    let second = rig.store.audit_log(AuditFilter::default(), first.next, 2).await.unwrap();
    assert_eq!((second.items.len(), &*second.items[0].subject, second.next), (1, "user/1", None));
}

async fn a_deed_and_its_entries_are_remembered_together_or_not_at_all(rig: Rig) {
    let entries = async || {
        let ask = BalancesAsk { account: ACCOUNT, ranges: Vec::new(), by_minute: None };
        rig.store.balances(vec![ask]).await.unwrap().remove(0).entries
    };
    let reset = entry(EntryKind::Reset, "why");
    rig.store.remember(deed("user/1"), std::slice::from_ref(&reset)).await.unwrap();
    assert_eq!(entries().await, [reset]);

    for refused in [entry(EntryKind::Correction, ""), entry(EntryKind::Raise, &"x".repeat(2_001))] {
        rig.store.remember(deed("user/1"), &[entry(EntryKind::Raise, ""), refused]).await.unwrap_err();
    }
    rig.sql("ALTER TABLE audit_log RENAME TO elsewhere").await.unwrap();
    let error = rig.store.remember(deed("user/1"), &[entry(EntryKind::Raise, "")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    rig.sql("ALTER TABLE elsewhere RENAME TO audit_log").await.unwrap();
    assert_eq!(entries().await.len(), 1, "no raise without its line");
    assert_eq!(rig.store.audit_log(AuditFilter::default(), None, 10).await.unwrap().items.len(), 1);
}

async fn c26_no_change_without_its_line(rig: Rig) {
    let author = Author { who: "ann (key laptop)".into(), address: "2001:db8::1".parse().ok() };
    let store = rig.store.signed(author);
    let ann = store.create_user(named("ann")).await.unwrap();
    let id = store.create_provider(provider("one")).await.unwrap().card.id;
    let lines = rig.store.audit_log(AuditFilter::default(), None, 10).await.unwrap().items;
    assert_eq!((&*lines[0].action, lines[0].address), ("provider.create", "2001:db8::1".parse().ok()));
    assert_eq!((&*lines[1].action, &*lines[1].who), ("user.create", "ann (key laptop)"));
    assert_eq!(lines[1].after.as_ref().unwrap()["name"], "ann");

    rig.sql("ALTER TABLE audit_log RENAME TO elsewhere").await.unwrap();
    store.create_user(named("bob")).await.unwrap_err();
    store
        .update_user(ann.id, UserChange { name: Some("anna".into()), ..UserChange::default() })
        .await
        .unwrap_err();
    store.delete_user(ann.id).await.unwrap_err();
    store.delete_provider(id).await.unwrap_err();
    store.put_setting("billing", &json!({})).await.unwrap_err();
    rig.sql("ALTER TABLE elsewhere RENAME TO audit_log").await.unwrap();
    assert_eq!(rig.store.users(top(10)).await.unwrap().items, [ann]);
    assert_eq!(rig.store.providers().await.unwrap().len(), 1);
    assert_eq!(rig.store.setting::<serde_json::Value>("billing").await.unwrap(), None);
}

async fn c26_of_refusals_the_newest_are_kept(rig: Rig) {
    rig.store.remember(deed("user/1"), &[]).await.unwrap();
    let at = if rig.backend == Backend::Sqlite { "0" } else { "now()" };
    rig.sql(&format!(
        "INSERT INTO audit_log (at, who, action, subject) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002) \
         SELECT {at}, 'nobody', 'access.refused', 'GET /' FROM n"
    ))
    .await
    .unwrap();
    rig.store.remember_refusal(deed("GET /api/v1/users")).await.unwrap();
    let count = rig.texts("SELECT CAST(count(*) AS text) AS text FROM audit_log").await;
    assert_eq!(count, ["10001"], "10,000 refusals, and the line of a change, which is older");
    let newest = rig.store.audit_log(AuditFilter::default(), None, 1).await.unwrap().items.remove(0);
    assert_eq!((&*newest.action, &*newest.subject), ("access.refused", "GET /api/v1/users"));
}
