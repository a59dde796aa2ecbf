//! The recorder against a scripted log, on a paused clock.

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
        let folder = directory.path().join(crate::journal::desk::FOLDER);
        std::fs::create_dir(left.path().join(crate::journal::desk::FOLDER)).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            std::fs::copy(&path, left.path().join(crate::journal::desk::FOLDER).join(name)).unwrap();
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
async fn i42_new_work_is_refused_at_nine_tenths_and_running_work_is_still_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let settings = JournalSettings { max_bytes: 20_000, ..JournalSettings::new(directory.path()) };
    let (rig, writer) = Rig::opened(Scripted::default(), directory, settings);
    let mut taken = 0;
    while rig.recorder.has_room() {
        rig.record(&records(1));
        taken += 1;
    }
    assert!((18_000..19_000).contains(&rig.recorder.snapshot().journal_bytes));
    assert_eq!(rig.recorder.intent(&intent(RequestId::new(), 1)).await, Err(NoRoom));
    rig.record(&records(3));
    assert_eq!(rig.recorder.snapshot().backlog, taken + 3);
    let flushed = rig.recorder.clone();
    futures_util::future::join(async move { flushed.flush().await }, async {
        drop(rig.recorder);
        writer.run().await;
    })
    .await;
    assert_eq!(rig.log.0.lock().unwrap().stored.len(), taken + 3);
}

#[actix::test]
async fn i42_a_long_outage_costs_disk_and_not_memory() {
    let (rig, writer) = Rig::halted(Script::default());
    let sent = records(9_000);
    rig.record(&sent);
    assert_eq!(rig.recorder.backlog(), 9_000);
    actix::spawn(writer.run());
    rig.recorder.flush().await;
    assert_eq!(rig.stored(), ids(&sent), "those read back from the journal keep their turn");
    assert_eq!((rig.recorder.backlog(), rig.recorder.snapshot().committed), (0, 9_000));
}

#[actix::test]
async fn i42_after_an_outage_the_backlog_is_worked_off_at_the_set_rate() {
    let directory = tempfile::tempdir().unwrap();
    let settings = JournalSettings { drain_rows_per_s: 1_000, ..JournalSettings::new(directory.path()) };
    let (rig, writer) = Rig::opened(Scripted::default(), directory, settings);
    rig.record(&records(9_096));
    tokio::time::pause();
    actix::spawn(writer.run());
    let began = Instant::now();
    rig.recorder.flush().await;
    // What was in memory goes at once, the 5,000 that were not at 1,000 a second.
    let took = began.elapsed().as_millis();
    assert!((4_400..=5_100).contains(&took), "{took} ms");
}

#[actix::test]
async fn i39_what_a_dead_process_left_is_posted_by_the_next() {
    let (rig, writer) = Rig::halted(Script::default());
    let sent = records(700);
    rig.record(&sent);
    let begun = RequestId::new();
    rig.recorder.intent(&intent(begun, 1)).await.unwrap();
    let told = Progress {
        request: begun,
        at: DateTime::UNIX_EPOCH,
        input_tokens: 1,
        output_tokens: 2,
        cost: Some(Pico(3)),
    };
    rig.recorder.progress(&told);
    let (rig, writer) = rig.dies(writer, Script::default());
    assert!(!rig.recorder.has_replayed());
    assert_eq!(rig.recorder.snapshot().to_replay, 701);
    // What comes meanwhile is posted behind it.
    let number = rig.recorder.record(records(1).remove(0));
    actix::spawn(writer.run());
    rig.recorder.flush().await;
    assert!(rig.recorder.has_replayed());
    assert_eq!(rig.stored()[..700], ids(&sent));
    assert_eq!((rig.stored()[700], rig.stored().len(), number), (begun, 702, 1));
    assert_eq!(rig.recorder.backlog(), 0);
}

#[actix::test]
async fn i40_replaying_again_and_again_stores_nothing_twice() {
    let (rig, writer) = Rig::halted(Script::default());
    let sent = records(10);
    rig.record(&sent);
    let begun = RequestId::new();
    rig.recorder.intent(&intent(begun, 1)).await.unwrap();
    let (rig, writer) = rig.dies(writer, Script::default());
    // Dies again before anything was posted, and again after everything was.
    let (rig, writer) = rig.dies(writer, Script::default());
    let log = rig.log.clone();
    let writer = actix::spawn(writer.run());
    rig.recorder.flush().await;
    let stored = rig.stored();
    writer.abort();
    let _ = writer.await;
    assert_eq!(stored.len(), 11);
    assert_eq!(log.0.lock().unwrap().stored, stored);
}

#[actix::test]
async fn an_orderly_end_leaves_nothing_to_replay() {
    let (rig, writer) = Rig::halted(Script::default());
    let running = RequestId::new();
    rig.recorder.intent(&intent(running, 1)).await.unwrap();
    rig.recorder.record(Record { id: running, ..records(1).remove(0) });
    rig.record(&records(5));
    let Rig { recorder, directory, .. } = rig;
    drop(recorder);
    writer.run().await;
    let folder = directory.path().join(crate::journal::desk::FOLDER);
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let left: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        if left == ["lock"] {
            break;
        }
        // The thread that syncs may be the last to let go of it.
        assert!(std::time::Instant::now() < patience, "{left:?}");
        std::thread::yield_now();
    }
}

