//! The journal's disk is full: nothing begins that could not be written down, what runs ends as it should, and
//! when there is space again it goes on by itself (I-42).
//!
//! The disk is a small one in memory, which takes root to mount. Where that can't be had it is said aloud.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use pointsman::demo::upstream;
use protocol::Format;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    caller::{Answer, Ask, Caller},
    rig::{self, Rig},
    rows, turn,
};

/// How long it may take until it is noticed that there is space again.
const RESUMES_WITHIN: Duration = Duration::from_secs(10);

/// A file system of its own, of a few MiB.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(directory.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes what space there is.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut ballast = File::create(&path).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(std::thread::panicking() || unmount.is_ok_and(|status| status.success()), "it is unmounted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i42_on_a_full_disk_nothing_begins_and_nothing_is_lost() {
    let _turn = turn().await;
    let Some(disk) = Disk::mount() else {
        println!("*** no file system could be mounted: NOTHING WAS TESTED ON A FULL DISK ***");
        return;
    };
    let upstream = upstream::start(0).unwrap();
    let rig = Rig::serve(vec![rig::provider("only", upstream.base_url())], |config| {
        config.journal.data_dir = disk.path().to_owned();
    })
    .await;
    let hello = Ask::plain(&rig.key, "some-model", "hello");
    assert_eq!(ask(&rig, &hello).await.status, 200);
    let mut streaming = Caller::connect(rig.address()).await.unwrap();
    let long = Ask::stream(&rig.key, "some-model", "long [[events 60]] [[slow 20ms]]");
    streaming.send(&long).await.unwrap();
    streaming.wait_for(b"long:2 ").await.unwrap();

    let ballast = disk.fill();
    let (mut served, refused) = until(&rig, &hello, 503).await;
    assert!(refused.body.contains("\"type\":\"error\""), "in the caller's own words: {refused:?}");
    let foreign = hello.clone().in_format(Format::OpenaiChat);
    let refused = ask(&rig, &foreign).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let streamed = streaming.answer().await.unwrap();
    assert!(streamed.body.contains("message_stop"), "what ran has ended as it should: {streamed:?}");

    fs::remove_file(ballast).unwrap();
    let began = Instant::now();
    served += until(&rig, &hello, 200).await.0;
    let resumed = began.elapsed();
    rig.quiet().await;
    rig.house.recorder.flush().await;
    let rows = rows::all(&rig.house.store).await;
    // The first, the stream, those that still fitted on the disk, and the one that told of space again.
    let complete = rows::count(&rows, "complete");
    assert_eq!(complete, 2 + served + 1, "{rows:#?}");
    assert_eq!(rig.house.store.drift().await.unwrap(), [], "I-04");
    println!(
        "full disk: {served} fitted, then refused; the stream ended whole; went on {:.1} s after there was space \
         again; {} rows, {complete} complete, 0 lost, drift empty",
        resumed.as_secs_f64(),
        rows.len(),
    );
    drop(rig);
}

/// Asks on a connection of its own: a refusal that comes before the body was read ends the connection.
async fn ask(rig: &Rig, what: &Ask<'_>) -> Answer {
    Caller::connect(rig.address()).await.unwrap().ask(what).await.unwrap()
}

/// Asks until the answer has that status; says how many were served before, and what the answer was.
async fn until(rig: &Rig, what: &Ask<'_>, status: u16) -> (usize, Answer) {
    let (began, mut served) = (Instant::now(), 0);
    loop {
        let answer = ask(rig, what).await;
        if answer.status == status {
            return (served, answer);
        }
        served += usize::from(answer.status == 200);
        assert!(began.elapsed() < RESUMES_WITHIN, "still not {status}: {answer:?}");
        sleep(Duration::from_millis(5)).await;
    }
}
