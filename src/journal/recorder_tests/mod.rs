//! The recorder against a scripted log, on a paused clock: what is committed, and what is not.

mod deaths;
mod questions;
mod room;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use actors::{
    ids::{RequestId, UserId},
    ledger::limits::AccountId,
    money::Pico,
};
use chrono::DateTime;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::*;
use crate::journal::{
    balances::Balance,
    intent::tests::intent,
    record::{Ending, Settlement},
    settings::FOLDER,
    writer::InsertError,
};

/// A log that does what the test says.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    stored: Vec<RequestId>,
    /// Sizes and times of the groups that were tried.
    tried: Vec<(usize, Instant)>,
    /// Records that are refused whatever else is in the group.
    bad: HashSet<RequestId>,
    /// How many calls find the database away.
    away: usize,
    /// How many calls store the group and lose the reply.
    replies_lost: usize,
    /// How many calls refuse for a passing reason.
    hiccups: usize,
    /// Everything is refused.
    full: bool,
}

impl RequestLog for Scripted {
    async fn insert(&self, records: &[Record]) -> Result<usize, InsertError> {
        let mut script = self.0.lock().unwrap();
        script.tried.push((records.len(), Instant::now()));
        if script.away > 0 {
            script.away -= 1;
            return Err(InsertError::Away("away".into()));
        }
        if script.hiccups > 0 {
            script.hiccups -= 1;
            return Err(InsertError::Refused("hiccup".into()));
        }
        if script.full || records.iter().any(|record| script.bad.contains(&record.id)) {
            return Err(InsertError::Refused("dislikes it".into()));
        }
        let before = script.stored.len();
        for record in records {
            if !script.stored.contains(&record.id) {
                script.stored.push(record.id);
            }
        }
        if script.replies_lost > 0 {
            script.replies_lost -= 1;
            return Err(InsertError::Away("reply lost".into()));
        }
        Ok(script.stored.len() - before)
    }

    async fn takes_records(&self) -> bool {
        !self.0.lock().unwrap().full
    }

    async fn balances(&self, asks: Vec<BalancesAsk>) -> Result<Vec<Balance>, InsertError> {
        let script = self.0.lock().unwrap();
        if script.away > 0 {
            return Err(InsertError::Away("away".into()));
        }
        let sums = vec![Pico(script.stored.len() as i128)];
        Ok(asks.iter().map(|_| Balance { sums: sums.clone(), ..Balance::default() }).collect())
    }
}

struct Rig {
    recorder: Recorder,
    log: Scripted,
    directory: TempDir,
}

impl Rig {
    /// A recorder whose writer runs. The clock stands still from here on.
    fn new(script: Script) -> Self {
        tokio::time::pause();
        let (rig, writer) = Self::halted(script);
        actix::spawn(writer.run());
        rig
    }

    fn halted(script: Script) -> (Self, Writer<Scripted>) {
        let directory = tempfile::tempdir().unwrap();
        let log = Scripted(Arc::new(Mutex::new(script)));
        let settings = JournalSettings::new(directory.path());
        Self::opened(log, directory, settings)
    }

    fn opened(log: Scripted, directory: TempDir, settings: JournalSettings) -> (Self, Writer<Scripted>) {
        let (recorder, writer) = recorder(log.clone(), Quarantine::new(directory.path()), settings).unwrap();
        (Self { recorder, log, directory }, writer)
    }

    /// The process dies and another one starts, in front of a log of its own.
    fn dies(self, writer: Writer<Scripted>, script: Script) -> (Self, Writer<Scripted>) {
        let Self { recorder, directory, .. } = self;
        // What is on disk is copied away, as a dead process leaves it: nothing tidies up.
        let left = tempfile::tempdir().unwrap();
        let folder = directory.path().join(FOLDER);
        std::fs::create_dir(left.path().join(FOLDER)).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            std::fs::copy(&path, left.path().join(FOLDER).join(name)).unwrap();
        }
        drop((recorder, writer, directory));
        let settings = JournalSettings::new(left.path());
        Self::opened(Scripted(Arc::new(Mutex::new(script))), left, settings)
    }

    fn segments(&self) -> usize {
        self.recorder.snapshot().journal_segments
    }

    fn record(&self, records: &[Record]) {
        for record in records {
            self.recorder.record(record.clone());
        }
    }

    fn script<T>(&self, look: impl FnOnce(&mut Script) -> T) -> T {
        look(&mut self.log.0.lock().unwrap())
    }

    fn stored(&self) -> Vec<RequestId> {
        self.script(|script| script.stored.clone())
    }

    /// The lines of the quarantine file.
    fn set_aside(&self) -> Vec<serde_json::Value> {
        match std::fs::read_to_string(self.directory.path().join(super::super::quarantine::FILE_NAME)) {
            Ok(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            Err(_) => Vec::new(),
        }
    }
}

fn records(count: usize) -> Vec<Record> {
    (0..count).map(|_| Record::plain(DateTime::UNIX_EPOCH)).collect()
}

fn ids(records: &[Record]) -> Vec<RequestId> {
    records.iter().map(|record| record.id).collect()
}

/// As exact as tokio's timers, which may be a millisecond late.
fn centiseconds(span: Duration) -> u128 {
    span.as_millis() / 10
}

#[actix::test]
async fn records_are_committed_in_groups_and_in_order() {
    let rig = Rig::new(Script::default());
    let sent = records(1_050);
    rig.record(&sent);
    rig.recorder.flush().await;
    assert_eq!(rig.stored(), ids(&sent));
    let sizes: Vec<usize> = rig.script(|script| script.tried.iter().map(|(size, _)| *size).collect());
    assert_eq!(sizes, [500, 500, 50]);
    assert_eq!((rig.recorder.backlog(), rig.recorder.snapshot().committed), (0, 1_050));
}

