//! The desk: what is the case, what was told of it lately, and to whom it is told next.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use actors::{ids::UserId, ledger::limits::AccountId};
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::{Event, Topic};
use crate::journal::record::Record;

/// How many events a listener may be behind, and how many one who comes back can have missed.
const RING: usize = 1_024;
/// The most accounts that wait to be looked at.
const MOST_TOUCHED: usize = 10_000;

/// What is the case, and what was told of it.
pub(super) struct Desk {
    /// Tells the numbers of this process from those of an earlier one.
    run: u32,
    last: u64,
    ring: VecDeque<Arc<Event>>,
    /// None once this is the end.
    told: Option<broadcast::Sender<Arc<Event>>>,
    state: BTreeMap<(Topic, String), Value>,
    touched: BTreeMap<AccountId, Option<UserId>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            run: rand::random(),
            last: 0,
            ring: VecDeque::new(),
            told: Some(broadcast::Sender::new(RING)),
            state: BTreeMap::new(),
            touched: BTreeMap::new(),
        }
    }
}

impl Desk {
    /// Something happened.
    pub(super) fn tell(&mut self, topic: Topic, data: String) {
        self.last += 1;
        let event = Arc::new(Event {
            id: self.id(self.last),
            name: topic.change(),
            data,
            topic: Some(topic),
            number: self.last,
        });
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(&event));
        if let Some(told) = &self.told {
            // Nobody may be there to hear it just now.
            let _ = told.send(event);
        }
    }

    /// Something is in this state, or is no more.
    pub(super) fn show(&mut self, topic: Topic, key: &str, state: Option<Value>, farewell: Value) {
        let key = (topic, key.to_owned());
        let news = match state {
            Some(state) if self.state.get(&key) == Some(&state) => None,
            Some(state) => {
                self.state.insert(key, state.clone());
                Some(state)
            }
            None => self.state.remove(&key).map(|_| farewell),
        };
        if let Some(news) = news {
            self.tell(topic, news.to_string());
        }
    }

    pub(super) fn shown(&self, topic: Topic) -> BTreeSet<String> {
        self.state.keys().filter(|(of, _)| *of == topic).map(|(_, key)| key.clone()).collect()
    }

    /// The accounts of a request have changed.
    pub(super) fn touch(&mut self, record: &Record) {
        for account in record.accounts() {
            if self.touched.len() < MOST_TOUCHED {
                self.touched.insert(account, record.user_id);
            }
        }
    }

    pub(super) fn take_touched(&mut self, most: usize) -> Vec<(AccountId, Option<UserId>)> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(first) = self.touched.pop_first()
        {
            taken.push(first);
        }
        taken
    }

    /// All there is to say about these topics now.
    pub(super) fn snapshot(&self, topics: &[Topic]) -> Event {
        let mut all = Map::new();
        // Of requests there is no state, only news.
        for topic in topics.iter().filter(|topic| **topic != Topic::Requests) {
            let of_topic =
                self.state.iter().filter(|((of, _), _)| of == topic).map(|(_, state)| state.clone());
            all.insert(topic.name().to_owned(), of_topic.collect());
        }
        let (id, data) = (self.id(self.last), Value::Object(all).to_string());
        Event { id, name: "snapshot", data, topic: None, number: self.last }
    }

    /// What came after that event, if nothing of it is forgotten.
    pub(super) fn since(&self, id: &str) -> Option<Vec<Event>> {
        let (run, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        if run != format!("{:08x}", self.run) || number > self.last {
            return None;
        }
        let first = self.ring.front().map_or(self.last + 1, |first| first.number);
        (number + 1 >= first).then(|| {
            self.ring.iter().filter(|event| event.number > number).map(|e| Event::clone(e)).collect()
        })
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn subscribe(&self) -> Option<broadcast::Receiver<Arc<Event>>> {
        self.told.as_ref().map(broadcast::Sender::subscribe)
    }

    pub(super) fn close(&mut self) {
        self.told = None;
    }

    /// Whatever happens from here on is not told: the number that is passed over makes a gap of it.
    pub(super) fn forget(&mut self) {
        self.last += 1;
        self.ring.clear();
        self.state.clear();
        self.touched.clear();
    }

    fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.run)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(events: Option<Vec<Event>>) -> Option<Vec<u64>> {
        events.map(|events| events.iter().map(|event| event.number).collect())
    }

    #[test]
    fn who_comes_back_hears_what_was_missed_or_that_it_is_forgotten() {
        let mut desk = Desk::default();
        for number in 0..3 {
            desk.tell(Topic::Requests, number.to_string());
        }
        let id = |desk: &Desk, number| desk.id(number);
        assert_eq!(numbers(desk.since(&id(&desk, 1))), Some(vec![2, 3]));
        assert_eq!(numbers(desk.since(&id(&desk, 3))), Some(vec![]));
        assert_eq!(numbers(desk.since(&id(&desk, 4))), None, "never told");
        assert_eq!(numbers(desk.since("00000000-1")).or(Some(vec![])), Some(vec![]), "of another process");
        assert_eq!(numbers(desk.since("nonsense")), None);
        for number in 0..RING {
            desk.tell(Topic::Requests, number.to_string());
        }
        assert_eq!(numbers(desk.since(&id(&desk, 2))), None, "fallen out of the ring");
        assert_eq!(desk.since(&id(&desk, 3)).map(|events| events.len()), Some(RING));
        let last = id(&desk, desk.last());
        desk.forget();
        assert_eq!(numbers(desk.since(&last)), None, "something may have happened since");
    }

    #[test]
    fn only_what_is_news_is_told_and_the_state_is_in_the_snapshot() {
        let mut desk = Desk::default();
        for state in [1, 1, 2] {
            desk.show(Topic::Actors, "a", Some(json!(state)), Value::Null);
        }
        desk.show(Topic::Alerts, "b", None, json!("gone"));
        assert_eq!(desk.last(), 2);
        assert_eq!(desk.snapshot(&[Topic::Actors, Topic::Requests]).data, r#"{"actors":[2]}"#);
        desk.show(Topic::Actors, "a", None, json!("gone"));
        assert_eq!(desk.ring.back().map(|event| event.data.as_str()), Some(r#""gone""#));
        assert!(desk.shown(Topic::Actors).is_empty());
    }
}
