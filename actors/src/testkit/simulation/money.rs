//! What every account must show, as the world that made its requests and wrote down their costs knows.
//!
//! Every simulated request reserves its worst and costs no more, so that what is posted and reserved never
//! passes the highest limit there was (I-01).

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    dispatcher::PROVIDER,
    ids::{KeyId, UserId},
    ledger::{
        LEDGER,
        claim::{Estimate, Payers},
        limits::{AccountId, Limits, Span},
        view::AccountView,
    },
    money::Pico,
    supervisor::Snapshot,
    testkit::records::Records,
};

/// The longest a simulated request may take.
pub(super) const LONGEST: Duration = Duration::from_secs(300);
/// However an end was lost, its reservation is gone by then: grace, and the rounds of whoever looks after it.
pub(super) const GIVEN_BACK: Duration = Duration::from_secs(300 + 60 + 60);
/// Books are looked at in one quiet moment of so many.
const LOOK_EVERY: u32 = 4;
/// One who left may have been on its way to a provider for so long.
const LEFT: Duration = Duration::from_secs(6);

/// The world's own books.
#[derive(Debug)]
pub(super) struct Money {
    pub(super) records: Arc<Records>,
    purses: BTreeMap<AccountId, Purse>,
    /// Requests that look for a provider and may hold something that nobody has seen yet.
    searching: u32,
    left: Option<Instant>,
    /// Something was taken or given back since the last look.
    touched: bool,
    looks: u32,
}

/// One account.
#[derive(Debug, Default)]
struct Purse {
    /// Requests in the world's hands, and what they hold.
    live: u32,
    held: Pico,
    /// The highest limits there ever were; none where there was none for a while.
    highest: Option<Limits>,
    restarts: u64,
    /// When its keeper last panicked.
    panicked: Option<Instant>,
}

impl Money {
    pub(super) fn new(records: Arc<Records>) -> Self {
        Self { records, purses: BTreeMap::new(), searching: 0, left: None, touched: false, looks: 0 }
    }

    /// The user of a simulated key.
    pub(super) fn user_of(key: KeyId) -> UserId {
        UserId(if key.0 < 3 { 1 } else { 2 })
    }

