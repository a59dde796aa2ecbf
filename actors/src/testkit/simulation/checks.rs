//! The promises that are checked while the story goes on, across all providers and requests.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{homes::Homes, seen, seen::Seen, watch::Watch};
use crate::{
    Settings,
    dispatcher::{PROVIDER, journey::Journey},
    ids::ProviderId,
    provider::outcome::Outcome,
    session::id::SessionId,
    supervisor::Snapshot,
    testkit::fault,
};

/// Charged failovers are counted over this span, and requests over one that is longer by the buckets'
/// grain.
const WINDOW: Duration = Duration::from_secs(10);
const REQUEST_WINDOW: Duration = Duration::from_secs(11);

/// Pictures are costly: everyone's is taken at one quiet moment in so many.
const EVERYONE_EVERY: u32 = 16;
const TRACKER: &str = "session_tracker";

/// Everything that is checked.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) homes: Homes,
    settings: Settings,
    watches: BTreeMap<ProviderId, Watch>,
    /// Names that must be on the roster.
    names: BTreeMap<ProviderId, String>,
    reconfigured: bool,
    looks: u32,
    requests: VecDeque<Instant>,
    charged: VecDeque<Instant>,
}

/// Whom to look at.
pub(super) enum Look {
    Everyone,
    At(Vec<(&'static str, String)>),
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: DateTime<Utc>,
}

/// A grant as it came to a caller.
pub(super) struct Arrival<'a> {
    pub(super) journey: &'a Journey,
    pub(super) provider: ProviderId,
    pub(super) limit: Option<u32>,
    /// The providers that failed this request.
    pub(super) failed: &'a [ProviderId],
}

impl Checks {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            homes: Homes::new(settings.session_ttl),
            settings,
            watches: BTreeMap::new(),
            names: BTreeMap::new(),
            reconfigured: false,
            looks: 0,
            requests: VecDeque::new(),
            charged: VecDeque::new(),
        }
    }

    /// These are the providers from now on.
    pub(super) fn configured(&mut self, names: BTreeMap<ProviderId, String>) {
        for gone in self.names.keys().filter(|id| !names.contains_key(id)) {
            self.homes.provider_gone(*gone);
        }
        for id in names.keys() {
            self.watch(*id).disturbed = true;
        }
        self.names = names;
        self.reconfigured = true;
    }

    /// One provider's watch, which begins with its first mention.
    pub(super) fn watch(&mut self, provider: ProviderId) -> &mut Watch {
        self.watches.entry(provider).or_insert_with(Watch::new)
    }

    /// Grants that the world holds, of all providers.
    pub(super) fn live(&self) -> u32 {
        self.watches.values().map(|watch| watch.live).sum()
    }

    /// A request sets out.
    pub(super) fn request(&mut self, now: Instant) {
        self.requests.push_back(now);
    }

    /// A grant came. Answers whether it is a probe.
    pub(super) fn granted(&mut self, grant: &Arrival<'_>, now: Now) -> Result<bool, String> {
        let Arrival { provider, failed, limit, .. } = *grant;
        if failed.contains(&provider) {
            return Err(format!("I-22: p{provider} was chosen again for a request it failed"));
        }
        if failed.len() >= self.settings.max_attempts as usize {
            return Err(format!("I-21: attempt {} of one request", failed.len() + 1));
        }
        self.keeps_the_conversation(grant, now.at)?;
        if !failed.is_empty() && self.watch(provider).is_surely_ailing() {
            self.charge(now.at)?;
        }
        let watch = self.watch(provider);
        let probe = watch.granted(now.wall).map_err(|why| format!("p{provider}: {why}"))?;
        match limit {
            Some(limit) if watch.live > limit => {
                Err(format!("I-12: p{provider} has {} live grants of {limit}", watch.live))
            }
            _ => Ok(probe),
        }
    }

    /// The conversation's home was known, and kept while it was well.
    fn keeps_the_conversation(&mut self, grant: &Arrival<'_>, now: Instant) -> Result<(), String> {
        let Some(session) = grant.journey.ask().session else { return Ok(()) };
        let home = self.homes.of(session, now);
        self.homes.bound(session, grant.provider, now);
        let Some(home) = home.filter(|_| grant.failed.is_empty()) else { return Ok(()) };
        let decision = grant.journey.decisions().last();
        if decision.is_some_and(|decision| decision.bound_to != Some(home)) {
            return Err(format!("I-49: the session's home p{home} was not known"));
        }
        if grant.provider != home && self.watch(home).is_surely_well() {
            return Err(format!("I-49: the session was moved from p{home}, which is well"));
        }
        Ok(())
    }

    /// A failover went to a provider in trouble: these are bounded by the load (I-21).
    fn charge(&mut self, now: Instant) -> Result<(), String> {
        self.charged.push_back(now);
        forget(&mut self.charged, now, WINDOW);
        forget(&mut self.requests, now, REQUEST_WINDOW);
        let allowed = self.requests.len() / 5 + 3;
        if self.charged.len() <= allowed {
            return Ok(());
        }
        Err(format!("I-21: {} charged failovers, {allowed} allowed", self.charged.len()))
    }

    /// An attempt is over.
    pub(super) fn ended(&mut self, held: &super::world::Held, outcome: Outcome, now: Instant) {
        if let Some(session) = held.session {
            self.homes.used(session, held.provider, now);
        }
        self.watch(held.provider).ended(held.probe, held.began, outcome);
    }

    /// Some conversation that has a home.
    pub(super) fn some_session(&self, nth: usize) -> Option<SessionId> {
        self.homes.pick(nth)
    }

    /// Whom to look at when all is quiet: those something happened to, and now and then everyone.
    pub(super) fn due(&mut self) -> Look {
        self.looks += 1;
        if std::mem::take(&mut self.reconfigured) || self.looks.is_multiple_of(EVERYONE_EVERY) {
            return Look::Everyone;
        }
        let due = self.names.iter().filter(|(id, _)| self.watches.get(id).is_some_and(Watch::is_due));
        let mut some: Vec<_> = due.map(|(_, name)| (PROVIDER, name.clone())).collect();
        if self.homes.are_shaky() {
            some.push((TRACKER, "main".to_owned()));
        }
        Look::At(some)
    }

    /// Nobody has work: these must tell the truth about themselves.
    pub(super) fn quiet(&mut self, actors: &[Snapshot], now: Now) -> Result<(), String> {
        for snapshot in actors.iter().filter(|actor| actor.kind == PROVIDER) {
            self.look_at(snapshot, now).map_err(|why| format!("{}: {why}", snapshot.name))?;
        }
        let tracker_rests = actors.iter().any(|actor| actor.kind == TRACKER && seen::rests(actor));
        if tracker_rests {
            self.homes.tracker_rests();
        }
        self.homes.settle(!tracker_rests && fault::left(fault::RESOLVE, "tracker") == 0);
        Ok(())
    }

    /// Whether the roster lists exactly those that are configured.
    pub(super) fn roster(&self, actors: &[Snapshot]) -> Result<(), String> {
        let mut expected: Vec<_> = self.names.values().map(String::as_str).collect();
        expected.sort_unstable();
        let listed: Vec<_> =
            actors.iter().filter(|actor| actor.kind == PROVIDER).map(|actor| actor.name.as_str()).collect();
        if listed == expected {
            return Ok(());
        }
        Err(format!("the roster lists {listed:?} instead of {expected:?}"))
    }

    fn look_at(&mut self, snapshot: &Snapshot, now: Now) -> Result<(), String> {
        if let Some(seen) = Seen::read(snapshot) {
            let watch = self.watch(seen.provider_id);
            watch.fused = fault::left(fault::ADMIT, &snapshot.name) > 0;
            return watch.found(seen, snapshot.restarts, now.wall);
        }
        let named = self.names.iter().find(|(_, name)| **name == snapshot.name).map(|(id, _)| *id);
        let (Some(id), Some(panic), true) = (named, &snapshot.last_panic, seen::rests(snapshot)) else {
            return Err(format!("it is {:?}, for no reason", snapshot.state));
        };
        let until = panic.at + self.settings.leash.rest;
        self.watch(id).found_resting(until, snapshot.restarts);
        Ok(())
    }
}

fn forget(times: &mut VecDeque<Instant>, now: Instant, span: Duration) {
    while times.front().is_some_and(|at| now.duration_since(*at) >= span) {
        times.pop_front();
    }
}
