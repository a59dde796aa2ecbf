//! The recorder: takes records from wherever a request ended and commits them in groups.
//!
//! ```text
//! Recorder::record ──▶ queue (counted) ──▶ Writer: ≤ 500 records or 100 ms ──▶ one transaction
//!                                              │ away     wait, try the same again, for ever
//!                                              │ refused  halve until the bad one stands alone
//!                                              └▶ quarantine, if the log takes other records
//! ```
//!
//! Invariants (I-42)
//! - `record` neither waits nor fails, so a `Drop` may call it.
//! - A record leaves the queue only into the database or into the quarantine file.
//! - One bad record costs itself and nothing else; a database in trouble costs time and nothing else.
//! - The backlog is bounded by those who admit work: they stop while [`Recorder::has_room`] says no,
//!   at nine tenths of the bound, which leaves the rest for requests that are already running.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::sleep,
};

use super::{quarantine::Quarantine, record::Record};

/// Records per commit, and how long the first of them waits for company.
const GROUP: usize = 500;
const GATHER: Duration = Duration::from_millis(100);

/// Pauses between tries while the database is away: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where records are committed.
pub trait RequestLog {
    /// Adds `records` all or none, except those that are there already; says how many were new.
    fn insert(&self, records: &[Record]) -> impl Future<Output = Result<usize, InsertError>>;

    /// Whether an ordinary record would be taken now.
    fn takes_records(&self) -> impl Future<Output = bool>;
}

/// Why records were not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The database cannot be reached or did not answer; whether they were added is not known.
    #[error("{0}")]
    Away(String),
    /// The database refused at least one of them.
    #[error("{0}")]
    Refused(String),
}

/// Takes records. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::UnboundedSender<Entry>,
    gauges: Arc<Gauges>,
}

/// Commits what recorders took, wherever its [`run`](Writer::run) is spawned.
pub struct Writer<L> {
    log: L,
    quarantine: Quarantine,
    queue: mpsc::UnboundedReceiver<Entry>,
    gauges: Arc<Gauges>,
}

/// Counts of a recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecorderSnapshot {
    /// Records taken and not yet committed or set aside.
    pub backlog: usize,
    /// The bound on them.
    pub bound: usize,
    /// Records committed.
    pub committed: usize,
    /// Records set aside.
    pub set_aside: usize,
    /// Commits that found the database away.
    pub failed_commits: usize,
}

#[derive(Default)]
struct Gauges {
    backlog: AtomicUsize,
    bound: usize,
    committed: AtomicUsize,
    set_aside: AtomicUsize,
    failed_commits: AtomicUsize,
    /// Somebody waits for what was recorded.
    hurry: Notify,
}

enum Entry {
    Record(Box<Record>),
    /// Answered when everything before it is out of the queue.
    Flush(oneshot::Sender<()>),
}

/// A recorder that admits up to `bound` records waiting, and the writer that empties it into `log`.
#[must_use]
pub fn recorder<L: RequestLog>(log: L, quarantine: Quarantine, bound: usize) -> (Recorder, Writer<L>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let gauges = Arc::new(Gauges { bound, ..Gauges::default() });
    let writer = Writer { log, quarantine, queue: receiver, gauges: Arc::clone(&gauges) };
    (Recorder { queue: sender, gauges }, writer)
}

impl Recorder {
    /// Takes a record.
    pub fn record(&self, record: Record) {
        self.gauges.backlog.fetch_add(1, Relaxed);
        if let Err(mpsc::error::SendError(entry)) = self.queue.send(Entry::Record(Box::new(record))) {
            // Only after the writer was dropped, which is the last thing a process does.
            self.gauges.backlog.fetch_sub(1, Relaxed);
            if let Entry::Record(record) = entry {
                log::error!(request:% = record.id; "recorder: request {} ended after the writer", record.id);
            }
        }
    }

