//! What a ledger shows of itself: small documents for the admin API, metrics and tests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::limits::{AccountId, Span};
use crate::{ids::RequestId, money::Pico};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Whose it is.
    pub account: AccountId,
    /// Whether what is settled is known; else only what is reserved can be told.
    pub known: bool,
    /// Whether a settlement may be missing from it, so that it is being asked again.
    pub in_doubt: bool,
    /// Its dollars, span by span.
    pub windows: Vec<WindowView>,
    /// Requests admitted in the last minute.
    pub rpm: Gauge,
    /// Tokens of the requests admitted in the last minute.
    pub tpm: Gauge,
    /// Requests in flight.
    pub concurrency: Gauge,
    /// Conversations alive.
    pub sessions: Gauge,
}

impl AccountView {
    /// Whether there is nothing better to wait for.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.known && !self.in_doubt
    }
}

/// Dollars over one span. Where there is a limit: limit = settled + reserved + free, to the last digit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowView {
    /// Which span.
    pub span: Span,
    /// The limit, as it is now.
    pub limit: Option<Pico>,
    /// What is posted.
    pub settled: Pico,
    /// What is held by requests under way.
    pub reserved: Pico,
    /// What is left; below zero when a request cost more than was reserved for it.
    pub free: Option<Pico>,
    /// When it will be empty, if nothing more comes.
    pub resets_at: Option<DateTime<Utc>>,
    /// Until when the limit is raised, if it is.
    pub raised_until: Option<DateTime<Utc>>,
}

/// A count, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// The limit, if any.
    pub limit: Option<u64>,
    /// How much of it is used.
    pub used: u64,
}

/// An open reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationView {
    /// The request it is for.
    pub request: RequestId,
    /// What is reserved on which account.
    pub reserved: Vec<Share>,
    /// When the request was admitted.
    pub since: DateTime<Utc>,
}

/// What one account holds for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The account.
    pub account: AccountId,
    /// The amount.
    pub amount: Pico,
}
