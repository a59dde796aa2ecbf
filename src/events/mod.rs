//! What happens, told to those who listen: changes of actors and quotas, finished requests, alerts.
//!
//! ```text
//! finished records --.
//! Watch, each second --+--> desk: state, ring --> listeners
//! ```
//!
//! Nobody listens most of the time, and then telling costs one look at a flag. Otherwise each change has a
//! number; the latest lie in a ring, so that a listener who comes back misses nothing, or is told that it did
//! by a new snapshot. A listener that reads too slowly is let go rather than waited for.

mod desk;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actors::{ids::RequestId, ledger::limits::AccountId};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, broadcast};

use self::desk::Desk;
pub use self::watch::{Parts, Watch};
use crate::journal::record::Record;

/// The most who listen at once.
pub const MOST_LISTENERS: usize = 32;
/// How long a listener who comes waits for the state to be looked at.
const LOOKED_AT_WITHIN: Duration = Duration::from_secs(3);

/// What listeners choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Actors and breakers.
    Actors,
    /// Requests that have ended.
    Requests,
    /// How much of their limits accounts have used.
    Quotas,
    /// What an operator should know.
    Alerts,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Actors, Self::Requests, Self::Quotas, Self::Alerts];

    /// The name in `?topics=` and in snapshots.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actors => "actors",
            Self::Requests => "requests",
            Self::Quotas => "quotas",
            Self::Alerts => "alerts",
        }
    }

    /// What a single change of it is called.
    const fn change(self) -> &'static str {
        match self {
            Self::Actors => "actor",
            Self::Requests => "request",
            Self::Quotas => "quota",
            Self::Alerts => "alert",
        }
    }
}

/// One thing that happened, as it goes out.
#[derive(Debug, Clone)]
pub struct Event {
    /// To come back with.
    pub id: String,
    /// What sort it is: `snapshot`, or a change of a topic.
    pub name: &'static str,
    /// A JSON document.
    pub data: String,
    topic: Option<Topic>,
    number: u64,
}

/// Tells, and lets listen. Cheap to clone.
#[derive(Clone, Default)]
pub struct Events {
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    /// Whether anybody listens, or did a moment ago.
    wanted: AtomicBool,
    listeners: AtomicUsize,
    /// A listener has come.
    came: Notify,
    /// The state was looked at.
    looked: Notify,
    desk: Mutex<Desk>,
}

/// Why nobody is let listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Too many do.
    #[error("{MOST_LISTENERS} listen already, which is the most")]
    TooMany,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The end of listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The listener read too slowly, and has missed something.
    TooSlow,
    /// The server is stopping.
    Stopping,
}

/// One who listens.
pub struct Listener {
    events: Events,
    topics: Vec<Topic>,
    /// What it is to be told first.
    first: std::collections::VecDeque<Event>,
    /// Up to which number it knows everything.
    known: u64,
    told: broadcast::Receiver<Arc<Event>>,
    _place: Place,
}

/// One of the places for listeners; given back when dropped.
struct Place(Events);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.listeners.fetch_sub(1, Relaxed);
    }
}

/// A finished request as it is told.
#[derive(Serialize)]
struct Finished<'r> {
    id: RequestId,
    started_at: chrono::DateTime<chrono::Utc>,
    duration_us: u64,
    user_id: Option<i64>,
    key_id: Option<i64>,
    provider_id: Option<i64>,
    format: Option<&'static str>,
    model: Option<&'r str>,
    streamed: bool,
    status: u16,
    ending: &'static str,
    error: Option<&'r str>,
    attempt_count: usize,
    input_tokens: u64,
    output_tokens: u64,
    settlement: &'static str,
    cost_usd: Option<actors::money::Pico>,
}

