//! How a request ends: its row, what it cost, and everything given back, whichever way it went.

use std::time::Duration;

use actix_web::HttpResponse;
use actors::{
    dispatcher::grant::Closing, money::Pico, pricing::Consumed, provider::outcome::Outcome,
    session::id::SessionId,
};
use protocol::{Format, Operation, Reading};

use super::{Dispatch, Setback, answer_id};
use crate::{
    current::billing::{Charge, Footing},
    journal::record::{Document, Ending, Failure, Metering, Record, Settlement},
    logging,
    proxy::{
        bill::{self, Bill},
        refusal::Refused,
    },
};

/// The status in the row of a request that got none.
const NOBODY_SAW_ONE: u16 = 499;

/// How an answer that began has ended.
#[derive(Debug, Clone)]
pub(in crate::proxy) struct End {
    /// For the provider.
    pub(in crate::proxy) outcome: Outcome,
    /// For the row.
    pub(in crate::proxy) ending: Ending,
    /// How long the vendor asked to be left alone.
    pub(in crate::proxy) cool_down: Option<Duration>,
    /// What went wrong, if anything did.
    pub(in crate::proxy) error: Option<String>,
}

impl Dispatch {
    /// The answer has ended, after so many bytes.
    pub(in crate::proxy) fn answered(&mut self, status: u16, end: End, reading: &Reading, bytes_down: u64) {
        let answer = self.answer_id(reading);
        let closing = Closing { cool_down: end.cool_down, answer };
        let failed = end.error.is_some();
        self.close_attempt(end.outcome, closing, end.error);
        self.record.status = status;
        self.record.bytes_down = bytes_down;
        self.settle(reading, false);
        if failed {
            self.went_wrong_in_attempt(end.outcome);
        }
        self.finish(end.ending);
    }

    /// The upstream's own error is passed on as the answer.
    pub(in crate::proxy) fn passed_on(&mut self, status: u16, setback: &Setback, bytes_down: u64) {
        self.record.status = status;
        self.record.bytes_down = bytes_down;
        self.went_wrong_in_attempt(setback.outcome);
        self.finish(Ending::Failed);
    }

    /// The request is refused by us.
    pub(in crate::proxy) fn refuse(mut self, refused: &Refused) -> HttpResponse {
        let response = refused.response(self.format, self.record.id);
        self.record.status = response.status().as_u16();
        if self.record.attempts.is_empty() {
            self.proxy.meters.refused(refused.kind());
        }
        if let Some((account, limit)) = refused.limit() {
            self.proxy.meters.over_limit(account, limit);
        }
        self.went_wrong(refused.kind(), refused.to_string());
        self.finish(match refused {
            Refused::Failed(outcome) if outcome.is_timeout() => Ending::TimedOut,
            _ if self.record.attempts.is_empty() => Ending::Refused,
            _ => Ending::Failed,
        });
        response
    }

    /// The time to finish is over, and nothing went to the caller yet. Being dropped does the rest.
    pub(in crate::proxy) fn drained(mut self) -> HttpResponse {
        let response = Refused::Draining.response(self.format, self.record.id);
        self.record.status = response.status().as_u16();
        response
    }

    /// The answer has used all that was left, and is broken off.
    pub(in crate::proxy) fn used_up(&mut self, status: u16, reading: &Reading, bytes_down: u64) {
        self.record.status = status;
        self.record.bytes_down = bytes_down;
        self.settle(reading, false);
        self.close_attempt(Outcome::Abandoned, Closing::default(), None);
        self.went_wrong("limit_used_up", "the answer used up what was left of a limit".to_owned());
        self.finish(Ending::Cut);
    }

    /// Notes what the answer consumed, and what that costs at the price of the moment.
    fn settle(&mut self, reading: &Reading, caller_left: bool) {
        if self.record.operation == Some(Operation::CountTokens) {
            return;
        }
        let metering = bill::metering(reading, self.record.bytes_up);
        self.record.settle(metering, None, caller_left);
        if metering == Metering::None {
            return;
        }
        let Some(charge) = self.charge(&Consumed::read(metering.usage(), reading)) else { return };
        self.record.settle(metering, charge.cost.map(|cost| cost.to_pico()), caller_left);
        self.record.price = charge.formula;
    }

