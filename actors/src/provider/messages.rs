//! What one can say to a provider actor.

use std::{sync::Arc, time::Duration};

use actix::Message;

use super::{breaker::Pass, card::Card, outcome::Outcome};
use crate::{
    board::Shut,
    ids::RequestId,
    ledger::{claim::Estimate, quantile::ModelMark, reservation::Reservation},
    permits::Permit,
};

/// May one more request go to you now?
#[derive(Debug, Clone, Copy)]
pub struct Admit {
    /// The request.
    pub request: RequestId,
    /// The model it asks for.
    pub model: ModelMark,
    /// What it is expected to use.
    pub estimate: Estimate,
}

impl Message for Admit {
    /// With what the request holds of its budget.
    type Result = Result<(Admitted, Reservation), Shut>;
}

/// A provider's yes.
#[derive(Debug)]
pub struct Admitted {
    /// Its card as of this moment.
    pub card: Arc<Card>,
    /// One unit of its concurrency.
    pub permit: Permit,
    /// Its breaker's leave.
    pub pass: Pass,
}

/// A probe's first meaningful frame is here: its place is free, and it counts as good.
#[derive(Debug)]
pub struct ProbeAnswered {
    /// The probe's pass.
    pub pass: Pass,
}

impl Message for ProbeAnswered {
    type Result = ();
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Report {
    /// The pass it went out with.
    pub pass: Pass,
    /// How it ended.
    pub outcome: Outcome,
    /// Time to the first meaningful frame, if one came.
    pub first_byte: Option<Duration>,
    /// How long the vendor asked to be left alone, where it did.
    pub cool_down: Option<Duration>,
    /// Tells marked conversations apart.
    pub conversation: Option<u64>,
}

impl Message for Report {
    type Result = ();
}

/// The operator changed your card.
#[derive(Debug)]
pub struct Reconfigure(pub Arc<Card>);

impl Message for Reconfigure {
    type Result = ();
}

/// The operator sets your breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBreaker {
    /// Close it, and forget cool-down and credential rejections too.
    Closed,
    /// Open it for its base open time.
    Open,
}

impl Message for SetBreaker {
    type Result = ();
}
