//! Counts of actors, added up over those that are gone: ledgers come and go with their users, and what a
//! counter has counted must not go with them.

use std::collections::BTreeMap;

use actors::supervisor::Snapshot;

/// How often each kind of actor was restarted and made to rest.
#[derive(Debug, Default)]
pub(super) struct Totals {
    kinds: BTreeMap<&'static str, Counts>,
    seen: BTreeMap<(&'static str, String), Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    restarts: u64,
    quarantines: u64,
}

impl Totals {
    /// Adds what has happened since the last time.
    pub(super) fn add(&mut self, actors: &[Snapshot]) {
        let mut seen = BTreeMap::new();
        for actor in actors {
            let key = (actor.kind, actor.name.clone());
            let now = Counts { restarts: actor.restarts, quarantines: actor.quarantines };
            let mut before = self.seen.get(&key).copied().unwrap_or_default();
            if now.restarts < before.restarts {
                // Another of that name.
                before = Counts::default();
            }
            let sum = self.kinds.entry(actor.kind).or_default();
            sum.restarts += now.restarts - before.restarts;
            sum.quarantines += now.quarantines.saturating_sub(before.quarantines);
            seen.insert(key, now);
        }
        self.seen = seen;
    }

    pub(super) fn restarts(&self) -> Vec<(Vec<String>, f64)> {
        self.counts(|counts| counts.restarts)
    }

    pub(super) fn quarantines(&self) -> Vec<(Vec<String>, f64)> {
        self.counts(|counts| counts.quarantines)
    }

    fn counts(&self, which: fn(&Counts) -> u64) -> Vec<(Vec<String>, f64)> {
        self.kinds.iter().map(|(kind, counts)| (vec![(*kind).to_owned()], which(counts) as f64)).collect()
    }
}

/// The kinds of actors there are, each once.
pub(super) fn kinds(actors: &[Snapshot]) -> Vec<&'static str> {
    let mut kinds: Vec<_> = actors.iter().map(|actor| actor.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests {
    use actors::supervisor::roster::Condition;
    use chrono::DateTime;

    use super::*;

    fn ledger(name: &str, restarts: u64, quarantines: u64) -> Snapshot {
        Snapshot {
            kind: "ledger",
            name: name.to_owned(),
            state: Condition::Running,
            mailbox_depth: 0,
            restarts,
            quarantines,
            longest_wait_us: 0,
            longest_turn_us: 0,
            last_panic: None,
            since: DateTime::UNIX_EPOCH,
            detail: None,
        }
    }

    #[test]
    fn a_counter_never_goes_down_whoever_leaves() {
        let mut totals = Totals::default();
        let mut after = |actors: &[Snapshot]| {
            totals.add(actors);
            (totals.restarts()[0].1, totals.quarantines()[0].1)
        };
        assert_eq!(after(&[ledger("1", 2, 0), ledger("2", 5, 1)]), (7.0, 1.0));
        assert_eq!(after(&[ledger("1", 2, 0), ledger("2", 5, 1)]), (7.0, 1.0), "looking counts nothing");
        assert_eq!(after(&[ledger("1", 3, 0)]), (8.0, 1.0), "one has gone to sleep");
        assert_eq!(after(&[ledger("1", 3, 0), ledger("2", 1, 0)]), (9.0, 1.0), "and was woken anew");
    }
}
