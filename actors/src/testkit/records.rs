//! What was recorded, in memory: answers for the balances as a database would, late or not at all if a test
//! wants it so.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    ledger::{
        claim::Raise,
        limits::{AccountId, Span},
        minutes::Minute,
        tally::Forgiven,
    },
    money::Pico,
    ports::{Away, Balance, Balances, BalancesAnswer, BalancesAsk},
};

/// All records, and how the next question is answered.
#[derive(Debug, Default)]
pub struct Records(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    costs: BTreeMap<(AccountId, Minute), Pico>,
    resets: Vec<(AccountId, Span, Forgiven)>,
    raises: Vec<(AccountId, Span, Raise)>,
    manner: Manner,
    questions: u64,
}

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// At once.
    #[default]
    Prompt,
    /// After so long, as of the moment of the question.
    Late(Duration),
    /// Not.
    Away,
}

impl Records {
    /// Writes down a cost. Answers the record's number.
    pub fn record(&self, accounts: &[AccountId], minute: Minute, cost: Pico) -> u64 {
        let mut state = self.state();
        for account in accounts {
            *state.costs.entry((*account, minute)).or_default() += cost;
        }
        state.sequence += 1;
        state.sequence
    }

    /// Writes down a manual reset.
    pub fn record_reset(&self, account: AccountId, span: Span, forgiven: Forgiven) {
        self.state().resets.push((account, span, forgiven));
    }

    /// Writes down a raise.
    pub fn record_raise(&self, account: AccountId, span: Span, raise: Raise) {
        self.state().raises.push((account, span, raise));
    }

    /// Questions are answered so from now on.
    pub fn answer(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// How often anything was asked.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.state().questions
    }

    /// All that was ever written down for an account.
    #[must_use]
    pub fn total(&self, account: AccountId) -> Pico {
        self.state().sum(account, &(Minute::FIRST..Minute::NEVER))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sum(&self, account: AccountId, range: &Range<Minute>) -> Pico {
        self.costs.range((account, range.start)..(account, range.end)).map(|(_, cost)| *cost).sum()
    }

    fn balance(&self, ask: &BalancesAsk) -> Balance {
        let account = ask.account;
        let by_minute = ask.by_minute.clone().unwrap_or(Minute::FIRST..Minute::FIRST);
        let minutes = self.costs.range((account, by_minute.start)..(account, by_minute.end));
        let latest = |span| self.resets.iter().rfind(|(of, over, _)| (*of, *over) == (account, span));
        let raises = self.raises.iter().filter(|(of, ..)| *of == account);
        Balance {
            sums: ask.ranges.iter().map(|range| self.sum(account, range)).collect(),
            by_minute: minutes.map(|((_, minute), cost)| (*minute, *cost)).collect(),
            resets: Span::ALL
                .into_iter()
                .filter_map(latest)
                .map(|(_, span, reset)| (*span, *reset))
                .collect(),
            raises: raises.map(|(_, span, raise)| (*span, *raise)).collect(),
        }
    }
}

impl Balances for Records {
    fn balances(&self, asks: Vec<BalancesAsk>) -> BoxFuture<'static, Result<BalancesAnswer, Away>> {
        let mut state = self.state();
        state.questions += 1;
        let balances = asks.iter().map(|ask| state.balance(ask)).collect();
        let answer = BalancesAnswer { balances, includes: state.sequence };
        match state.manner {
            Manner::Prompt => async move { Ok(answer) }.boxed(),
            Manner::Late(by) => async move {
                tokio::time::sleep(by).await;
                Ok(answer)
            }
            .boxed(),
            Manner::Away => async { Err(Away("told to be".to_owned())) }.boxed(),
        }
    }
}
