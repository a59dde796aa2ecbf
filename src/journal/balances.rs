//! What accounts have used: the question a ledger asks when it wakes, and its answer.

use std::ops::Range;

use actors::{
    ledger::limits::{AccountId, Span},
    money::Pico,
};
use chrono::{DateTime, Utc};

use super::class::named;

/// What one ledger wants to know about one account. Minutes count from 1970 in UTC; spans are half open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancesAsk {
    /// The account.
    pub account: AccountId,
    /// Spans of minutes whose costs are to be summed; one from 0 to the end of all minutes means all there
    /// ever was.
    pub ranges: Vec<Range<i64>>,
    /// A span of minutes whose costs are wanted one by one.
    pub by_minute: Option<Range<i64>>,
}

/// What one account has used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// One sum for each range asked for, in their order.
    pub sums: Vec<Pico>,
    /// Each minute in which the account was used, with what it cost, oldest first.
    pub by_minute: Vec<(i64, Pico)>,
    /// Resets and raises: the latest of each kind and span.
    pub entries: Vec<LedgerEntry>,
}

/// The answer to several questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BalancesAnswer {
    /// One for each question, in their order.
    pub balances: Vec<Balance>,
    /// The highest number of a record whose cost is part of the sums; every lower one's is too.
    pub includes: u64,
}

/// Whoever remembers cannot be asked just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the balances are away: {0}")]
pub struct Away(pub String);

named! {
    /// What an entry in the ledger is that no request made.
    EntryKind {
        /// Changes what was posted, in either direction.
        Correction = "correction",
        /// What was posted before does not count any more; the amount is what its own minute had brought.
        Reset = "reset",
        /// A limit is as high as the amount, for a while.
        Raise = "raise",
    }
}

/// An entry in the ledger that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Whose.
    pub account: AccountId,
    /// The minute it counts in.
    pub minute: i64,
    /// What it is.
    pub kind: EntryKind,
    /// Which span it is about; none for a correction.
    pub span: Option<Span>,
    /// How much.
    pub amount: Pico,
    /// Until when a raise holds.
    pub until: Option<DateTime<Utc>>,
    /// The request that a correction is about.
    pub request: Option<actors::ids::RequestId>,
    /// Why, in somebody's words.
    pub note: String,
}
