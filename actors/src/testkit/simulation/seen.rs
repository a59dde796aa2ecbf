//! What a provider's actor says of itself, read back from its own public picture.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    ids::ProviderId,
    supervisor::{Snapshot, roster::Condition},
};

/// One provider at a moment when nobody had work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Seen {
    pub(super) provider_id: ProviderId,
    enabled: bool,
    pub(super) in_flight: u32,
    pub(super) concurrency: Option<u32>,
    pub(super) breaker: Standing,
    cooling_down_until: Option<DateTime<Utc>>,
    credential: Credential,
}

/// A breaker's state, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Standing {
    Closed { failures_in_a_row: u32 },
    Open { until: DateTime<Utc> },
    HalfOpen { probe_until: Option<DateTime<Utc>> },
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Credential {
    rejections_in_a_row: u32,
    disabled_until: Option<DateTime<Utc>>,
}

impl Seen {
    /// None when the actor did not answer.
    pub(super) fn read(snapshot: &Snapshot) -> Option<Self> {
        serde_json::from_value(snapshot.detail.clone()?).ok()
    }

    /// Whether one more request may be expected to be welcome there.
    pub(super) fn is_well(&self) -> bool {
        self.enabled
            && matches!(self.breaker, Standing::Closed { .. })
            && self.cooling_down_until.is_none()
            && self.credential.disabled_until.is_none()
    }

    /// Whether it failed lately and has not answered since.
    pub(super) fn is_ailing(&self) -> bool {
        self.breaker != Standing::Closed { failures_in_a_row: 0 } || self.credential.rejections_in_a_row > 0
    }
}

/// Whether that actor rests after too many panics.
pub(super) fn rests(snapshot: &Snapshot) -> bool {
    snapshot.state == Condition::Quarantined
}