impl Events {
    /// Whether anybody wants to know.
    fn is_wanted(&self) -> bool {
        self.held.wanted.load(Relaxed)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // What is on the desk is sound between any two lines that use it.
        self.held.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has ended.
    pub fn finished(&self, record: &Record) {
        if !self.is_wanted() {
            return;
        }
        let usage = record.metering.usage();
        let finished = Finished {
            id: record.id,
            started_at: record.started_at,
            duration_us: u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
            user_id: record.user_id.map(|user| user.0),
            key_id: record.key_id.map(|key| key.0),
            provider_id: record.provider_id.map(|provider| provider.0),
            format: record.format.map(protocol::Format::name),
            model: record.model.as_deref(),
            streamed: record.streamed,
            status: record.status,
            ending: record.ending.name(),
            error: record.failure.as_ref().map(|failure| &*failure.kind),
            attempt_count: record.attempts.len(),
            input_tokens: usage.total_input(),
            output_tokens: usage.output_tokens,
            settlement: record.settlement.name(),
            cost_usd: record.cost,
        };
        let Ok(data) = serde_json::to_string(&finished) else { return };
        let mut desk = self.desk();
        desk.tell(Topic::Requests, data);
        desk.touch(record);
    }

    /// Something is in this state; told if that is news. None: it is no more, and `farewell` is the last word.
    fn show(&self, topic: Topic, key: &str, state: Option<Value>, farewell: Value) {
        self.desk().show(topic, key, state, farewell);
    }

    /// The keys of everything of a topic that was shown.
    fn shown(&self, topic: Topic) -> BTreeSet<String> {
        self.desk().shown(topic)
    }

    /// The accounts that have changed, at most so many, with the user of each key.
    fn take_touched(&self, most: usize) -> Vec<(AccountId, Option<actors::ids::UserId>)> {
        self.desk().take_touched(most)
    }

    /// Lets somebody listen who knows everything up to `last`, or nothing.
    ///
    /// # Errors
    /// Why not.
    pub async fn listen(&self, topics: Vec<Topic>, last: Option<&str>) -> Result<Listener, NotNow> {
        let held = &self.held;
        if held.listeners.fetch_add(1, Relaxed) >= MOST_LISTENERS {
            held.listeners.fetch_sub(1, Relaxed);
            return Err(NotNow::TooMany);
        }
        let place = Place(self.clone());
        let looked = held.looked.notified();
        let fresh = !held.wanted.swap(true, Relaxed);
        held.came.notify_one();
        if fresh {
            // Where nobody looks, an empty snapshot is the truth.
            let _ = tokio::time::timeout(LOOKED_AT_WITHIN, looked).await;
        }
        let desk = self.desk();
        let told = desk.subscribe().ok_or(NotNow::Stopping)?;
        let of_topics = |event: &Event| event.topic.is_none_or(|topic| topics.contains(&topic));
        let first = match last.and_then(|last| desk.since(last)) {
            Some(missed) => missed.into_iter().filter(|event| of_topics(event)).collect(),
            None => [desk.snapshot(&topics)].into(),
        };
        let known = desk.last();
        drop(desk);
        Ok(Listener { events: self.clone(), topics, first, known, told, _place: place })
    }

    /// Everybody is told that this is the end.
    fn close(&self) {
        self.desk().close();
    }

    /// Nobody has listened for a while: from now on nothing is told, and what was told is forgotten.
    fn rest(&self) {
        let mut desk = self.desk();
        if self.held.listeners.load(Relaxed) == 0 {
            self.held.wanted.store(false, Relaxed);
            desk.forget();
        }
    }

    fn has_listeners(&self) -> bool {
        self.held.listeners.load(Relaxed) > 0
    }
}

impl Listener {
    /// The next event.
    ///
    /// # Errors
    /// When there will be none; why not.
    pub async fn next(&mut self) -> Result<Event, Ended> {
        if let Some(event) = self.first.pop_front() {
            return Ok(event);
        }
        loop {
            match self.told.recv().await {
                Ok(event) if event.number <= self.known => {}
                Ok(event) if event.topic.is_none_or(|topic| self.topics.contains(&topic)) => {
                    return Ok(Event::clone(&event));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return Err(Ended::TooSlow),
                Err(broadcast::error::RecvError::Closed) => return Err(Ended::Stopping),
            }
        }
    }

    /// How many listen, this one included.
    #[must_use]
    pub fn in_company_of(&self) -> usize {
        self.events.held.listeners.load(Relaxed)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
