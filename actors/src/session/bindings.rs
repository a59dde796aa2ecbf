//! Bindings of sessions to providers, with a sliding time to live, as a plain value.
//!
//! Invariants
//! - A binding not used for its time to live does not exist, swept or not.
//! - There are never more than the capacity: the longest unused gives way.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::id::SessionId;
use crate::ids::{KeyId, ProviderId};

/// All bindings.
#[derive(Debug)]
pub struct Bindings {
    time_to_live: Duration,
    capacity: usize,
    /// In order of their names, so that those of one key lie together.
    by_session: BTreeMap<SessionId, Binding>,
    /// Sessions in order of their last use; the tick makes each place unique.
    by_use: BTreeMap<(Instant, u64), SessionId>,
    tick: u64,
}

/// One session's tie to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Where its prompt cache is warm.
    pub provider: ProviderId,
    /// When it was tied to that provider.
    pub since: Instant,
    /// When it was last used.
    pub last_used: Instant,
    /// Requests it has carried.
    pub requests: u64,
    tick: u64,
}

impl Bindings {
    /// None yet.
    #[must_use]
    pub fn new(time_to_live: Duration, capacity: usize) -> Self {
        Self { time_to_live, capacity, by_session: BTreeMap::new(), by_use: BTreeMap::new(), tick: 0 }
    }

    /// Where the session is bound, if it is.
    #[must_use]
    pub fn resolve(&self, session: SessionId, now: Instant) -> Option<ProviderId> {
        self.by_session
            .get(&session)
            .filter(|binding| self.lives(binding, now))
            .map(|binding| binding.provider)
    }

