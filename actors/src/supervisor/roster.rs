//! The roster: every guarded actor by kind and name, and how to ask each for its state.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Message};
use serde::Serialize;

use super::{
    mailbox::{Counted, Mailbox},
    vitals::Vitals,
};
use crate::clock::Clock;

/// Asks any actor for a small, serialisable picture of its state.
#[derive(Debug, Clone, Copy)]
pub struct Observe;

impl Message for Observe {
    type Result = serde_json::Value;
}

/// How long an actor may take to answer [`Observe`] before it is reported as silent.
const PATIENCE: Duration = Duration::from_secs(1);

/// Actors that are asked for their state at the same time.
const AT_ONCE: usize = 16;

type Ask = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<serde_json::Value>> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Entry {
    vitals: Arc<Vitals>,
    ask: Ask,
}

/// Everyone under guard. Not on the request path: the lock is taken when an actor starts or stops,
/// and when an operator looks.
#[derive(Clone, Default)]
pub struct Roster {
    entries: Arc<Mutex<BTreeMap<(&'static str, String), Entry>>>,
}

/// One actor as an operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// What sort of actor it is.
    pub kind: &'static str,
    /// Which one of that sort.
    pub name: String,
    /// Whether it runs, rests or does not answer.
    pub state: Condition,
    /// Messages waiting for it.
    pub mailbox_depth: u32,
    /// How often it was restarted after a panic.
    pub restarts: u64,
    /// How often it was made to rest after too many of them.
    pub quarantines: u64,
    /// The longest a message waited for it in the last minute or two, or waits already.
    pub longest_wait_us: u64,
    /// The longest it held its thread over one message in the last minute or two.
    pub longest_turn_us: u64,
    /// The latest panic.
    pub last_panic: Option<LastPanic>,
    /// When it was started.
    pub since: chrono::DateTime<chrono::Utc>,
    /// The actor's own account of itself; none when it did not answer.
    pub detail: Option<serde_json::Value>,
}

/// Whether an actor does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It answers.
    Running,
    /// It panicked too often and rests.
    Quarantined,
    /// It did not answer within a second.
    Silent,
}

/// A panic an actor survived.
#[derive(Debug, Clone, Serialize)]
pub struct LastPanic {
    /// What it said.
    pub message: String,
    /// When it happened.
    pub at: chrono::DateTime<chrono::Utc>,
}

impl Roster {
    /// Adds an actor.
    pub fn enlist<A>(&self, kind: &'static str, name: &str, mailbox: &Mailbox<A>)
    where
        A: Actor<Context = Context<A>> + Handler<Counted<Observe>>,
    {
        let asked = mailbox.clone();
        let ask: Ask = Arc::new(move || {
            let mailbox = asked.clone();
            Box::pin(async move {
                tokio::time::timeout(PATIENCE, mailbox.ask(Observe)).await.ok().and_then(Result::ok)
            })
        });
        let entry = Entry { vitals: Arc::clone(mailbox.vitals()), ask };
        self.lock().insert((kind, name.to_owned()), entry);
    }

    /// Takes an actor off the list; its mailbox closes once the last holder lets go.
    pub fn discharge(&self, kind: &'static str, name: &str) {
        self.lock().remove(&(kind, name.to_owned()));
    }

    /// Everyone, in order of kind and name.
    pub async fn observe_all(&self, clock: Clock) -> Vec<Snapshot> {
        let entries: Vec<_> = self.lock().iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
        let mut everyone = Vec::with_capacity(entries.len());
        // Not all at once: with a ledger for every user, requests would wait behind all of their answers.
        for some in entries.chunks(AT_ONCE) {
            let asked = some.iter().cloned().map(|(key, entry)| observe(key, entry, clock));
            everyone.extend(futures_util::future::join_all(asked).await);
        }
        everyone
    }

    /// One actor, if it is listed.
    pub async fn observe_one(&self, kind: &str, name: &str, clock: Clock) -> Option<Snapshot> {
        let found = self
            .lock()
            .iter()
            .find(|((k, n), _)| *k == kind && n == name)
            .map(|(key, entry)| (key.clone(), entry.clone()));
        let (key, entry) = found?;
        Some(observe(key, entry, clock).await)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), Entry>> {
        // A panic while listing leaves the map itself sound.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

async fn observe((kind, name): (&'static str, String), entry: Entry, clock: Clock) -> Snapshot {
    let resting = entry.vitals.rests();
    let detail = if resting { None } else { (entry.ask)().await };
    let state = match (&detail, resting) {
        (_, true) => Condition::Quarantined,
        (Some(_), false) => Condition::Running,
        (None, false) => Condition::Silent,
    };
    let wall = |at: Instant| clock.wall(at);
    Snapshot {
        kind,
        name,
        state,
        mailbox_depth: entry.vitals.waiting(),
        restarts: entry.vitals.restarts(),
        quarantines: entry.vitals.quarantines(),
        longest_wait_us: micros(entry.vitals.longest_wait()),
        longest_turn_us: micros(entry.vitals.longest_turn()),
        last_panic: entry
            .vitals
            .last_panic()
            .map(|panic| LastPanic { message: panic.message.clone(), at: wall(panic.at) }),
        since: wall(entry.vitals.born()),
        detail,
    }
}
