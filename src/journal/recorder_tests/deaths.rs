//! A process that dies, and the next one that finds what it has left.

use super::*;

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
    let folder = directory.path().join(FOLDER);
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
