//! Those who wait for a place, or for what is not known yet, as a plain value.
//!
//! Invariants (I-13)
//! - First come, first served for each account: nobody passes another who waits for the same account.
//! - Nobody waits longer than was allowed, and no more wait than were.
//! - One who has gone consumes nothing.

use std::{
    collections::VecDeque,
    sync::Weak,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    claim::{Claim, Denied},
    limits::{AccountId, LimitKind},
    reservation::Reservation,
};

/// How long what is not known may be waited for.
pub(crate) const UNTIL_KNOWN: Duration = Duration::from_secs(2);
/// How many may wait for that.
const MOST_UNTIL_KNOWN: usize = 1_024;

/// Whether requests wait for a place when an account has as many in flight as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many may wait per user; none do unless set.
    pub most: usize,
    /// How long each may wait.
    pub longest: Duration,
}

/// All who wait, in the order in which they came.
#[derive(Debug)]
pub struct Queue {
    terms: Waiting,
    waiters: VecDeque<Waiter>,
}

/// One who waits.
#[derive(Debug)]
struct Waiter {
    claim: Claim,
    /// What stands in the way, as of the last try.
    denied: Denied,
    until: Instant,
    caller: Weak<()>,
    answer: oneshot::Sender<Result<Reservation, Denied>>,
}

impl Waiter {
    fn has_gone(&self) -> bool {
        self.answer.is_closed() || self.caller.strong_count() == 0
    }
}

impl Queue {
    /// Nobody waits.
    #[must_use]
    pub fn new(terms: Waiting) -> Self {
        Self { terms, waiters: VecDeque::new() }
    }

    /// Newcomers wait by these terms from now on; those who wait already keep theirs.
    pub fn set_terms(&mut self, terms: Waiting) {
        self.terms = terms;
    }

    /// Lets one wait, if what stands in its way is worth waiting for and there is room; gives the refusal
    /// back if not. `caller` is held by whoever waits, for as long as it does.
    ///
    /// # Errors
    /// The refusal.
    pub fn join(
        &mut self,
        claim: Claim,
        denied: Denied,
        caller: Weak<()>,
        now: Instant,
    ) -> Result<oneshot::Receiver<Result<Reservation, Denied>>, Denied> {
        let (most, longest) = match obstacle(&denied) {
            Some(Obstacle::Unknown(_)) => (MOST_UNTIL_KNOWN, UNTIL_KNOWN),
            Some(Obstacle::Full(_)) => (self.terms.most, self.terms.longest),
            None => return Err(denied),
        };
        self.waiters.retain(|waiter| !waiter.has_gone());
        if self.waiters.len() >= most {
            return Err(denied);
        }
        let (answer, later) = oneshot::channel();
        self.waiters.push_back(Waiter { claim, denied, until: now + longest, caller, answer });
        Ok(later)
    }

    /// What those who came earlier wait for, if it is one of these accounts.
    #[must_use]
    pub fn ahead_of(&self, claim: &Claim) -> Option<&Denied> {
        let waits = |waiter: &&Waiter| {
            obstacle(&waiter.denied)
                .is_some_and(|obstacle| claim.payers.accounts().any(|id| id == obstacle.account()))
        };
        self.waiters.iter().find(waits).map(|waiter| &waiter.denied)
    }

    /// Tries each in turn, and answers those who need wait no more.
    pub fn serve(&mut self, now: Instant, mut attempt: impl FnMut(&Claim) -> Result<Reservation, Denied>) {
        let mut blocked: Vec<AccountId> = Vec::new();
        for mut waiter in std::mem::take(&mut self.waiters) {
            if waiter.has_gone() {
                continue;
            }
            if !waiter.claim.payers.accounts().any(|id| blocked.contains(&id)) {
                match attempt(&waiter.claim) {
                    Ok(reservation) => {
                        // One who left in this very moment drops it, and that ends it.
                        let _ = waiter.answer.send(Ok(reservation));
                        continue;
                    }
                    Err(denied) => waiter.denied = denied,
                }
            }
            match obstacle(&waiter.denied) {
                Some(obstacle) if now < waiter.until => {
                    blocked.push(obstacle.account());
                    self.waiters.push_back(waiter);
                }
                _ => {
                    let _ = waiter.answer.send(Err(waiter.denied));
                }
            }
        }
    }

    /// Refuses all who wait for what is not known: nobody can say.
    pub fn give_up_the_unknown(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            match obstacle(&waiter.denied) {
                Some(Obstacle::Unknown(_)) => {
                    let _ = waiter.answer.send(Err(waiter.denied));
                }
                _ => self.waiters.push_back(waiter),
            }
        }
    }

    /// Lets everyone go without an answer.
    pub fn clear(&mut self) {
        self.waiters.clear();
    }

    /// When the first has waited long enough.
    #[must_use]
    pub fn next_end(&self) -> Option<Instant> {
        self.waiters.iter().map(|waiter| waiter.until).min()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }
}

