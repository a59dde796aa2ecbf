//! How fast one may try to sign in, as a plain value: no actor, no clock, no log (C-20).
//!
//! Places and accounts each have a count of attempts that failed. A few are free; from then on each makes the
//! next one wait twice as long, up to a bound, and a long silence wipes the slate clean.
//!
//! Invariants
//! - An attempt counts as failed from the moment it is let in, and only its own success takes that back. What
//!   is under way, was broken off or lost counts, and so do a thousand at once.
//! - Asking while one has to wait changes nothing: nobody can keep somebody else waiting by asking.
//! - A place that an account is known at waits for what was done there, never for what strangers did elsewhere.
//! - At most so many places and so many accounts are remembered. Who failed most often is forgotten last.
//! - Time enters only as `now`: the same calls lead to the same states.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

/// By what rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Failures of a place before it waits.
    pub free_of_place: u32,
    /// Failures of an account before it waits.
    pub free_of_account: u32,
    /// The first wait.
    pub shortest: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Silence after which everything is forgotten. Longer than the longest wait.
    pub forgotten_after: Duration,
    /// Places, and again accounts, that are remembered at most.
    pub capacity: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            free_of_place: 5,
            free_of_account: 10,
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(15 * 60),
            forgotten_after: Duration::from_secs(60 * 60),
            capacity: 4_096,
        }
    }
}

/// Where somebody tries from: what one household has of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(Option<IpAddr>);

impl Place {
    /// The place of an address. Of an IPv6 address the first half counts: the other half is its holder's to
    /// choose. Those without an address share a place.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
            v4 => v4,
        }))
    }
}

/// Somebody tries.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// From where.
    pub place: Place,
    /// At which account, whether it exists or not; none for a secret that names none.
    pub account: Option<Arc<str>>,
    /// Whether somebody has signed in to this account from this place before.
    pub known_here: bool,
}

/// The leave to try. What is not known to have succeeded has failed.
#[derive(Debug)]
#[must_use]
pub struct Leave {
    place: Place,
    account: Option<Arc<str>>,
    at: Instant,
}

/// All counts.
#[derive(Debug)]
pub struct Backoff {
    terms: Terms,
    places: HashMap<Place, Failures>,
    accounts: HashMap<Arc<str>, Failures>,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failures {
    count: u32,
    since: Instant,
    last: Instant,
}

impl Backoff {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { terms, places: HashMap::new(), accounts: HashMap::new() }
    }

    /// Lets an attempt in, or says how long to wait.
    ///
    /// # Errors
    /// The wait.
    pub fn admit(&mut self, attempt: Attempt, now: Instant) -> Result<Leave, Duration> {
        let Attempt { place, account, known_here } = attempt;
        let terms = self.terms;
        let of_place = left(self.places.get(&place), terms.free_of_place, &terms, now);
        let of_account = match &account {
            Some(account) if !known_here => {
                left(self.accounts.get(account), terms.free_of_account, &terms, now)
            }
            _ => Duration::ZERO,
        };
        let wait = of_place.max(of_account);
        if !wait.is_zero() {
            return Err(wait);
        }
        count(&mut self.places, place, &terms, now);
        if let Some(account) = &account {
            count(&mut self.accounts, Arc::clone(account), &terms, now);
        }
        Ok(Leave { place, account, at: now })
    }

    /// An attempt has succeeded: it is taken back, and nothing that others did.
    pub fn succeeded(&mut self, leave: Leave) {
        take_back(&mut self.places, &leave.place, leave.at);
        if let Some(account) = &leave.account {
            take_back(&mut self.accounts, account, leave.at);
        }
    }

    /// How many places and accounts are remembered.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.places.len(), self.accounts.len())
    }
}

/// What is left of the wait.
fn left(failures: Option<&Failures>, free: u32, terms: &Terms, now: Instant) -> Duration {
    let Some(failures) = failures.filter(|failures| !is_forgotten(failures, terms, now)) else {
        return Duration::ZERO;
    };
    let Some(beyond) = failures.count.checked_sub(free) else { return Duration::ZERO };
    let doubled = terms.shortest.saturating_mul(2u32.saturating_pow(beyond));
    (failures.last + doubled.min(terms.longest)).saturating_duration_since(now)
}

