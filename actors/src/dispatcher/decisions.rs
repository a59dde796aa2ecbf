//! The decision chain: who was in the running for a request, who was chosen, and why the others were not.
//!
//! These are documents: they are stored with the request's row and shown as they are.

use serde::{Deserialize, Serialize};

use crate::{board::Why, ids::ProviderId, provider::outcome::Outcome};

/// One choice: the first, or one after a failover.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// Which attempt it was made for, from one.
    pub attempt: u32,
    /// The provider this session was bound to beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<ProviderId>,
    /// Whom it fell on, if on anyone.
    pub chosen: Option<ProviderId>,
    /// Everyone who was looked at, in the order in which they would have been asked.
    pub candidates: Vec<Candidate>,
    /// What became of the attempt; none while it runs, or when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A provider in one choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its row.
    pub provider_id: ProviderId,
    /// Its name.
    pub provider: String,
    /// Its priority at that moment.
    pub priority: i32,
    /// Its weight at that moment.
    pub weight: u32,
    /// What was decided about it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What was decided about one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// The request went there.
    Chosen {
        /// Why it stood before the others.
        reason: Merit,
    },
    /// Fit, but another stood before it.
    InReserve,
    /// Not fit for this request, or not now.
    Skipped {
        /// Why not.
        reason: Skip,
        /// When it is worth asking again, in milliseconds, where time mends it.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
}

/// Why a candidate stood before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merit {
    /// The conversation is bound to it.
    Bound,
    /// It made the answer this request continues.
    Pinned,
    /// The weighted draw within the best priority.
    Drawn,
}

/// Why a candidate was not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The operator turned it off.
    Disabled,
    /// It does not speak the request's wire format.
    FormatNotServed,
    /// It may not be asked for this model.
    ModelNotAllowed,
    /// The caller is in none of its groups.
    GroupNotAllowed,
    /// It does not serve the program that is used.
    ClientNotAllowed,
    /// It is closed at this hour.
    OutsideSchedule,
    /// It has failed this very request already.
    AlreadyTried,
    /// What the request continues lives at another provider.
    LivesElsewhere,
    /// Its breaker is open.
    BreakerOpen,
    /// Its breaker is half-open and the one probe is out.
    ProbeOut,
    /// Its vendor asked to be left alone for a while.
    CoolingDown,
    /// Its credential was rejected too often.
    CredentialDisabled,
    /// Its concurrency limit is reached.
    Full,
    /// What it may cost over some span would be passed.
    BudgetSpent,
    /// What it has cost is not known just now.
    BudgetUnknown,
    /// Its actor rests after panics, or lost the question.
    ActorDown,
}

impl From<Why> for Skip {
    fn from(why: Why) -> Self {
        match why {
            Why::BreakerOpen => Self::BreakerOpen,
            Why::ProbeOut => Self::ProbeOut,
            Why::CoolingDown => Self::CoolingDown,
            Why::CredentialDisabled => Self::CredentialDisabled,
            Why::Full => Self::Full,
            Why::BudgetSpent => Self::BudgetSpent,
            Why::BudgetUnknown => Self::BudgetUnknown,
            Why::ActorDown => Self::ActorDown,
        }
    }
}

impl Skip {
    /// Whether the provider would serve such a request at another time.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        match self {
            Self::Disabled
            | Self::FormatNotServed
            | Self::ModelNotAllowed
            | Self::GroupNotAllowed
            | Self::ClientNotAllowed
            | Self::LivesElsewhere => false,
            Self::AlreadyTried
            | Self::OutsideSchedule
            | Self::BreakerOpen
            | Self::ProbeOut
            | Self::CoolingDown
            | Self::CredentialDisabled
            | Self::Full
            | Self::BudgetSpent
            | Self::BudgetUnknown
            | Self::ActorDown => true,
        }
    }
}
