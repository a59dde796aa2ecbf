//! What a request asks of its accounts, and how the answer turns out, as plain values.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    limits::{AccountId, LimitKind, Limits},
    minutes::Minute,
    quantile::ModelMark,
};
use crate::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    permits::Permit,
    session::id::SessionId,
};

/// What a request is expected to use, and what it can use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// What the input will cost.
    pub input: Pico,
    /// How many tokens the input has.
    pub input_tokens: u64,
    /// What one token of output costs.
    pub per_output_token: Pico,
    /// How much output the caller allows, where it says so.
    pub max_output: Option<u64>,
    /// What the input can cost at most.
    pub worst_input: Pico,
    /// How much output there can be at most, what the caller allows included.
    pub worst_output: u64,
}

/// Who pays for a request. All of them have room for it, or none is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payers {
    /// A caller: the user and the key it came with.
    Caller(UserId, KeyId),
    /// The provider it is sent to.
    Provider(ProviderId),
}

/// At most so many accounts pay for one request.
pub(super) const MOST_PAYERS: usize = 2;

/// A request before it is admitted.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The request.
    pub request: RequestId,
    /// Who pays.
    pub payers: Payers,
    /// Its conversation.
    pub session: Option<SessionId>,
    /// The model it asks for.
    pub model: ModelMark,
    /// What it is expected to use.
    pub estimate: Estimate,
}

/// The way back to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(super) slot: usize,
    /// Whose it is.
    pub request: RequestId,
}

impl Ticket {
    /// Of a request that holds nothing.
    pub(super) fn of_nothing(request: RequestId) -> Self {
        Self { slot: usize::MAX, request }
    }

    pub(super) fn is_of_nothing(self) -> bool {
        self.slot == usize::MAX
    }
}

/// A reservation that was made.
#[derive(Debug)]
pub struct Held {
    /// The way back to it.
    pub ticket: Ticket,
    /// The minute its cost will belong to.
    pub minute: Minute,
    /// The most that any of its accounts holds for it.
    pub amount: Pico,
    /// Raised when the request has used all that is left and its accounts want it ended.
    pub must_stop: Arc<AtomicBool>,
    /// One unit of concurrency of each account; dropping them gives them back.
    pub permits: [Option<Permit>; MOST_PAYERS],
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Running {
    /// What the input costs, once that is known exactly.
    pub input: Option<Pico>,
    /// Tokens of output so far.
    pub output_tokens: u64,
}

/// How a request ended, for its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// Its reservation, which may be gone by now.
    pub ticket: Ticket,
    /// Who pays.
    pub payers: Payers,
    /// The minute it was admitted in.
    pub minute: Minute,
    /// What it cost.
    pub cost: Pico,
    /// Tokens in and out, where they are known.
    pub tokens: Option<(u64, u64)>,
    /// The number of its record: what others remember up to a number includes this cost or not.
    pub sequence: u64,
}

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It does not fit under a limit.
    #[error("{0}")]
    OverLimit(Box<OverLimit>),
    /// What the account has used is not known just now.
    #[error("what {0} has used cannot be verified just now")]
    CannotVerify(AccountId),
}

/// A limit, and what stands against it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{account} has used {used} and reserved {reserved} of its {kind} limit of {limit}; {asked} more is asked for"
)]
pub struct OverLimit {
    /// Whose limit.
    pub account: AccountId,
    /// Which limit.
    pub kind: LimitKind,
    /// How high it is.
    pub limit: Quantity,
    /// What is used for good.
    pub used: Quantity,
    /// What is held by requests under way.
    pub reserved: Quantity,
    /// What this request would have to hold.
    pub asked: Quantity,
    /// When the window begins anew, or will have enough room, where a calendar tells.
    pub resets_at: Option<DateTime<Utc>>,
    /// How long until such a request may fit; none when waiting alone never helps.
    pub retry_after: Option<Duration>,
}

/// An amount of whatever a limit bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Quantity {
    /// Dollars.
    Usd(Pico),
    /// Requests, tokens or conversations.
    Count(u64),
}

/// A limit that is higher for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// How high, if that is higher than the limit itself.
    pub to: Pico,
    /// Until when.
    pub until: DateTime<Utc>,
}

impl Payers {
    /// Their accounts. The last one's past answers tell how long the next may be.
    pub fn accounts(self) -> impl DoubleEndedIterator<Item = AccountId> {
        let accounts = match self {
            Self::Caller(user, key) => [Some(AccountId::User(user)), Some(AccountId::Key(key))],
            Self::Provider(provider) => [Some(AccountId::Provider(provider)), None],
        };
        accounts.into_iter().flatten()
    }
}

impl Estimate {
    /// How much output to reserve for, where `likely` is what past answers suggest.
    pub(super) fn output(&self, limits: &Limits, likely: u64) -> u64 {
        let most = self.max_output.unwrap_or(u64::MAX).min(self.worst_output);
        if limits.strict() { self.worst_output } else { likely.min(most) }
    }

    /// What to reserve for the input.
    pub(super) fn input(&self, limits: &Limits) -> Pico {
        if limits.strict() { self.worst_input } else { self.input }.or_nothing()
    }

    /// What so much output costs.
    pub(super) fn output_cost(&self, tokens: u64) -> Pico {
        self.per_output_token.or_nothing().times(tokens)
    }
}

impl From<OverLimit> for Denied {
    fn from(over: OverLimit) -> Self {
        Self::OverLimit(Box::new(over))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usd(amount) => write!(f, "${amount}"),
            Self::Count(count) => count.fmt(f),
        }
    }
}
