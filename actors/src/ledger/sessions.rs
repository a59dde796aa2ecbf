//! Conversations alive in one account, as a plain value.
//!
//! One is alive while a request of it is under way, and for a while after its last one.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::session::id::SessionId;

/// Below this many, the dead are not worth a sweep.
const FEW: usize = 64;

/// The conversations of one account.
#[derive(Debug, Clone)]
pub struct Sessions {
    time_to_live: Duration,
    by_id: HashMap<SessionId, Life>,
    sweep_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    under_way: u32,
    last_used: Instant,
}

impl Sessions {
    /// None yet.
    #[must_use]
    pub fn new(time_to_live: Duration) -> Self {
        Self { time_to_live, by_id: HashMap::new(), sweep_at: FEW }
    }

    /// Whether a request of that conversation keeps their number within `limit`. If not, how long until the
    /// first of the others may be over, where no request of it is under way.
    pub fn admits(&mut self, session: SessionId, limit: u32, now: Instant) -> Result<(), Option<Duration>> {
        let limit = limit as usize;
        if self.by_id.contains_key(&session) {
            self.sweep(now);
            if self.by_id.contains_key(&session) {
                return Ok(());
            }
        }
        if self.by_id.len() < limit {
            return Ok(());
        }
        self.sweep(now);
        if self.by_id.len() < limit {
            return Ok(());
        }
        let idle = self.by_id.values().filter(|life| life.under_way == 0);
        Err(idle.map(|life| self.time_to_live.saturating_sub(now.duration_since(life.last_used))).min())
    }

    /// A request of it sets out.
    pub fn enter(&mut self, session: SessionId, now: Instant) {
        if self.by_id.len() >= self.sweep_at {
            self.sweep(now);
            self.sweep_at = FEW.max(self.by_id.len() * 2);
        }
        let life = self.by_id.entry(session).or_insert(Life { under_way: 0, last_used: now });
        life.under_way += 1;
        life.last_used = now;
    }

    /// A request of it has ended.
    pub fn leave(&mut self, session: SessionId, now: Instant) {
        if let Some(life) = self.by_id.get_mut(&session) {
            life.under_way = life.under_way.saturating_sub(1);
            life.last_used = now;
        }
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.by_id.clear();
    }

    /// How many are alive.
    pub fn alive(&mut self, now: Instant) -> usize {
        self.sweep(now);
        self.by_id.len()
    }

    fn sweep(&mut self, now: Instant) {
        let time_to_live = self.time_to_live;
        self.by_id.retain(|_, life| life.under_way > 0 || now.duration_since(life.last_used) < time_to_live);
    }
}

#[cfg(test)]
mod tests {
    use protocol::Format;

    use super::*;
    use crate::ids::KeyId;

    const MINUTE: Duration = Duration::from_secs(60);

    fn session(name: &str) -> SessionId {
        SessionId::new(KeyId(1), Format::Anthropic, "m", name)
    }

    #[test]
    fn a_conversation_counts_while_it_is_under_way_and_for_a_while_after() {
        let now = Instant::now();
        let mut sessions = Sessions::new(MINUTE);
        sessions.enter(session("a"), now);
        assert_eq!(sessions.admits(session("a"), 1, now), Ok(()));
        assert_eq!(sessions.admits(session("b"), 1, now + MINUTE * 9), Err(None), "it is still under way");
        sessions.leave(session("a"), now);
        assert_eq!(sessions.admits(session("b"), 1, now), Err(Some(MINUTE)));
        assert_eq!(sessions.admits(session("b"), 1, now + MINUTE), Ok(()));
        assert_eq!(sessions.alive(now + MINUTE), 0);
    }

    #[test]
    fn a_conversation_that_was_over_is_new_again() {
        let now = Instant::now();
        let mut sessions = Sessions::new(MINUTE);
        for name in ["old", "other"] {
            sessions.enter(session(name), now);
        }
        sessions.leave(session("old"), now);
        assert_eq!(sessions.admits(session("old"), 1, now + MINUTE), Err(None), "the other's place is taken");
    }

    #[test]
    fn the_dead_do_not_pile_up() {
        let mut now = Instant::now();
        let mut sessions = Sessions::new(MINUTE);
        for nth in 0..10_000 {
            now += Duration::from_secs(1);
            sessions.enter(session(&nth.to_string()), now);
            sessions.leave(session(&nth.to_string()), now);
        }
        assert!(sessions.by_id.len() <= FEW * 2, "{}", sessions.by_id.len());
        assert_eq!(sessions.alive(now), 60);
    }
}
