//! What one provider may cost: its own book, kept beside its permits so that both are taken in one step.

use std::{sync::Arc, time::Duration, time::Instant};

use tokio::sync::oneshot;

use super::{card::Card, messages::Admit};
use crate::{
    board::{Shut, Why},
    ids::ProviderId,
    ledger::{
        Parts,
        book::Book,
        claim::{Claim, Denied, Held, OverLimit, Payers},
        limits::{AccountId, Limits},
        minutes::Moment,
        view::AccountView,
    },
    ports::SharedBalances,
};

/// How long a provider is passed over while nobody can say what it has cost.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// How long a provider is passed over whose budget no time will mend.
const SPENT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// The budget of one provider.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) book: Book,
    pub(super) balances: SharedBalances,
    /// Whoever remembers was away; not to be asked before.
    pub(super) away_until: Option<Instant>,
    /// Those who want to see it and wait for what is not known yet.
    pub(super) viewers: Vec<oneshot::Sender<AccountView>>,
    provider: ProviderId,
}

impl Budget {
    pub(super) fn new(card: &Card, parts: Parts) -> Self {
        let Parts { terms, calendar, balances, clock, .. } = parts;
        let now = crate::ledger::moment(clock);
        let mut budget = Self {
            book: Book::new(terms, calendar, now),
            balances,
            away_until: None,
            viewers: Vec::new(),
            provider: card.id,
        };
        budget.configure(card, now);
        budget
    }

    /// These are the limits from now on.
    pub(super) fn configure(&mut self, card: &Card, now: Moment) {
        let limits: Arc<Limits> = card.limits.of_money().into();
        self.book.configure(self.account(), &limits, now);
    }

    pub(super) fn account(&self) -> AccountId {
        AccountId::Provider(self.provider)
    }

    pub(super) fn payers(&self) -> Payers {
        Payers::Provider(self.provider)
    }

    /// Holds what the request is expected to cost, if there is so much left; nothing while there is no budget
    /// and nobody has looked at what is spent, since that is the common case and each request pays for it.
    pub(super) fn reserve(&mut self, admit: &Admit, now: Moment) -> Result<Option<Held>, Shut> {
        if !self.book.is_watched(self.account()) {
            return Ok(None);
        }
        let Admit { request, model, estimate } = *admit;
        let claim = Claim { request, payers: self.payers(), session: None, model, estimate };
        self.book.reserve(&claim, now).map(Some).map_err(|denied| match denied {
            Denied::CannotVerify(_) => Shut { why: Why::BudgetUnknown, until: now.at + UNKNOWN_FOR },
            Denied::OverLimit(over) => {
                let OverLimit { retry_after, .. } = *over;
                // A month from now is as good as never, and no clock need reckon with it.
                let pause = retry_after.unwrap_or(SPENT_FOR).min(SPENT_FOR);
                Shut { why: Why::BudgetSpent, until: now.at + pause }
            }
        })
    }

    /// Its picture.
    pub(super) fn view(&mut self, now: Moment) -> AccountView {
        self.book.view(self.account(), now)
    }
}
