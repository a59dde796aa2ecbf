//! Where each conversation should be at home, as the world that sent its requests knows (I-49).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{ids::ProviderId, session::id::SessionId};

/// The world's own table of bindings.
#[derive(Debug)]
pub(super) struct Homes {
    time_to_live: Duration,
    known: BTreeMap<SessionId, (ProviderId, Instant)>,
    /// Tied elsewhere since the last quiet moment: requests of that moment may not have heard of it.
    moved: BTreeSet<SessionId>,
    /// Untied since the last quiet moment: which came first, binding or untying, is not ours to say.
    unsettled: BTreeSet<SessionId>,
    /// The tracker may have lost a question, so that a request went without its home.
    shaky: bool,
}

impl Homes {
    pub(super) fn new(time_to_live: Duration) -> Self {
        Self {
            time_to_live,
            known: BTreeMap::new(),
            moved: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            shaky: false,
        }
    }

    /// Where a request of that session must be known to belong, if it must.
    pub(super) fn of(&self, session: SessionId, now: Instant) -> Option<ProviderId> {
        let (home, used) = self.known.get(&session)?;
        let sure = !self.shaky && !self.unsettled.contains(&session) && !self.moved.contains(&session);
        (sure && now.duration_since(*used) < self.time_to_live).then_some(*home)
    }

    /// A request of that session went there.
    pub(super) fn bound(&mut self, session: SessionId, home: ProviderId, now: Instant) {
        let before = self.known.insert(session, (home, now));
        if before.is_none_or(|(before, _)| before != home) {
            self.moved.insert(session);
        }
    }

    /// A request of that session ended there.
    pub(super) fn used(&mut self, session: SessionId, home: ProviderId, now: Instant) {
        if let Some((_, used)) = self.known.get_mut(&session).filter(|(known, _)| *known == home) {
            *used = now;
        }
    }

    /// An operator unties it.
    pub(super) fn untie(&mut self, session: SessionId) {
        self.unsettled.insert(session);
        self.known.remove(&session);
    }

    /// That provider is gone.
    pub(super) fn provider_gone(&mut self, provider: ProviderId) {
        let of_it: Vec<_> =
            self.known.iter().filter(|(_, (home, _))| *home == provider).map(|(id, _)| *id).collect();
        of_it.into_iter().for_each(|session| self.untie(session));
    }

    /// Some conversation that has a home, counted round from `nth`.
    pub(super) fn pick(&self, nth: usize) -> Option<SessionId> {
        self.known.keys().nth(nth.checked_rem(self.known.len())?).copied()
    }

    /// The tracker will panic, now or at its next question.
    pub(super) fn shake(&mut self) {
        self.shaky = true;
    }

    /// Whether the tracker may have lost questions since it was last found sound.
    pub(super) fn are_shaky(&self) -> bool {
        self.shaky
    }

    /// The tracker rests, and comes back with an empty table.
    pub(super) fn tracker_rests(&mut self) {
        self.known.clear();
        self.shaky = true;
    }

    /// All is quiet, and the tracker answers.
    pub(super) fn settle(&mut self, tracker_is_sound: bool) {
        self.moved.clear();
        // What was bound while it was unsettled may be untied by now.
        let unsettled = std::mem::take(&mut self.unsettled);
        self.known.retain(|session, _| !unsettled.contains(session));
        self.shaky = self.shaky && !tracker_is_sound;
    }
}
