//! What the actors need from outside, as traits: boot hands in whoever answers.

use std::{fmt, ops::Range, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    ledger::{
        claim::Raise,
        limits::{AccountId, Span},
        minutes::Minute,
        tally::Forgiven,
    },
    money::Pico,
};

/// Who remembers what accounts have used. Everything recorded before a question is part of its answer.
pub trait Balances: Send + Sync {
    /// What each of these accounts has used, in the order of the questions.
    fn balances(&self, asks: Vec<BalancesAsk>) -> BoxFuture<'static, Result<BalancesAnswer, Away>>;
}

/// What one ledger wants to know about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancesAsk {
    /// The account.
    pub account: AccountId,
    /// Spans of minutes whose costs are to be summed. One that begins with [`Minute::FIRST`] and ends with
    /// [`Minute::NEVER`] means all there ever was.
    pub ranges: Vec<Range<Minute>>,
    /// A span of minutes whose costs are wanted one by one.
    pub by_minute: Option<Range<Minute>>,
}

/// The answer to several questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BalancesAnswer {
    /// One for each question, in their order.
    pub balances: Vec<Balance>,
    /// The highest number of a record whose cost is part of the sums; every lower one's is too.
    pub includes: u64,
}

/// What one account has used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// One sum for each range asked for, in their order.
    pub sums: Vec<Pico>,
    /// Each minute in which the account was used, with what it cost, oldest first.
    pub by_minute: Vec<(Minute, Pico)>,
    /// The latest manual reset of each span, if there ever was one.
    pub resets: Vec<(Span, Forgiven)>,
    /// The raises that may not be over yet.
    pub raises: Vec<(Span, Raise)>,
}

/// Whoever remembers cannot be asked just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the balances are away: {0}")]
pub struct Away(pub String);

/// Nobody has ever used anything: for houses that keep no records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Balances for Nothing {
    fn balances(&self, asks: Vec<BalancesAsk>) -> BoxFuture<'static, Result<BalancesAnswer, Away>> {
        let nothing =
            |ask: BalancesAsk| Balance { sums: vec![Pico::ZERO; ask.ranges.len()], ..Balance::default() };
        let balances = asks.into_iter().map(nothing).collect();
        Box::pin(async move { Ok(BalancesAnswer { balances, includes: 0 }) })
    }
}

impl fmt::Debug for dyn Balances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Balances")
    }
}

/// Whoever answers, shared by all who ask.
pub type SharedBalances = Arc<dyn Balances>;