fn is_forgotten(failures: &Failures, terms: &Terms, now: Instant) -> bool {
    now.saturating_duration_since(failures.last) >= terms.forgotten_after
}

fn count<K: Hash + Eq + Clone>(all: &mut HashMap<K, Failures>, key: K, terms: &Terms, now: Instant) {
    if let Some(failures) = all.get_mut(&key).filter(|failures| !is_forgotten(failures, terms, now)) {
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        return;
    }
    if all.len() >= terms.capacity && !all.contains_key(&key) {
        all.retain(|_, failures| !is_forgotten(failures, terms, now));
    }
    if all.len() >= terms.capacity && !all.contains_key(&key) {
        // Filling the table must not wash out who is being attacked.
        let least = all.iter().min_by_key(|(_, failures)| (failures.count, failures.last));
        if let Some(least) = least.map(|(key, _)| key.clone()) {
            all.remove(&least);
        }
    }
    all.insert(key, Failures { count: 1, since: now, last: now });
}

fn take_back<K: Hash + Eq>(all: &mut HashMap<K, Failures>, key: &K, at: Instant) {
    // One that was forgotten meanwhile is not among those that are counted now.
    let Some(failures) = all.get_mut(key).filter(|failures| failures.since <= at) else { return };
    failures.count -= 1;
    if failures.count == 0 {
        all.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn place(number: u8) -> Place {
        Place::of(Some(IpAddr::from([192, 0, 2, number])))
    }

    fn attempt(from: u8, account: Option<&str>) -> Attempt {
        Attempt { place: place(from), account: account.map(Arc::from), known_here: false }
    }

    /// Tries as often as one is let in, every 10 ms for that long; says how often that was.
    fn hammer(backoff: &mut Backoff, from: Instant, lasts: Duration, who: impl Fn(u32) -> Attempt) -> u32 {
        let tries = u32::try_from(lasts.as_millis() / 10).unwrap();
        let at = |n: u32| from + Duration::from_millis(10) * n;
        let let_in = (0..tries).filter(|n| backoff.admit(who(*n), at(*n)).is_ok());
        u32::try_from(let_in.count()).unwrap()
    }

    #[test]
    fn c20_each_failure_beyond_the_free_ones_doubles_the_wait() {
        let (mut backoff, mut now) = (Backoff::new(Terms::default()), Instant::now());
        for _ in 0..5 {
            let _ = backoff.admit(attempt(1, None), now).unwrap();
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let wait = seconds * SECOND;
            assert_eq!(backoff.admit(attempt(1, None), now).unwrap_err(), wait);
            let nearly = now + wait - Duration::from_millis(1);
            assert_eq!(backoff.admit(attempt(1, None), nearly).unwrap_err(), Duration::from_millis(1));
            now += wait;
            let _ = backoff.admit(attempt(1, None), now).unwrap();
        }
        // Somebody else is not held up, and a long silence makes up for everything.
        let _ = backoff.admit(attempt(2, None), now).unwrap();
        now += Duration::from_secs(3_600);
        for _ in 0..5 {
            let _ = backoff.admit(attempt(1, None), now).unwrap();
        }
    }

    #[test]
    fn c20_ten_thousand_tries_a_minute_come_to_a_dozen() {
        let now = Instant::now();
        let minute = 60 * SECOND;
        let mut backoff = Backoff::new(Terms::default());
        assert_eq!(hammer(&mut backoff, now, minute, |_| attempt(1, Some("anna"))), 5 + 5);
        // From everywhere, at one account.
        let mut backoff = Backoff::new(Terms::default());
        let all = hammer(&mut backoff, now, minute, |n| attempt((n % 250) as u8, Some("anna")));
        assert_eq!(all, 10 + 5);
        // From one place, at every account.
        let mut backoff = Backoff::new(Terms::default());
        let all = hammer(&mut backoff, now, minute, |n| attempt(1, Some(&format!("user {n}"))));
        assert_eq!(all, 5 + 5);
    }

    #[test]
    fn c20_strangers_do_not_lock_out_who_is_known() {
        let (mut backoff, now) = (Backoff::new(Terms::default()), Instant::now());
        hammer(&mut backoff, now, 600 * SECOND, |n| attempt((n % 250) as u8, Some("anna")));
        let now = now + 600 * SECOND;
        assert!(backoff.admit(attempt(251, Some("anna")), now).is_err(), "from somewhere new");
        let at_home = Attempt { known_here: true, ..attempt(252, Some("anna")) };
        let leave = backoff.admit(at_home.clone(), now).unwrap();
        backoff.succeeded(leave);
        // But whoever sits there has no more tries than anybody.
        assert_eq!(hammer(&mut backoff, now, 60 * SECOND, |_| at_home.clone()), 5 + 5);
    }

    #[test]
    fn c20_a_success_takes_back_itself_and_nothing_else() {
        let (mut backoff, now) = (Backoff::new(Terms::default()), Instant::now());
        for _ in 0..4 {
            let _ = backoff.admit(attempt(1, Some("anna")), now).unwrap();
        }
        for _ in 0..100 {
            // An account of one's own gives no new tries at another's.
            let leave = backoff.admit(attempt(1, Some("own")), now).unwrap();
            backoff.succeeded(leave);
        }
        let _ = backoff.admit(attempt(1, Some("anna")), now).unwrap();
        assert!(backoff.admit(attempt(1, Some("own")), now).is_err());
        assert_eq!(backoff.sizes(), (1, 1));
    }

    #[test]
    fn c20_a_thousand_at_once_are_not_let_in_before_the_first_is_told_wrong() {
        let (mut backoff, now) = (Backoff::new(Terms::default()), Instant::now());
        let leaves: Vec<_> =
            (0..1_000).filter_map(|_| backoff.admit(attempt(1, Some("anna")), now).ok()).collect();
        assert_eq!(leaves.len(), 5);
    }

    #[test]
    fn c20_filling_the_table_does_not_wash_out_who_is_attacked() {
        let terms = Terms { capacity: 64, ..Terms::default() };
        let (mut backoff, now) = (Backoff::new(terms), Instant::now());
        hammer(&mut backoff, now, 60 * SECOND, |n| attempt((n % 250) as u8, Some("anna")));
        let now = now + 60 * SECOND;
        for n in 0..10_000u32 {
            let from = Place::of(Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes())));
            let _ = backoff.admit(Attempt { place: from, ..attempt(0, Some(&format!("nobody {n}"))) }, now);
            assert!(backoff.sizes().0 <= 64 && backoff.sizes().1 <= 64);
        }
        assert!(backoff.admit(attempt(251, Some("anna")), now).is_err());
    }

    #[test]
    fn c20_a_household_is_one_place_whichever_of_its_addresses_it_uses() {
        let of = |text: &str| Place::of(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    proptest! {
        /// Whatever is tried, from wherever, with whatever luck: nobody is let in before the wait they were told
        /// is over, and nobody who did wait is refused for it.
        #[test]
        fn c20_who_is_told_to_wait_is_let_in_after_it_and_not_before(
            steps in proptest::collection::vec((0u8..3, 0usize..3, any::<bool>(), any::<bool>(), 0u64..4_000), 1..200)
        ) {
            let mut backoff = Backoff::new(Terms { capacity: 2, ..Terms::default() });
            let mut now = Instant::now();
            for (from, account, known_here, succeeds, millis) in steps {
                now += Duration::from_millis(millis);
                let account = [None, Some("anna"), Some("bert")][account];
                let who = || Attempt { known_here, ..attempt(from, account) };
                match backoff.admit(who(), now) {
                    Ok(leave) if succeeds => {
                        let before = backoff.sizes();
                        backoff.succeeded(leave);
                        prop_assert!(backoff.sizes() <= before);
                    }
                    Ok(_) => {}
                    Err(wait) => {
                        prop_assert!(wait <= Terms::default().longest);
                        let early = backoff.admit(who(), now + wait - Duration::from_millis(1));
                        prop_assert_eq!(early.unwrap_err(), Duration::from_millis(1));
                        now += wait;
                        prop_assert!(backoff.admit(who(), now).is_ok());
                    }
                }
                let (places, accounts) = backoff.sizes();
                prop_assert!(places <= 2 && accounts <= 2);
            }
        }
    }
}