    /// Whether new work may be admitted: below nine tenths of the bound.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.backlog() < self.gauges.bound - self.gauges.bound / 10
    }

    /// Records taken and not yet committed or set aside.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.gauges.backlog.load(Relaxed)
    }

    /// All counts.
    #[must_use]
    pub fn snapshot(&self) -> RecorderSnapshot {
        RecorderSnapshot {
            backlog: self.backlog(),
            bound: self.gauges.bound,
            committed: self.gauges.committed.load(Relaxed),
            set_aside: self.gauges.set_aside.load(Relaxed),
            failed_commits: self.gauges.failed_commits.load(Relaxed),
        }
    }

    /// Waits until everything that was recorded before is committed or set aside. While the
    /// database is away that takes as long as it is away: callers bound it themselves.
    pub async fn flush(&self) {
        let (done, answered) = oneshot::channel();
        if self.queue.send(Entry::Flush(done)).is_ok() {
            self.gauges.hurry.notify_one();
            // An error means that the writer is gone, and with it everything to wait for.
            let _ = answered.await;
        }
    }
}

impl<L: RequestLog> Writer<L> {
    /// Works until the last recorder is gone and everything it took is out of the queue.
    pub async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let (group, waiting) = self.gather(first).await;
            if !group.is_empty() {
                self.commit(&group).await;
            }
            for flush in waiting {
                let _ = flush.send(()); // whoever asked may have stopped waiting
            }
        }
    }

    /// What comes within a moment, up to one group. A flush ends the wait.
    ///
    /// The moment is slept through, with the queue unwatched: waking this thread for each record would cost
    /// whoever records it more than the record does.
    async fn gather(&mut self, first: Entry) -> (Vec<Record>, Vec<oneshot::Sender<()>>) {
        let mut group = Vec::new();
        let mut waiting = Vec::new();
        let mut slept = false;
        let mut next = Some(first);
        while let Some(entry) = next.take() {
            match entry {
                Entry::Record(record) => group.push(*record),
                Entry::Flush(done) => waiting.push(done),
            }
            if group.len() == GROUP || !waiting.is_empty() {
                break;
            }
            next = self.queue.try_recv().ok();
            if next.is_none() && !std::mem::replace(&mut slept, true) {
                tokio::select! { () = sleep(GATHER) => (), () = self.gauges.hurry.notified() => () }
                next = self.queue.try_recv().ok();
            }
        }
        (group, waiting)
    }

    /// Commits a group, however long it takes, and sets aside what cannot be committed.
    async fn commit(&self, group: &[Record]) {
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            match self.insert(part).await {
                Ok(()) => {
                    self.gauges.committed.fetch_add(part.len(), Relaxed);
                    self.gauges.backlog.fetch_sub(part.len(), Relaxed);
                }
                Err(reason) => match part {
                    [record] => self.set_aside(record, &reason),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
            }
        }
    }

    /// Inserts `part`, waiting while the database is away. An error is about the records.
    async fn insert(&self, part: &[Record]) -> Result<(), String> {
        let mut pause = FIRST_PAUSE;
        let mut refused_before = false;
        loop {
            let trouble = match self.log.insert(part).await {
                Ok(_) => {
                    if pause > FIRST_PAUSE {
                        log::info!("recorder: database back");
                    }
                    return Ok(());
                }
                Err(InsertError::Refused(reason)) if part.len() > 1 || refused_before => return Err(reason),
                // A single record is about to be set aside. Not if the log refuses everything,
                // though, as it does on a full disk; and not without a second try after that.
                Err(InsertError::Refused(reason)) => {
                    if self.log.takes_records().await {
                        refused_before = true;
                        continue;
                    }
                    reason
                }
                Err(InsertError::Away(reason)) => reason,
            };
            refused_before = false;
            self.gauges.failed_commits.fetch_add(1, Relaxed);
            if pause == FIRST_PAUSE {
                let backlog = self.gauges.backlog.load(Relaxed);
                log::warn!(backlog = backlog; "recorder: database away, {backlog} records wait: {trouble}");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn set_aside(&self, record: &Record, reason: &str) {
        let id = record.id;
        match self.quarantine.set_aside(record, reason) {
            Ok(()) => log::error!(request:% = id; "recorder: request {id} set aside: {reason}"),
            Err(error) => log::error!(
                request:% = id;
                "recorder: request {id} lost: {reason}; {}: {error}", self.quarantine.path().display()
            ),
        }
        self.gauges.set_aside.fetch_add(1, Relaxed);
        self.gauges.backlog.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
