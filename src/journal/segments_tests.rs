//! Segments in a throw-away directory: what is kept, what goes, and what a failed write leaves.

use tempfile::TempDir;

use super::*;

fn segments(directory: &TempDir) -> Segments {
    Segments::follow(directory.path(), Vec::new(), 1 << 40).unwrap()
}

/// A frame that fills about a third of a segment.
fn large() -> Vec<u8> {
    let mut frame = Vec::new();
    frame::encode(Kind::Final, &"x".repeat(5 << 20), &mut frame).unwrap();
    frame
}

fn small() -> Vec<u8> {
    let mut frame = Vec::new();
    frame::encode(Kind::Intent, &"x", &mut frame).unwrap();
    frame
}

fn numbers(segments: &Segments) -> Vec<u64> {
    segments.row.iter().map(|segment| segment.number).collect()
}

/// Frames in all files, in order.
fn frames(segments: &Segments) -> Vec<(u64, Kind)> {
    let mut found = Vec::new();
    for number in numbers(segments) {
        let bytes = std::fs::read(path(&segments.directory, number)).unwrap();
        found.extend(frame::scan(&bytes).map(|one| match one {
            frame::Found::Sound(frame) => (number, frame.kind),
            frame::Found::Damaged { at, .. } => panic!("damage at {at} of {number}"),
        }));
    }
    found
}

#[test]
fn a_full_segment_is_followed_by_another_and_goes_when_its_finals_are_posted() {
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    let places: Vec<Place> = (0..7).map(|_| segments.finish(RequestId::new(), &large()).unwrap()).collect();
    assert_eq!(numbers(&segments), [1, 2, 3]);
    assert_eq!(segments.take_unneeded(), Vec::<PathBuf>::new());
    segments.posted(places[1]);
    assert_eq!(segments.take_unneeded(), Vec::<PathBuf>::new(), "one of the first is still needed");
    segments.posted(places[4]);
    let gone = segments.take_unneeded();
    assert_eq!(gone, [path(directory.path(), 1)]);
    assert_eq!((numbers(&segments), segments.bytes()), (vec![2, 3], 4 * large().len() as u64));
}

#[test]
fn i40_a_segment_never_goes_before_an_earlier_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    segments.intent(RequestId::new(), &small()).unwrap();
    let places: Vec<Place> = (0..7).map(|_| segments.finish(RequestId::new(), &large()).unwrap()).collect();
    segments.posted(places[6]);
    assert_eq!(segments.take_unneeded(), Vec::<PathBuf>::new(), "the first is needed by what runs");
    assert_eq!(numbers(&segments), [1, 2, 3]);
}

#[test]
fn a_request_that_runs_for_long_holds_up_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    let running = RequestId::new();
    segments.intent(running, &small()).unwrap();
    segments.intent(running, &small()).unwrap();
    segments.progress(running, &small()).unwrap();
    for _ in 0..40 {
        let place = segments.finish(RequestId::new(), &large()).unwrap();
        segments.posted(place);
        segments.take_unneeded();
        assert!(segments.row.len() <= CARRY_BEHIND + 1, "{:?}", numbers(&segments));
    }
    let own = frames(&segments).into_iter().filter(|(_, kind)| *kind == Kind::Intent).count();
    assert!(own >= 3, "what it needs was carried over: {own}");
    segments.finish(running, &small()).unwrap();
    assert!(segments.open.is_empty() && segments.row.iter().all(|segment| segment.open == 0));
}

#[test]
fn only_the_last_progress_is_needed_and_only_of_what_runs() {
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    let running = RequestId::new();
    segments.progress(running, &small()).unwrap();
    assert_eq!(segments.bytes(), 0, "nobody would look for it");
    segments.intent(running, &small()).unwrap();
    for _ in 0..5 {
        segments.progress(running, &small()).unwrap();
    }
    assert_eq!(segments.row[0].open, 2);
    segments.forget(running);
    assert_eq!(segments.row[0].open, 0);
}

#[test]
fn a_failed_write_leaves_no_torn_frame_in_front_of_the_next() {
    fn full(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(&bytes[..bytes.len() / 2], at)?;
        Err(io::ErrorKind::StorageFull.into())
    }
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    segments.finish(RequestId::new(), &small()).unwrap();
    segments.write = full;
    assert!(segments.finish(RequestId::new(), &large()).is_err());
    assert!(!segments.has_room() && segments.trouble().is_some());
    segments.write = File::write_all_at;
    segments.probe().unwrap();
    assert!(segments.has_room());
    segments.finish(RequestId::new(), &small()).unwrap();
    let kinds: Vec<Kind> = frames(&segments).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [Kind::Intent, Kind::Blank, Kind::Intent]);
}

#[test]
fn new_work_is_refused_at_nine_tenths_of_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let bound = 100 * small().len() as u64;
    let mut segments = Segments::follow(directory.path(), Vec::new(), bound).unwrap();
    for count in 0..120 {
        assert_eq!(segments.has_room(), count < 90, "{count}");
        segments.finish(RequestId::new(), &small()).unwrap();
    }
}

#[test]
fn when_all_is_quiet_a_grown_segment_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut segments = segments(&directory);
    let place = segments.finish(RequestId::new(), &large()).unwrap();
    segments.posted(place);
    assert_eq!(segments.take_unneeded(), [path(directory.path(), 1)]);
    assert_eq!((numbers(&segments), segments.bytes()), (vec![2], 0));
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let _segments = segments(&directory);
    let mode = std::fs::metadata(path(directory.path(), 1)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(number(&path(directory.path(), 77)), Some(77));
    assert_eq!(number(&directory.path().join("lock")), None);
}