#[actix::test]
async fn a_lone_record_waits_for_company_only_a_moment() {
    let rig = Rig::new(Script::default());
    let began = Instant::now();
    rig.record(&records(1));
    sleep(Duration::from_millis(60)).await;
    rig.record(&records(1));
    assert_eq!(rig.stored().len(), 0);
    sleep(Duration::from_millis(60)).await;
    let tried = rig.script(|script| script.tried.clone());
    assert_eq!(tried.len(), 1, "both in one commit");
    assert_eq!(tried[0].0, 2);
    assert_eq!(centiseconds(tried[0].1 - began), 10);
}

#[actix::test]
async fn i42_nothing_is_lost_while_the_database_is_away() {
    let rig = Rig::new(Script { away: 12, ..Script::default() });
    let sent = records(1_000);
    rig.record(&sent);
    rig.recorder.flush().await;
    assert_eq!(rig.stored(), ids(&sent));
    assert_eq!(rig.set_aside().len(), 0);
    assert_eq!(rig.recorder.snapshot().failed_commits, 12);
    // Each pause is twice the one before, up to five seconds.
    let tried = rig.script(|script| script.tried.clone());
    let pauses: Vec<u128> =
        tried.windows(2).take(12).map(|pair| centiseconds(pair[1].1 - pair[0].1)).collect();
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 500, 500, 500, 500, 500, 500]);
}

#[actix::test]
async fn i40_a_lost_reply_stores_nothing_twice() {
    let rig = Rig::new(Script { replies_lost: 3, ..Script::default() });
    let sent = records(10);
    rig.record(&sent);
    rig.recorder.flush().await;
    assert_eq!(rig.stored(), ids(&sent));
    assert_eq!(rig.recorder.snapshot().committed, 10);
}

#[actix::test]
async fn i42_a_full_disk_sends_nothing_to_the_quarantine() {
    let rig = Rig::new(Script { full: true, ..Script::default() });
    let sent = records(7);
    rig.record(&sent);
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!((rig.set_aside().len(), rig.recorder.backlog()), (0, 7));
    rig.script(|script| script.full = false);
    rig.recorder.flush().await;
    assert_eq!(rig.stored(), ids(&sent));
    assert_eq!(rig.set_aside().len(), 0);
}

#[actix::test]
async fn a_record_refused_for_a_passing_reason_is_tried_again_before_it_is_set_aside() {
    let rig = Rig::new(Script { hiccups: 1, ..Script::default() });
    rig.record(&records(1));
    rig.recorder.flush().await;
    assert_eq!((rig.stored().len(), rig.set_aside().len()), (1, 0));
}

#[actix::test]
async fn a_record_that_is_set_aside_can_be_read_there() {
    let mut record = records(1).remove(0);
    record.model = Some("m\0".into());
    record.user_agent = Some("line\nbreak".into());
    let rig = Rig::new(Script { bad: HashSet::from([record.id]), ..Script::default() });
    rig.record(&[record.clone()]);
    rig.recorder.flush().await;
    let lines = rig.set_aside();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["reason"], "dislikes it");
    let kept = &lines[0]["record"];
    assert_eq!(kept["id"], record.id.to_string());
    assert_eq!((&kept["model"], &kept["user_agent"]), (&"m\0".into(), &"line\nbreak".into()));
    assert_eq!((&kept["metering"]["class"], &kept["settlement"]), (&"none".into(), &"free".into()));
    assert_eq!((rig.recorder.backlog(), rig.recorder.snapshot().set_aside), (0, 1));
}

#[actix::test]
async fn the_writer_ends_with_its_recorders_and_leaves_nothing_behind() {
    let (rig, writer) = Rig::halted(Script::default());
    rig.record(&records(500));
    let Rig { recorder, log, .. } = rig;
    drop(recorder);
    writer.run().await;
    assert_eq!(log.0.lock().unwrap().stored.len(), 500);
}

#[actix::test]
async fn a_request_that_ends_in_a_panic_or_after_the_writer_can_still_be_recorded() {
    struct Ends(Recorder);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.record(records(1).remove(0));
        }
    }
    let (rig, writer) = Rig::halted(Script::default());
    let ends = Ends(rig.recorder.clone());
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _ends = ends;
        panic!("in the middle of a request");
    }));
    assert!(unwound.is_err());
    assert_eq!(rig.recorder.backlog(), 1);
    drop(writer);
    drop(Ends(rig.recorder.clone()));
    rig.recorder.flush().await;
    assert_eq!(rig.recorder.backlog(), 1, "what the writer never saw is not counted as waiting");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn i42_bad_records_cost_themselves_and_nothing_else(
        bad in prop::collection::vec(prop::bool::weighted(0.05), 1..450),
        away in 0..3_usize,
    ) {
        let sent = records(bad.len());
        let bad: HashSet<RequestId> =
            sent.iter().zip(&bad).filter(|(_, bad)| **bad).map(|(record, _)| record.id).collect();
        let script = Script { bad: bad.clone(), away, ..Script::default() };
        let (rig, set_aside) = actix::System::new().block_on(async {
            let rig = Rig::new(script);
            rig.record(&sent);
            rig.recorder.flush().await;
            let set_aside = rig.set_aside();
            (rig, set_aside)
        });
        let good: Vec<RequestId> = ids(&sent).into_iter().filter(|id| !bad.contains(id)).collect();
        prop_assert_eq!(rig.stored(), good);
        let aside: HashSet<String> =
            set_aside.iter().map(|line| line["record"]["id"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(set_aside.len(), bad.len());
        prop_assert_eq!(aside, bad.iter().map(ToString::to_string).collect::<HashSet<_>>());
        prop_assert_eq!(rig.recorder.backlog(), 0);
    }
}