    /// Who keeps books that are to be looked at now, by kind and name: their pictures are costly.
    pub(super) fn due(&mut self) -> Vec<(&'static str, String)> {
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOK_EVERY) || !std::mem::take(&mut self.touched) {
            return Vec::new();
        }
        [1, 2].map(|id| (LEDGER, AccountId::User(UserId(id)).to_string())).into()
    }

    /// The accounts of users and keys.
    pub(super) fn of_callers() -> impl Iterator<Item = AccountId> {
        let users = [1, 2].map(|id| AccountId::User(UserId(id)));
        users.into_iter().chain([1, 2, 3].map(|id| AccountId::Key(KeyId(id))))
    }

    /// An account is bound so from now on.
    pub(super) fn bound(&mut self, account: AccountId, limits: &Limits) {
        let purse = self
            .purses
            .entry(account)
            .or_insert_with(|| Purse { highest: Some(*limits), ..Purse::default() });
        if let Some(highest) = &mut purse.highest {
            for span in Span::ALL {
                highest.usd[span] =
                    highest.usd[span].zip(limits.usd[span]).map(|(one, other)| one.max(other));
            }
        }
    }

    fn purse(&mut self, account: AccountId) -> &mut Purse {
        self.purses.entry(account).or_default()
    }

    /// What a request holds on each of its accounts.
    pub(super) fn holds(estimate: &Estimate) -> Pico {
        estimate.worst_input
    }

    pub(super) fn searches(&mut self) {
        self.searching += 1;
    }

    pub(super) fn found(&mut self) {
        self.searching -= 1;
    }

    /// Somebody left while it was looking for a provider.
    pub(super) fn left_searching(&mut self, now: Instant) {
        self.searching -= 1;
        self.left = Some(now);
    }

    /// A request holds so much of these from now on.
    pub(super) fn takes(&mut self, payers: Payers, amount: Pico) {
        self.touched = true;
        for account in payers.accounts() {
            let purse = self.purse(account);
            purse.live += 1;
            purse.held += amount;
        }
    }

    /// A request holds it no more.
    pub(super) fn gives_back(&mut self, payers: Payers, amount: Pico) {
        self.touched = true;
        for account in payers.accounts() {
            let purse = self.purse(account);
            purse.live -= 1;
            purse.held -= amount;
        }
    }

    /// Nobody has work, and this is how an account shows itself.
    pub(super) fn look_at(&mut self, view: &AccountView, restarts: u64, now: Instant) -> Result<(), String> {
        let recorded = self.records.total(view.account);
        let sure = self.searching == 0 && self.left.is_none_or(|at| now.duration_since(at) > LEFT);
        let purse = self.purse(view.account);
        if std::mem::replace(&mut purse.restarts, restarts) != restarts {
            purse.panicked = Some(now);
        }
        let (account, shaken) =
            (view.account, purse.panicked.is_some_and(|at| now.duration_since(at) < GIVEN_BACK));
        // A provider's permits are its own and looked at elsewhere; its book counts them once more.
        let in_flight = view.concurrency.used;
        let bounded = view.windows.iter().any(|window| window.limit.is_some());
        if matches!(account, AccountId::Provider(_)) && !bounded {
            // A provider without a budget holds nothing; what it has cost is looked at in the end.
            return Ok(());
        }
        let live = u64::from(purse.live);
        if !shaken && (in_flight < live || (sure && in_flight != live)) {
            return Err(format!("I-10: {account} counts {in_flight} in flight, {} are", purse.live));
        }
        let highest = purse.highest.and_then(|highest| highest.usd[Span::Total]);
        if highest.is_some_and(|highest| recorded > highest) {
            return Err(format!("I-01: {account} has used {recorded} of {highest:?}"));
        }
        for window in &view.windows {
            let (span, settled, reserved) = (window.span, window.settled, window.reserved);
            if let (Some(limit), Some(free)) = (window.limit, window.free)
                && settled + reserved + free != limit
            {
                return Err(format!(
                    "I-04: {account} {span}: {settled} + {reserved} + {free} is not {limit}"
                ));
            }
            if reserved < purse.held && !shaken {
                return Err(format!("I-05: {account} {span}: {reserved} reserved, {} held", purse.held));
            }
            if sure && !shaken && reserved != purse.held {
                return Err(format!("I-05: {account} {span}: {reserved} reserved, {} held", purse.held));
            }
            if settled > recorded {
                return Err(format!("I-04: {account} {span}: {settled} settled, {recorded} on record"));
            }
            let highest = purse.highest.and_then(|highest| highest.usd[span]);
            // A reservation whose end was lost still stands when its cost is read from the records again.
            if highest.is_some_and(|highest| view.known && !shaken && settled + reserved > highest) {
                return Err(format!("I-01: {account} {span}: {settled} + {reserved} of {highest:?}"));
            }
        }
        Ok(())
    }

    /// Nobody has work: those who keep books must tell the truth.
    pub(super) fn quiet(&mut self, actors: &[Snapshot], now: Instant) -> Result<(), String> {
        for actor in actors {
            let detail = actor.detail.as_ref();
            let views: Vec<AccountView> = match actor.kind {
                LEDGER => read(detail.map(|detail| &detail["accounts"])),
                PROVIDER => read(detail.map(|detail| &detail["budget"])),
                _ => continue,
            };
            for view in &views {
                self.look_at(view, actor.restarts, now)?;
            }
            if views.is_empty() {
                // It rests: all it keeps is shaken.
                self.purses.values_mut().for_each(|purse| purse.panicked = Some(now));
            }
        }
        Ok(())
    }

    /// All is over: this is how an account must show itself.
    pub(super) fn look_at_the_end(&self, view: &AccountView) -> Result<(), String> {
        let recorded = self.records.total(view.account);
        let total = view.windows.iter().find(|window| window.span == Span::Total);
        let sound = view.is_sure()
            && view.concurrency.used == 0
            && view.windows.iter().all(|window| window.reserved == Pico::ZERO)
            && total.is_some_and(|total| total.settled == recorded);
        if sound {
            return Ok(());
        }
        Err(format!("I-04, I-05: {recorded} on record, but {view:?}"))
    }
}

/// The accounts in a picture; none when there is no picture.
fn read(accounts: Option<&Value>) -> Vec<AccountView> {
    match accounts {
        Some(all @ Value::Array(_)) => Vec::deserialize(all).unwrap_or_default(),
        Some(one) => AccountView::deserialize(one).into_iter().collect(),
        None => Vec::new(),
    }
}
