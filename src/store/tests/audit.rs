//! The audit log, and the entries that go with its lines.

use actors::{
    ids::UserId,
    ledger::limits::{AccountId, Span},
    money::Pico,
};
use serde_json::json;

use super::{Rig, on_both};
use crate::{
    journal::balances::{BalancesAsk, EntryKind, LedgerEntry},
    store::{Deed, StoreError},
};

on_both! {
    deeds_are_told_newest_first_in_pages
    a_deed_and_its_entries_are_remembered_together_or_not_at_all
}

const ACCOUNT: AccountId = AccountId::User(UserId(1));

fn deed(subject: &str) -> Deed {
    Deed {
        who: "admin token".to_owned(),
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
    let first = rig.store.audit_log(None, 2).await.unwrap();
    let subjects: Vec<_> = first.items.iter().map(|line| &*line.subject).collect();
    assert_eq!(subjects, ["provider/3", "key/2"]);
    let line = &first.items[0];
    assert_eq!((&*line.who, &*line.action, &line.before), ("admin token", "quota.reset", &None));
    assert_eq!(line.after, Some(json!({"note": "nul\u{FFFD}here", "amount": "0.000000000001"})));
    // A line that comes in between moves no other.
    rig.store.remember(deed("user/4"), &[]).await.unwrap();
    let second = rig.store.audit_log(first.next, 2).await.unwrap();
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
    assert_eq!(rig.store.audit_log(None, 10).await.unwrap().items.len(), 1);
}
