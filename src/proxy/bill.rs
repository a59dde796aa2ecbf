//! What a request costs: an estimate before it is sent, a running sum while it is answered, a charge at its end.
//!
//! All of it by the prices there were when the request arrived. One that changes or goes away in between is for
//! later requests (I-52, I-07).

use std::{sync::Arc, time::Duration};

use actors::{
    ledger::claim::{Estimate, Running},
    money::{Money, Pico},
    pricing::{Consumed, bounds::Size},
    provider::card::Card,
};
use chrono::{DateTime, Utc};
use protocol::{Call, Operation, Reading, Usage};

use super::refusal::Refused;
use crate::{
    current::{
        Version,
        billing::Charge,
        prices::{Asked, Listed, PriceList},
    },
    journal::record::Metering,
};

/// Bytes of text that are taken for one token where nobody counted.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// An answer's progress is told with its first word, and then at the latest after this many tokens or this
/// long: a crash loses no more of it (I-39).
const TELL_EVERY_TOKENS: u64 = 2_000;
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The account of one attempt.
pub(super) struct Bill {
    listed: Option<Arc<Listed>>,
    multiplier: Money,
    told: Option<(std::time::Instant, u64)>,
}

/// How far an answer has come, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SoFar {
    /// For the journal.
    pub(super) usage: Usage,
    /// What it costs; none where there is no price.
    pub(super) cost: Option<Pico>,
    /// For the ledger.
    pub(super) running: Running,
}

impl Bill {
    /// The account of an attempt at `card`, at the price that these have for it now.
    pub(super) fn open(prices: &PriceList, card: &Card, asked: &str, sent: &str, now: DateTime<Utc>) -> Self {
        let of = Asked { provider: Some(card.id), asked: Some(asked), sent: Some(sent) };
        let listed = prices.quote(&of, now).map(Arc::clone);
        Self { listed, multiplier: card.cost_multiplier.clone(), told: None }
    }

    /// The price row.
    pub(super) fn price_id(&self) -> Option<i64> {
        self.listed.as_ref().map(|listed| listed.id())
    }

    /// The model whose price it is: one that operators or the program know of, whatever the caller wrote.
    pub(super) fn model(&self) -> Option<&str> {
        self.listed.as_ref().map(|listed| listed.model.as_str())
    }

    /// What all of it is charged.
    pub(super) fn charge(&self, consumed: &Consumed) -> Charge {
        self.listed.as_ref().map_or_else(Charge::unpriced, |listed| listed.charge(consumed, &self.multiplier))
    }

    /// How far an answer has come, if it is time to say so.
    pub(super) fn so_far(
        &mut self,
        reading: &Reading,
        bytes_up: u64,
        now: std::time::Instant,
    ) -> Option<SoFar> {
        let said = said(reading);
        let due = self.told.is_none_or(|(at, tokens)| {
            said >= tokens.saturating_add(TELL_EVERY_TOKENS) || now.duration_since(at) >= TELL_EVERY
        });
        if !due {
            return None;
        }
        self.told = Some((now, said));
        let input_known = reading.usage.is_some();
        let usage = Usage { output_tokens: said, ..reading.usage.unwrap_or_else(|| asked(bytes_up)) };
        let input = Usage { output_tokens: 0, reasoning_tokens: 0, ..usage };
        let cost_of = |usage| self.charge(&Consumed::tokens(usage)).cost.map(|cost| cost.to_pico());
        let running = Running { input: cost_of(input).filter(|_| input_known), output_tokens: said };
        Some(SoFar { usage, cost: cost_of(usage), running })
    }
}

/// What a request may use and cost, before it is known where it goes: at the dearest of the providers it may
/// go to.
///
/// # Errors
/// When it has no price and the operator wants such requests refused (I-07).
pub(super) fn estimate(version: &Version, call: &Call, now: DateTime<Utc>) -> Result<Estimate, Refused> {
    if call.operation == Operation::CountTokens {
        return Ok(Estimate::default());
    }
    let size = Size {
        body_bytes: call.body_bytes as u64,
        max_output_tokens: if call.operation == Operation::Embed { Some(0) } else { call.max_output_tokens },
        answers: call.answers,
    };
    let estimate = version.offers.estimate(call.format, &call.model, &size, now);
    estimate.map_err(|_| Refused::Unpriced(call.model.clone()))
}

/// What an answer consumed, as well as that is known (I-28): usage comes with a stream's last event, so one
/// that was cut tells little of what was said, or nothing.
pub(super) fn metering(reading: &Reading, bytes_up: u64) -> Metering {
    match reading.usage {
        Some(usage) if reading.usage_final && reading.ended => Metering::Exact(usage),
        None if reading.output_bytes == 0 => Metering::None,
        told => {
            let usage = told.unwrap_or_else(|| asked(bytes_up));
            Metering::Estimated(Usage { output_tokens: usage.output_tokens.max(said(reading)), ..usage })
        }
    }
}

/// What an attempt used that was sent and came to nothing: as much as it told, and at least what it was asked.
pub(super) fn lost(reading: Option<&Reading>, bytes_up: u64) -> Usage {
    match reading.map(|reading| metering(reading, bytes_up)) {
        None | Some(Metering::None) => asked(bytes_up),
        Some(told) => told.usage(),
    }
}

/// Usage of a request of which nothing is known but its length.
fn asked(bytes_up: u64) -> Usage {
    Usage { input_tokens: bytes_up / BYTES_PER_TOKEN, ..Usage::default() }
}

/// Tokens of output so far: as told, or as much as the text makes.
fn said(reading: &Reading) -> u64 {
    let told = reading.usage.map_or(0, |usage| usage.output_tokens);
    told.max(reading.output_bytes.div_ceil(BYTES_PER_TOKEN))
}
