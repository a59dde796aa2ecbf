//! The recorder on real databases.

use std::time::Duration;

use chrono::DateTime;
use protocol::Usage;

use super::{Lock, Rig, on_both, sealer};
use crate::{
    journal::{
        quarantine::Quarantine,
        record::{Metering, Record, Settlement},
        recorder::{JournalSettings, Recorder, recorder},
    },
    store::{RequestFilter, Store},
};

on_both! {
    i42_one_bad_record_among_many_is_set_aside
    i42_a_database_that_refuses_everything_is_waited_for
    i40_a_commit_that_was_given_up_is_not_doubled
}

fn records(count: usize) -> Vec<Record> {
    (0..count).map(|_| Record::plain(DateTime::UNIX_EPOCH)).collect()
}

fn started(store: &Store, directory: &tempfile::TempDir) -> Recorder {
    let settings = JournalSettings::new(directory.path());
    let (recorder, writer) = recorder(store.clone(), Quarantine::new(directory.path()), settings).unwrap();
    actix::spawn(writer.run());
    recorder
}

async fn stored(rig: &Rig) -> usize {
    rig.store.requests(RequestFilter::default(), None, 500).await.unwrap().items.len()
}

async fn i42_one_bad_record_among_many_is_set_aside(rig: Rig) {
    let directory = tempfile::tempdir().unwrap();
    let recorder = started(&rig.store, &directory);
    let mut sent = records(300);
    let absurd = Usage { output_tokens: u64::MAX, ..Usage::default() };
    sent[123].metering = Metering::Exact(absurd);
    sent[123].settlement = Settlement::Exact;
    for record in &sent {
        recorder.record(record.clone());
    }
    recorder.flush().await;
    assert_eq!(stored(&rig).await, 299);
    let quarantine = Quarantine::new(directory.path());
    let text = std::fs::read_to_string(quarantine.path()).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains(&sent[123].id.to_string()) && text.contains(&u64::MAX.to_string()), "{text}");
}

async fn i42_a_database_that_refuses_everything_is_waited_for(rig: Rig) {
    let directory = tempfile::tempdir().unwrap();
    let recorder = started(&rig.store, &directory);
    rig.sql("ALTER TABLE attempts RENAME TO attempts_away; ALTER TABLE requests RENAME TO requests_away")
        .await
        .unwrap();
    recorder.record(records(1).remove(0));
    while recorder.snapshot().failed_commits < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!((recorder.backlog(), recorder.snapshot().set_aside), (1, 0));
    rig.sql("ALTER TABLE requests_away RENAME TO requests; ALTER TABLE attempts_away RENAME TO attempts")
        .await
        .unwrap();
    recorder.flush().await;
    assert_eq!(stored(&rig).await, 1);
    assert!(!Quarantine::new(directory.path()).path().exists());
}

async fn i40_a_commit_that_was_given_up_is_not_doubled(rig: Rig) {
    let directory = tempfile::tempdir().unwrap();
    let mut hasty = rig.settings.clone();
    hasty.query_deadline = Duration::from_millis(200);
    hasty.pool_wait = hasty.query_deadline;
    let recorder = started(&Store::open(&hasty, sealer("11")).unwrap(), &directory);
    let lock = Lock::take(&rig).await;
    for record in records(20) {
        recorder.record(record);
    }
    while recorder.snapshot().failed_commits < 2 {
        tokio::task::yield_now().await;
    }
    // On SQLite the commit that was given up is still under way and will now succeed, unheard.
    lock.give_back().await;
    recorder.flush().await;
    assert_eq!(stored(&rig).await, 20);
    assert_eq!((recorder.backlog(), recorder.snapshot().set_aside), (0, 0));
}
