//! Room: the bound of the journal, long outages, full disks, and what outlasts a power cut.

use super::*;

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
