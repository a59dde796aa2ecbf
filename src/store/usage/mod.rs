//! Usage: what requests came to per hour and day, by one facet at a time, so that statistics do not read the log.
//!
//! Invariants
//! - The sums of a facet's subjects and hour are those of the rows whose `minute` lies in it, to the last digit;
//!   a row is added to them in the transaction that inserts it, and only if it was new (I-40).
//! - A day is the sum of its hours; the sums of each facet come to the same.
//! - Sums are written in the order of their keys, so that no two replicas wait for each other in a circle.

mod ask;
mod attempts;
mod names;
mod post;
mod rows;
mod tally;

pub use self::{
    ask::{UsageAsk, UsageLine, UsageOf},
    attempts::{AttemptLine, AttemptsAsk, Firsts},
    tally::Tally,
};
pub(super) use self::{
    post::{Posted, Tallies, tally_each, tally_many},
    rows::{FAILED, client_of},
};

/// By what usage is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    /// Who asked.
    User,
    /// With which api key.
    Key,
    /// Who answered.
    Provider,
    /// For which model.
    Model,
    /// With which program, as it calls itself.
    Client,
    /// In which wire format.
    WireFormat,
    /// What was asked for.
    Operation,
}

impl Facet {
    /// Every one of them.
    pub const ALL: &[Self] = &[
        Self::User,
        Self::Key,
        Self::Provider,
        Self::Model,
        Self::Client,
        Self::WireFormat,
        Self::Operation,
    ];

    /// The name used in rows and in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Client => "client",
            Self::WireFormat => "wire_format",
            Self::Operation => "operation",
        }
    }
}

impl std::str::FromStr for Facet {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|facet| facet.name() == name).ok_or(())
    }
}
