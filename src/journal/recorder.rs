//! The recorder: takes down what happens to a request, from wherever that is known.
//!
//! ```text
//! intent, progress ──▶ journal
//! record ──▶ journal ──▶ queue ──▶ Writer ──▶ one transaction per group
//!                          │ long: only its place in the journal is kept, and read back in its turn
//! balances, flush ──▶ queue, answered when everything before is posted
//! ```
//!
//! Invariants
//! - `record` neither waits nor fails, so a `Drop` may call it.
//! - Records are numbered in the order in which they are posted.
//! - An answer about balances holds everything recorded before the question, and says up to which number.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

pub use super::settings::{JournalError, JournalSettings, NoRoom, Sync};
use super::{
    balances::{Away, BalancesAnswer, BalancesAsk},
    desk::Desk,
    intent::{Intent, Progress},
    quarantine::Quarantine,
    record::Record,
    writer::{RequestLog, Writer},
};

/// How long an answer about balances may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Takes records. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    held: Arc<Held>,
}

/// What all clones share; with the last of them the writer ends.
struct Held {
    desk: Arc<Desk<Question>>,
    gauges: Arc<Gauges>,
}

/// Something to be answered when everything before it is posted.
pub(super) enum Question {
    Flush(oneshot::Sender<()>),
    Balances(Vec<BalancesAsk>, oneshot::Sender<Result<BalancesAnswer, Away>>),
}

/// Counts of a recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderSnapshot {
    /// Records taken and not yet committed or set aside.
    pub backlog: usize,
    /// Records committed.
    pub committed: usize,
    /// Records set aside.
    pub set_aside: usize,
    /// Commits that found the database away.
    pub failed_commits: usize,
    /// Groups committed.
    pub posts: usize,
    /// How long that took in all.
    pub posting: Duration,
    /// Records that an earlier process left behind and that still wait.
    pub to_replay: usize,
    /// Records that are only in memory, since the journal can't be written.
    pub unsaved: usize,
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// The bound on them.
    pub journal_max_bytes: u64,
    /// Files of the journal.
    pub journal_segments: usize,
    /// Bytes in which the journal was found damaged when it was opened.
    pub journal_damaged: u64,
    /// What the last write to the journal failed with.
    pub journal_trouble: Option<String>,
}

#[derive(Default)]
pub(super) struct Gauges {
    pub(super) committed: AtomicUsize,
    pub(super) set_aside: AtomicUsize,
    pub(super) failed_commits: AtomicUsize,
    pub(super) posts: AtomicUsize,
    pub(super) posting_us: AtomicU64,
    pub(super) to_replay: AtomicUsize,
    /// The database did not answer the last time.
    pub(super) away: AtomicBool,
}

/// Opens the journal, and returns who takes records and who empties it into `log`. What an earlier process
/// left in the journal is posted first.
///
/// # Errors
/// When the journal can't be used.
pub fn recorder<L: RequestLog>(
    log: L,
    quarantine: Quarantine,
    settings: JournalSettings,
) -> Result<(Recorder, Writer<L>), JournalError> {
    let (desk, replayed) = Desk::open(settings)?;
    let gauges = Arc::new(Gauges::default());
    gauges.to_replay.store(replayed, Relaxed);
    let writer = Writer::new(log, quarantine, Arc::clone(&desk), Arc::clone(&gauges));
    Ok((Recorder { held: Arc::new(Held { desk, gauges }) }, writer))
}

impl Recorder {
    /// Writes down that an attempt is about to be sent. Only then may a byte of it leave (I-39).
    ///
    /// # Errors
    /// When it can't be written down: then nothing may be sent.
    pub async fn intent(&self, intent: &Intent) -> Result<(), NoRoom> {
        self.held.desk.intent(intent).await
    }

    /// Writes down how far an answer has come: what is posted if the process dies within it.
    pub fn progress(&self, progress: &Progress) {
        self.held.desk.progress(progress);
    }

    /// Takes a record; says its number.
    pub fn record(&self, record: Record) -> u64 {
        self.held.desk.enter(record)
    }

    /// What these accounts have used, everything recorded before this moment included.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn balances(&self, asks: Vec<BalancesAsk>) -> Result<BalancesAnswer, Away> {
        if self.held.gauges.away.load(Relaxed) {
            return Err(Away("the database does not answer".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        let ended = || Away("the recorder has ended".to_owned());
        self.held.desk.ask(Question::Balances(asks, answer)).map_err(|_| ended())?;
        match timeout(ANSWER_WITHIN, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(ended())),
            Err(_) => Err(Away(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
        }
    }

    /// Whether new work may be admitted: the journal can be written, and is below nine tenths of its bound.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.held.desk.has_room()
    }

    /// Whether everything that an earlier process left behind is posted.
    #[must_use]
    pub fn has_replayed(&self) -> bool {
        self.held.gauges.to_replay.load(Relaxed) == 0
    }

    /// Records taken and not yet committed or set aside.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.held.desk.backlog.load(Relaxed)
    }

    /// All counts.
    #[must_use]
    pub fn snapshot(&self) -> RecorderSnapshot {
        let Held { desk, gauges } = &*self.held;
        let (journal_segments, journal_trouble, unsaved) = {
            let mut tray = desk.tray();
            let trouble = tray.segments.trouble().map(ToOwned::to_owned);
            // The queue is only walked while there may be some.
            let unsaved = if trouble.is_some() { tray.queue.unwritten().count() } else { 0 };
            (tray.segments.count(), trouble, unsaved)
        };
        RecorderSnapshot {
            backlog: self.backlog(),
            committed: gauges.committed.load(Relaxed),
            set_aside: gauges.set_aside.load(Relaxed),
            failed_commits: gauges.failed_commits.load(Relaxed),
            posts: gauges.posts.load(Relaxed),
            posting: Duration::from_micros(gauges.posting_us.load(Relaxed)),
            unsaved,
            to_replay: gauges.to_replay.load(Relaxed),
            journal_bytes: desk.bytes(),
            journal_max_bytes: desk.settings.max_bytes,
            journal_segments,
            journal_damaged: desk.damaged,
            journal_trouble,
        }
    }

    /// Waits until everything that was recorded before is committed or set aside. While the
    /// database is away that takes as long as it is away: callers bound it themselves.
    pub async fn flush(&self) {
        let (done, answered) = oneshot::channel();
        if self.held.desk.ask(Question::Flush(done)).is_ok() {
            // An error means that the writer is gone, and with it everything to wait for.
            let _ = answered.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.desk.tray().closed = true;
        self.desk.arrived.notify_one();
        self.desk.hurry.notify_one();
    }
}

#[cfg(test)]
#[path = "recorder_tests/mod.rs"]
mod tests;
