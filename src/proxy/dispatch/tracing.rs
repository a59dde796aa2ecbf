//! A request's trace, where it has one: the marks it gets on its way, and its end.

use actix_web::http::header::HeaderMap;
use protocol::Operation;

use super::Dispatch;
use crate::{journal::record::Record, traces::Trace};

impl Dispatch {
    /// What its path asks for.
    pub(in crate::proxy) fn asks_for(&mut self, operation: Operation) {
        if let Some(trace) = &mut self.trace {
            trace.asks_for(operation);
        }
    }

    /// It is read, and its caller known.
    pub(super) fn was_understood(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.understood(self.proxy.clock().now().duration_since(self.arrived));
        }
    }

    /// Tells an upstream the trace of the attempt under way, where the operator wants that.
    pub(in crate::proxy) fn tell_trace(&self, headers: &mut HeaderMap) {
        if let Some(trace) = &self.trace {
            self.proxy.tracer.tell(trace, headers);
        }
    }

    /// The trace with a copy of the record, for spans to be made of: all but its documents.
    pub(super) fn traced(&mut self) -> Option<(Trace, Record)> {
        let trace = self.trace.take().filter(|trace| trace.is_sampled())?;
        let (price, decisions) = (self.record.price.take(), self.record.decisions.take());
        let record = self.record.clone();
        (self.record.price, self.record.decisions) = (price, decisions);
        Some((*trace, record))
    }
}
