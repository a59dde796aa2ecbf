//! The writer: empties the queue into the database, in groups and in order.
//!
//! ```text
//! queue ──▶ ≤ 500 records or 100 ms ──▶ one transaction ──▶ questions answered, segments freed
//!                                         │ away     wait, try the same again, for ever
//!                                         │ refused  halve until the bad one stands alone
//!                                         └▶ quarantine, if the log takes other records
//! ```
//!
//! Invariants (I-42)
//! - A record leaves the queue only into the database or into the quarantine file.
//! - One bad record costs itself and nothing else; a database in trouble costs time and nothing else.
//! - After an outage the backlog shrinks no faster than the set rate, so that live traffic keeps its latency.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    balances::{Away, Balance, BalancesAnswer, BalancesAsk},
    desk::Desk,
    fault,
    quarantine::Quarantine,
    queue::{Entered, Entry},
    read_back::ReadBack,
    record::Record,
    recorder::{Gauges, Question},
    segments::Place,
};

/// Records per commit, and how long the first of them waits for company.
const GROUP: usize = 500;
const GATHER: Duration = Duration::from_millis(100);

/// Pauses between tries while the database is away: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where records are committed.
pub trait RequestLog {
    /// Adds `records` all or none, except those that are there already, and what those that were new cost to
    /// the balances of their accounts; says how many were new.
    fn insert(&self, records: &[Record]) -> impl Future<Output = Result<usize, InsertError>>;

    /// Whether an ordinary record would be taken now.
    fn takes_records(&self) -> impl Future<Output = bool>;

    /// What accounts have used, by what is committed; one answer for each question.
    fn balances(&self, asks: Vec<BalancesAsk>) -> impl Future<Output = Result<Vec<Balance>, InsertError>>;
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

/// Commits what recorders took, wherever its [`run`](Writer::run) is spawned.
pub struct Writer<L> {
    log: L,
    quarantine: Quarantine,
    desk: Arc<Desk<Question>>,
    gauges: Arc<Gauges>,
    /// A stretch of the journal whose turn it is.
    reading: Option<ReadBack>,
    /// The number of the last record that was taken out.
    taken: u64,
    /// What is to be answered when the group in hand is posted.
    questions: Vec<Question>,
}

/// What is committed together, and who waits for it.
#[derive(Default)]
struct Group {
    records: Vec<Record>,
    /// Where the last final stands that is among them or before them.
    last: Option<Place>,
    /// Those that could not be written to the journal.
    unwritten: Vec<actors::ids::RequestId>,
    /// How many an earlier process left behind.
    replayed: usize,
    /// How many come from the journal because they did not fit into memory.
    read_back: usize,
}

impl<L: RequestLog> Writer<L> {
    pub(super) fn new(
        log: L,
        quarantine: Quarantine,
        desk: Arc<Desk<Question>>,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self { log, quarantine, desk, gauges, reading: None, taken: 0, questions: Vec::new() }
    }

    /// Works until the last recorder is gone and everything it took is out of the queue.
    pub async fn run(mut self) {
        let mut drain: Option<Drain> = None;
        while self.wait().await {
            let group = self.gather().await;
            let (committed, read_back) = (group.records.len(), group.read_back);
            self.work_off(group).await;
            if read_back == 0 {
                drain = None;
                continue;
            }
            let backlog = self.desk.backlog.load(Relaxed);
            let drain = drain.get_or_insert_with(|| Drain::begin(backlog + committed));
            sleep(drain.ahead(backlog, self.desk.settings.drain_rows_per_s)).await;
        }
    }

    /// Waits until there is something to do; false when there never will be.
    async fn wait(&self) -> bool {
        loop {
            if self.reading.is_some() {
                return true;
            }
            let (idle, closed) = {
                let tray = self.desk.tray();
                (tray.queue.is_empty(), tray.closed)
            };
            if !idle || closed {
                return !idle;
            }
            self.desk.arrived.notified().await;
        }
    }

    /// What comes within a moment, up to one group. A question ends the wait.
    ///
    /// The moment is slept through, with the queue unwatched: waking this thread for each record would cost
    /// whoever records it more than the record does.
    async fn gather(&mut self) -> Group {
        let mut group = Group::default();
        let mut slept = false;
        while group.records.len() < GROUP {
            if self.read_back(&mut group) {
                continue;
            }
            // Behind a question only others like it: what they hear holds nothing that came later.
            let asked = !self.questions.is_empty();
            match self.desk.take_if(|entry| !asked || matches!(entry, Entry::Question(_))) {
                Some(Entry::Record(entered)) => self.add(&mut group, *entered),
                Some(Entry::Spilled(stretch)) => {
                    self.reading = Some(ReadBack::new(&self.desk.directory, stretch));
                }
                Some(Entry::Question(question)) => self.questions.push(question),
                None if asked || std::mem::replace(&mut slept, true) => break,
                None => {
                    tokio::select! { () = sleep(GATHER) => (), () = self.desk.hurry.notified() => () }
                }
            }
        }
        group
    }