    /// What became of the money of an attempt that came to nothing. The request's user is charged for answers
    /// alone; but a provider that was cut off, or waited for in vain, may have worked and will be paid (I-23).
    pub(super) fn lost(&self, setback: &Setback) -> Option<(Settlement, Option<Pico>)> {
        let unknown = setback.sent && setback.outcome.leaves_cost_unknown();
        if !unknown || self.record.operation == Some(Operation::CountTokens) {
            return None;
        }
        let usage = bill::lost(setback.reading.as_deref(), self.record.bytes_up);
        let cost = self.charge(&Consumed::tokens(usage))?.cost.map(|cost| cost.to_pico());
        Some((Settlement::of(Metering::Estimated(usage), cost.is_some(), false), cost))
    }

    /// What the attempt under way, or the last one, is charged for that.
    fn charge(&self, consumed: &Consumed) -> Option<Charge> {
        let charge = self.bill.as_ref()?.charge(consumed);
        if charge.footing == Footing::Unpriced {
            let model = self.record.upstream_model.as_deref().or(self.record.model.as_deref());
            self.proxy.current.unpriced().note(model.unwrap_or_default());
        }
        Some(charge)
    }

    fn answer_id(&self, reading: &Reading) -> Option<SessionId> {
        let journey = self.journey.as_ref()?;
        let id = reading.response_id.as_deref()?;
        // Only the Responses API lets a later request name an earlier answer.
        (self.format == Format::OpenaiResponses).then(|| answer_id(journey.ask().key, self.format, id))
    }

    /// The last attempt's failure is the request's.
    fn went_wrong_in_attempt(&mut self, outcome: Outcome) {
        let error = self.record.attempts.last().and_then(|row| row.error.clone());
        self.went_wrong(outcome.name(), error.unwrap_or_default());
    }

    fn went_wrong(&mut self, kind: &'static str, message: String) {
        self.record.failure = Some(Failure { kind: kind.into(), message });
    }

    fn finish(&mut self, ending: Ending) {
        self.record.ending = ending;
        self.over = true;
    }

    fn abandoned(&mut self) {
        let (outcome, ending, kind) = if std::thread::panicking() {
            (Outcome::Abandoned, Ending::Failed, "internal")
        } else if self.proxy.drain.is_over() {
            (Outcome::Drained, Ending::Draining, "draining")
        } else {
            (Outcome::CallerLeft, Ending::CallerLeft, "caller_left")
        };
        let under_way = self.attempt.is_some();
        self.close_attempt(outcome, Closing::default(), None);
        let is_charged = self.record.operation != Some(Operation::CountTokens);
        if under_way && is_charged && self.record.metering == Metering::None {
            // It was about to be sent, or was: nobody knows what the provider makes of it.
            self.record.settlement = Settlement::Disputed;
        }
        if self.record.status == 0 {
            self.record.status = NOBODY_SAW_ONE;
        }
        self.went_wrong(kind, ending.name().to_owned());
        self.finish(ending);
    }

    /// The caller left, or we must go, in the middle of an answer.
    pub(in crate::proxy) fn broke_off(&mut self, status: u16, reading: &Reading, bytes_down: u64) {
        self.record.status = status;
        self.record.bytes_down = bytes_down;
        self.settle(reading, !self.proxy.drain.is_over());
        self.abandoned();
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        // Whoever drops it may be none of its tasks.
        logging::request::during(self.record.id, || self.leave());
    }
}

impl Dispatch {
    /// Gives back what is left, and writes the record down.
    fn leave(&mut self) {
        if !self.over {
            self.abandoned();
        }
        let now = self.proxy.clock().now();
        self.record.duration = now.duration_since(self.arrived);
        let mut journey = self.journey.take();
        if let Some(journey) = &journey {
            self.record.decisions = Document::of(&journey.decisions()).ok();
        }
        let (cost, tokens) = (self.record.cost.unwrap_or_default(), tokens(self.record.metering));
        let traced = self.traced();
        let empty = Record::new(self.record.id, self.record.started_at);
        let record = std::mem::replace(&mut self.record, empty);
        let sequence = self.proxy.record(record, self.bill.as_ref().and_then(Bill::model));
        if let Some(journey) = &mut journey {
            journey.settle(cost, Some(tokens), sequence);
        }
        if let Some((trace, record)) = traced {
            let recorded = self.proxy.clock().now().duration_since(self.arrived);
            self.proxy.tracer.finish(trace, record, recorded);
        }
    }
}

/// Tokens in and out.
fn tokens(metering: Metering) -> (u64, u64) {
    let usage = metering.usage();
    let cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
    (usage.input_tokens + cached, usage.output_tokens)
}