#[actix::test]
async fn one_directory_serves_one_process() {
    let (rig, _writer) = Rig::halted(Script::default());
    let settings = JournalSettings::new(rig.directory.path());
    let Err(error) = recorder(rig.log.clone(), Quarantine::new(rig.directory.path()), settings) else {
        panic!("two writers in one journal");
    };
    assert!(error.to_string().contains("is used by another process"), "{error}");
}

#[actix::test]
async fn with_every_intent_synced_it_is_on_disk_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let settings = JournalSettings { sync: Sync::Always, ..JournalSettings::new(directory.path()) };
    let (rig, _writer) = Rig::opened(Scripted::default(), directory, settings);
    for _ in 0..3 {
        rig.recorder.intent(&intent(RequestId::new(), 1)).await.unwrap();
        let frames = rig.recorder.held.desk.tray().frames;
        assert_eq!(*rig.recorder.held.desk.synced.borrow(), frames);
    }
}

#[actix::test]
async fn i42_on_a_full_disk_nothing_new_begins_and_what_runs_is_kept_and_tried_again() {
    use std::sync::atomic::AtomicBool;
    static FULL: AtomicBool = AtomicBool::new(false);
    fn write(file: &std::fs::File, bytes: &[u8], at: u64) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        if FULL.load(Relaxed) {
            // As a full disk does it: some of it is written.
            file.write_all_at(&bytes[..bytes.len() / 2], at)?;
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        file.write_all_at(bytes, at)
    }
    let (rig, writer) = Rig::halted(Script::default());
    rig.recorder.held.desk.tray().segments.write = write;
    let (running, before) = (RequestId::new(), records(2));
    rig.recorder.intent(&intent(running, 1)).await.unwrap();
    rig.record(&before);
    FULL.store(true, Relaxed);
    let ended = Record { id: running, ..records(1).remove(0) };
    rig.recorder.record(ended);
    assert!(!rig.recorder.has_room());
    assert!(rig.recorder.snapshot().journal_trouble.is_some());
    assert_eq!(rig.recorder.intent(&intent(RequestId::new(), 1)).await, Err(NoRoom));
    rig.record(&records(3));
    assert_eq!(rig.recorder.backlog(), 6);
    FULL.store(false, Relaxed);
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !rig.recorder.has_room() {
        assert!(std::time::Instant::now() < patience, "nobody tries again");
        std::thread::yield_now();
    }
    assert!(rig.recorder.intent(&intent(RequestId::new(), 1)).await.is_ok());
    // Everything is in the journal now, in its order, and nothing of what was torn.
    let (rig, writer) = rig.dies(writer, Script::default());
    assert_eq!(rig.recorder.snapshot().journal_damaged, 0);
    actix::spawn(writer.run());
    rig.recorder.flush().await;
    assert_eq!(rig.stored().len(), 7);
    assert_eq!(rig.stored()[..3], [before[0].id, before[1].id, running]);
}

#[actix::test]
async fn a_question_hears_everything_that_was_recorded_before_and_up_to_which_number() {
    let rig = Rig::new(Script::default());
    let ask = || BalancesAsk { account: AccountId::User(UserId(1)), ranges: vec![0..1], by_minute: None };
    let numbers: Vec<u64> = records(3).into_iter().map(|record| rig.recorder.record(record)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let first = rig.recorder.balances(vec![ask(), ask()]);
    let second = async {
        rig.recorder.record(records(1).remove(0));
        rig.recorder.balances(vec![ask()]).await
    };
    let (first, second) = futures_util::future::join(first, second).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.includes, first.balances.len(), first.balances[0].sums[0]), (3, 2, Pico(3)));
    assert_eq!((second.includes, second.balances[0].sums[0]), (4, Pico(4)));
}

#[actix::test]
async fn while_the_database_is_away_a_question_is_refused_and_not_left_waiting() {
    let rig = Rig::new(Script { away: usize::MAX, ..Script::default() });
    let ask = || vec![BalancesAsk { account: AccountId::User(UserId(1)), ranges: vec![], by_minute: None }];
    assert!(rig.recorder.balances(ask()).await.is_err(), "asked the database");
    rig.record(&records(1));
    let began = Instant::now();
    assert!(rig.recorder.balances(ask()).await.is_err(), "in the queue when that was noticed");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    rig.script(|script| script.away = 0);
    rig.recorder.flush().await;
    assert!(rig.recorder.balances(ask()).await.is_ok());
}

#[actix::test]
async fn i39_the_end_of_a_dead_request_is_told_as_such() {
    let (rig, writer) = Rig::halted(Script::default());
    let (lonely, twice) = (RequestId::new(), RequestId::new());
    rig.recorder.intent(&intent(lonely, 1)).await.unwrap();
    rig.recorder.intent(&intent(twice, 1)).await.unwrap();
    rig.recorder.intent(&intent(twice, 2)).await.unwrap();
    let (rig, _writer) = rig.dies(writer, Script::default());
    let left = crate::journal::replay::look(&rig.recorder.held.desk.directory).unwrap();
    assert_eq!((left.finals.map(|stretch| stretch.finals), left.incomplete.len()), (Some(2), 0));
    let mut ends =
        crate::journal::read_back::ReadBack::new(&rig.recorder.held.desk.directory, left.finals.unwrap());
    for (id, attempts) in [(lonely, 1), (twice, 2)] {
        let (_, record) = ends.next().unwrap();
        assert_eq!((record.id, record.attempts.len()), (id, attempts));
        assert_eq!((record.ending, record.settlement), (Ending::Incomplete, Settlement::Disputed));
    }
    assert_eq!(rig.segments(), 2);
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