    /// Ties the session to a provider, or counts one more request of a tie that stands.
    pub fn bind(&mut self, session: SessionId, provider: ProviderId, now: Instant) {
        let standing = self.remove(session).filter(|old| old.provider == provider && self.lives(old, now));
        let (since, requests) = standing.map_or((now, 0), |old| (old.since, old.requests));
        self.insert(session, Binding { provider, since, last_used: now, requests: requests + 1, tick: 0 });
        if self.by_session.len() > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_session.remove(&oldest);
        }
    }

    /// Notes that the session is in use, so that its time begins anew.
    pub fn touch(&mut self, session: SessionId, provider: ProviderId, now: Instant) {
        // A session that has moved on meanwhile is not the old provider's to prolong.
        if self.by_session.get(&session).is_some_and(|binding| binding.provider == provider)
            && let Some(binding) = self.remove(session)
        {
            self.insert(session, Binding { last_used: now, ..binding });
        }
    }

    /// Unties a session. Says whether it was tied.
    pub fn unbind(&mut self, session: SessionId) -> bool {
        self.remove(session).is_some()
    }

    /// Unties all sessions of a provider.
    pub fn unbind_provider(&mut self, provider: ProviderId) {
        let gone: Vec<_> =
            self.by_session.iter().filter(|(_, b)| b.provider == provider).map(|(id, _)| *id).collect();
        for session in gone {
            self.remove(session);
        }
    }

    /// Drops what has outlived its time.
    pub fn sweep(&mut self, now: Instant) {
        while let Some((&(last_used, _), &session)) = self.by_use.first_key_value() {
            if now.duration_since(last_used) < self.time_to_live {
                break;
            }
            self.remove(session);
        }
    }

    /// All that live, most recently used first.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (SessionId, &Binding)> {
        self.by_use
            .iter()
            .rev()
            .take_while(move |((last_used, _), _)| now.duration_since(*last_used) < self.time_to_live)
            .filter_map(|(_, session)| self.by_session.get(session).map(|binding| (*session, binding)))
    }

    /// The `most` that live and were used last, of these keys. It looks at no others.
    #[must_use]
    pub fn latest_of(&self, keys: &[KeyId], most: usize, now: Instant) -> Vec<(SessionId, &Binding)> {
        let of_key = |key: &KeyId| self.by_session.range(SessionId::all_of(*key));
        let all = keys.iter().flat_map(of_key).map(|(session, binding)| (*session, binding));
        let mut own: Vec<_> = all.filter(|(_, binding)| self.lives(binding, now)).collect();
        own.sort_unstable_by_key(|(_, binding)| Reverse((binding.last_used, binding.tick)));
        own.truncate(most);
        own
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_session.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_session.is_empty()
    }

    fn lives(&self, binding: &Binding, now: Instant) -> bool {
        now.duration_since(binding.last_used) < self.time_to_live
    }

    fn insert(&mut self, session: SessionId, binding: Binding) {
        self.tick += 1;
        let binding = Binding { tick: self.tick, ..binding };
        self.by_use.insert((binding.last_used, binding.tick), session);
        self.by_session.insert(session, binding);
    }

    fn remove(&mut self, session: SessionId) -> Option<Binding> {
        let binding = self.by_session.remove(&session)?;
        self.by_use.remove(&(binding.last_used, binding.tick));
        Some(binding)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::Format;

    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const HERE: ProviderId = ProviderId(1);
    const THERE: ProviderId = ProviderId(2);

    fn session(name: &str) -> SessionId {
        SessionId::new(KeyId(1), Format::Anthropic, "opus", name)
    }

    #[test]
    fn a_binding_lives_as_long_as_it_is_used() {
        let start = Instant::now();
        let mut bindings = Bindings::new(TTL, 10);
        bindings.bind(session("a"), HERE, start);
        let mut now = start;
        for _ in 0..10 {
            now += TTL - Duration::from_secs(1);
            assert_eq!(bindings.resolve(session("a"), now), Some(HERE));
            bindings.touch(session("a"), HERE, now);
        }
        assert_eq!(bindings.resolve(session("a"), now + TTL), None);
        bindings.sweep(now + TTL);
        assert!(bindings.is_empty());
    }

    #[test]
    fn the_end_of_an_old_request_does_not_prolong_or_move_a_session_that_has_moved() {
        let now = Instant::now();
        let mut bindings = Bindings::new(TTL, 10);
        bindings.bind(session("a"), HERE, now);
        bindings.bind(session("a"), THERE, now + Duration::from_secs(10));
        bindings.touch(session("a"), HERE, now + Duration::from_secs(200));
        assert_eq!(bindings.resolve(session("a"), now + Duration::from_secs(309)), Some(THERE));
        assert_eq!(bindings.resolve(session("a"), now + Duration::from_secs(310)), None);
    }

    #[test]
    fn the_longest_unused_gives_way_when_there_are_too_many() {
        let now = Instant::now();
        let mut bindings = Bindings::new(TTL, 2);
        bindings.bind(session("a"), HERE, now);
        bindings.bind(session("b"), HERE, now);
        bindings.touch(session("a"), HERE, now + Duration::from_secs(1));
        bindings.bind(session("c"), HERE, now + Duration::from_secs(2));
        let live: Vec<_> = bindings.iter(now + Duration::from_secs(2)).map(|(id, _)| id).collect();
        assert_eq!(live, [session("c"), session("a")]);
    }

    #[test]
    fn c04_the_latest_of_some_keys_are_theirs_alone() {
        let now = Instant::now();
        let mut bindings = Bindings::new(TTL, 10);
        let of = |key: i64, name: &str| SessionId::new(KeyId(key), Format::Anthropic, "opus", name);
        for (second, session) in [of(2, "old"), of(1, "a"), of(3, "b"), of(2, "new")].into_iter().enumerate()
        {
            bindings.bind(session, HERE, now + Duration::from_secs(second as u64));
        }
        let latest = |keys: &[i64], most: usize, at: Duration| -> Vec<SessionId> {
            let keys: Vec<_> = keys.iter().map(|key| KeyId(*key)).collect();
            bindings.latest_of(&keys, most, now + at).into_iter().map(|(id, _)| id).collect()
        };
        let soon = Duration::from_secs(3);
        assert_eq!(latest(&[2], 10, soon), [of(2, "new"), of(2, "old")]);
        assert_eq!(latest(&[1, 2], 2, soon), [of(2, "new"), of(1, "a")]);
        assert_eq!(latest(&[4], 10, soon), []);
        assert_eq!(latest(&[], 10, soon), []);
        assert_eq!(latest(&[2], 10, TTL), [of(2, "new")], "the older one is over");
    }

    proptest! {
        #[test]
        fn both_indices_always_name_the_same_sessions(
            steps in proptest::collection::vec((0u8..5, 0u8..6, 0i64..3, 0u64..200), 0..200)
        ) {
            let mut now = Instant::now();
            let mut bindings = Bindings::new(TTL, 4);
            for (what, who, provider, wait) in steps {
                let (who, provider) = (session(&who.to_string()), ProviderId(provider));
                now += Duration::from_secs(wait);
                match what {
                    0 | 1 => bindings.bind(who, provider, now),
                    2 => bindings.touch(who, provider, now),
                    3 => { bindings.unbind(who); }
                    _ => bindings.sweep(now),
                }
                prop_assert_eq!(bindings.by_session.len(), bindings.by_use.len());
                prop_assert!(bindings.len() <= 4);
            }
        }
    }
}