    fn add(&mut self, group: &mut Group, entered: Entered) {
        let Entered { record, number, place } = entered;
        self.taken = number;
        group.replayed += usize::from(number == 0);
        match place {
            Some(place) => group.last = Some(place),
            None => group.unwritten.push(record.id),
        }
        group.records.push(record);
    }

    /// Takes the next record of the stretch whose turn it is; false when there is none.
    fn read_back(&mut self, group: &mut Group) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        if let Some((place, record)) = reading.next() {
            group.last = Some(place);
            group.replayed += usize::from(reading.stretch.number == 0);
            group.read_back += 1;
            group.records.push(record);
            return true;
        }
        let (stretch, read) = (reading.stretch, reading.read);
        let missing = stretch.finals - read;
        if missing > 0 {
            log::error!("journal: {missing} of {} records can't be read back", stretch.finals);
            self.desk.backlog.fetch_sub(missing, Relaxed);
            if stretch.number == 0 {
                group.replayed += missing;
            }
        }
        group.last = Some(stretch.last);
        self.taken = stretch.number;
        self.reading = None;
        true
    }

    async fn work_off(&mut self, group: Group) {
        let Group { records, last, unwritten, replayed, .. } = group;
        if !records.is_empty() {
            fault::point("before-commit");
            self.commit(&records).await;
            fault::point("after-commit");
        }
        self.desk.posted(last, &unwritten);
        if replayed > 0 && self.gauges.to_replay.fetch_sub(replayed, Relaxed) == replayed {
            log::info!("recorder: everything that was left in the journal is posted");
        }
        self.answer().await;
    }

    async fn answer(&mut self) {
        let (mut asks, mut waiting) = (Vec::new(), Vec::new());
        for question in self.questions.drain(..) {
            match question {
                Question::Flush(done) => {
                    let _ = done.send(()); // whoever asked may have stopped waiting
                }
                Question::Balances(own, answer) => {
                    waiting.push((own.len(), answer));
                    asks.extend(own);
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        let found = self.log.balances(asks).await;
        let mut balances = found.map(Vec::into_iter).map_err(|error| Away(error.to_string()));
        for (count, answer) in waiting {
            let own = match &mut balances {
                Ok(balances) => {
                    Ok(BalancesAnswer { balances: balances.take(count).collect(), includes: self.taken })
                }
                Err(away) => Err(away.clone()),
            };
            let _ = answer.send(own); // as above
        }
    }

    /// Commits a group, however long it takes, and sets aside what cannot be committed.
    async fn commit(&mut self, group: &[Record]) {
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            match self.insert(part).await {
                Ok(()) => {
                    self.gauges.committed.fetch_add(part.len(), Relaxed);
                    self.desk.backlog.fetch_sub(part.len(), Relaxed);
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
    async fn insert(&mut self, part: &[Record]) -> Result<(), String> {
        let mut pause = FIRST_PAUSE;
        let mut refused_before = false;
        loop {
            let begun = Instant::now();
            let trouble = match self.log.insert(part).await {
                Ok(_) => {
                    let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.gauges.posts.fetch_add(1, Relaxed);
                    self.gauges.posting_us.fetch_add(took, Relaxed);
                    if self.gauges.away.swap(false, Relaxed) {
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
            if !self.gauges.away.swap(true, Relaxed) {
                let backlog = self.desk.backlog.load(Relaxed);
                log::warn!(backlog = backlog; "recorder: database away, {backlog} records wait: {trouble}");
            }
            self.refuse_questions();
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Nobody who waits for balances is helped by waiting longer.
    fn refuse_questions(&mut self) {
        let is_balances = |question: &Question| matches!(question, Question::Balances(..));
        let mut refused: Vec<Question> =
            self.questions.extract_if(.., |question| is_balances(question)).collect();
        refused.extend(self.desk.tray().queue.take_questions(is_balances));
        for question in refused {
            if let Question::Balances(_, answer) = question {
                let _ = answer.send(Err(Away("the database does not answer".to_owned())));
            }
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
        self.desk.backlog.fetch_sub(1, Relaxed);
    }
}

impl<L> Drop for Writer<L> {
    /// What nobody will take out need not be kept in memory: it stands in the journal.
    fn drop(&mut self) {
        self.desk.tray().abandoned = true;
        while self.desk.take_if(|_| true).is_some() {}
    }
}

/// How a backlog is worked off after an outage.
struct Drain {
    since: Instant,
    backlog: usize,
}

impl Drain {
    fn begin(backlog: usize) -> Self {
        Self { since: Instant::now(), backlog }
    }

    /// How far the backlog has shrunk ahead of the set rate.
    fn ahead(&self, backlog: usize, rows_per_s: u32) -> Duration {
        let shrunk = self.backlog.saturating_sub(backlog);
        let due = Duration::from_micros(shrunk as u64 * 1_000_000 / u64::from(rows_per_s));
        due.saturating_sub(self.since.elapsed())
    }
}