/// What is worth waiting for.
#[derive(Debug, Clone, Copy)]
enum Obstacle {
    /// That this account is known.
    Unknown(AccountId),
    /// That a request of this account ends.
    Full(AccountId),
}

impl Obstacle {
    fn account(self) -> AccountId {
        match self {
            Self::Unknown(account) | Self::Full(account) => account,
        }
    }
}

fn obstacle(denied: &Denied) -> Option<Obstacle> {
    match denied {
        Denied::CannotVerify(account) => Some(Obstacle::Unknown(*account)),
        Denied::OverLimit(over) if over.kind == LimitKind::Concurrency && over.retry_after.is_some() => {
            Some(Obstacle::Full(over.account))
        }
        Denied::OverLimit(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::{
        ids::{KeyId, RequestId, UserId},
        ledger::{
            claim::{Estimate, OverLimit, Payers, Quantity},
            quantile::ModelMark,
        },
    };

    fn claim(request: u128, key: i64) -> Claim {
        Claim {
            request: RequestId(Uuid::from_u128(request)),
            payers: Payers::Caller(UserId(1), KeyId(key)),
            session: None,
            model: ModelMark::of("m"),
            estimate: Estimate::default(),
        }
    }

    fn full(key: i64) -> Denied {
        let [limit, used, reserved, asked] = [1, 1, 0, 1].map(Quantity::Count);
        let (account, kind) = (AccountId::Key(KeyId(key)), LimitKind::Concurrency);
        let retry_after = Some(Duration::from_secs(1));
        OverLimit { account, kind, limit, used, reserved, asked, resets_at: None, retry_after }.into()
    }

    #[test]
    fn i13_a_newcomer_stands_behind_those_who_wait_for_the_same_account_and_no_others() {
        let (now, caller) = (Instant::now(), Arc::new(()));
        let mut queue = Queue::new(Waiting { most: 9, longest: Duration::from_secs(9) });
        let _waits = queue.join(claim(1, 1), full(1), Arc::downgrade(&caller), now).unwrap();
        assert_eq!(queue.ahead_of(&claim(2, 1)), Some(&full(1)));
        assert_eq!(queue.ahead_of(&claim(3, 2)), None, "the other key has its own places");
    }

    #[test]
    fn i13_new_terms_are_for_newcomers() {
        let (now, caller) = (Instant::now(), Arc::new(()));
        let mut queue = Queue::new(Waiting::default());
        assert!(queue.join(claim(1, 1), full(1), Arc::downgrade(&caller), now).is_err(), "nobody may wait");
        queue.set_terms(Waiting { most: 1, longest: Duration::from_secs(9) });
        let mut answer = queue.join(claim(2, 1), full(1), Arc::downgrade(&caller), now).unwrap();
        queue.set_terms(Waiting::default());
        assert!(queue.join(claim(3, 1), full(1), Arc::downgrade(&caller), now).is_err());
        queue.serve(now + Duration::from_secs(8), |_| Err(full(1)));
        assert!(answer.try_recv().is_err(), "the one who waits still does");
    }

    #[test]
    fn i13_within_one_round_nobody_passes_another_who_waits_for_the_same_account() {
        let (now, caller) = (Instant::now(), Arc::new(()));
        let mut queue = Queue::new(Waiting { most: 9, longest: Duration::from_secs(9) });
        let waits = [(1, 1), (2, 1), (3, 2)].map(|(request, key)| {
            queue.join(claim(request, key), full(key), Arc::downgrade(&caller), now).unwrap()
        });
        let mut tried = Vec::new();
        queue.serve(now, |claim| {
            tried.push(claim.request.0.as_u128());
            let Payers::Caller(_, KeyId(key)) = claim.payers else { unreachable!() };
            Err(full(key))
        });
        // A place may come free between two tries: the second of the first key must not be asked whether.
        assert_eq!(tried, [1, 3]);
        drop(waits);
        let caller = Arc::new(());
        assert!(queue.join(claim(4, 1), full(1), Arc::downgrade(&caller), now).is_ok());
        assert_eq!(queue.len(), 1, "those who left are gone");
    }

    #[test]
    fn i13_one_who_has_left_is_not_tried() {
        let (now, caller) = (Instant::now(), Arc::new(()));
        let mut queue = Queue::new(Waiting { most: 9, longest: Duration::from_secs(9) });
        let _answer = queue.join(claim(1, 1), full(1), Arc::downgrade(&caller), now).unwrap();
        drop(caller);
        queue.serve(now, |claim| panic!("{} has left", claim.request));
        assert!(queue.is_empty());
    }
}
