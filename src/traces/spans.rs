//! Spans out of records: what a request and its attempts went through, in OpenTelemetry's words.
//!
//! ```text
//! POST /v1/messages            server
//! |- read                      head, body, caller
//! |- admission                 room under the limits, a provider; one before each attempt
//! |- chat model                client: one attempt
//! |  |- wait for head
//! |  |- wait for first frame
//! |  '- stream
//! |- admission
//! |- chat model
//! '- record
//! ```

mod attributes;

use std::time::Duration;

use actors::provider::outcome::Outcome;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use protocol::{Format, Operation};

use self::attributes::{Attributes, text};
use super::{Finished, Trace, context::SpanId};
use crate::{
    config::traces::TraceSettings,
    journal::record::{AttemptRecord, Ending, Record},
};

/// Says in a span's flags that it is known whether its parent is elsewhere, and that it is.
const KNOWS_PARENT: u32 = 0x100;
const PARENT_ELSEWHERE: u32 = 0x200;
/// The most of an error's text that goes along.
const LONGEST_ERROR: usize = 256;

/// Makes what is sent.
#[derive(Debug)]
pub(super) struct Spans {
    resource: Resource,
    identities: bool,
}

impl Spans {
    /// Spans of this process.
    pub(super) fn new(settings: &TraceSettings) -> Self {
        let mut about = Attributes::default();
        for (name, value) in settings.resource.iter().filter(|(name, _)| name != "service.name") {
            about.text(name, value);
        }
        // A name that was given as such goes before one among the attributes, unless it is only the default.
        let among = settings.resource.iter().find(|(name, _)| name == "service.name");
        let named = among.filter(|_| settings.service_name == env!("CARGO_PKG_NAME"));
        about.text("service.name", named.map_or(&settings.service_name, |(_, value)| value));
        about.text("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource { attributes: about.into(), ..Resource::default() };
        Self { resource, identities: settings.identities }
    }

    /// One delivery.
    pub(super) fn request(&self, batch: impl Iterator<Item = Finished>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = batch.flat_map(|finished| self.spans(&finished)).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }

    fn spans(&self, finished: &Finished) -> Vec<Span> {
        let Finished { trace, record, recorded } = finished;
        let recorded = (*recorded).max(record.duration);
        let within = Within { trace, record };
        let mut spans = vec![self.whole(&within, recorded)];
        // Refused on the way in, it was read as far as that took.
        let read = trace.understood.unwrap_or(record.duration).min(record.duration);
        spans.push(within.stage("read", trace.span, Duration::ZERO, read));
        let mut free_since = read;
        for (number, attempt) in record.attempts.iter().enumerate() {
            spans.push(within.stage("admission", trace.span, free_since, attempt.started));
            let span = trace.attempts.get(number).copied().unwrap_or_else(SpanId::draw);
            spans.push(within.attempt(span, attempt));
            spans.extend(within.within_attempt(span, attempt));
            free_since = attempt.started + attempt.total;
        }
        let nobody_left = record.attempts.last().is_none_or(|last| last.outcome.may_try_another());
        if trace.understood.is_some() && nobody_left && record.ending != Ending::Complete {
            spans.push(within.stage("admission", trace.span, free_since, record.duration));
        }
        spans.push(within.stage("record", trace.span, record.duration, recorded));
        spans
    }

    fn whole(&self, within: &Within<'_>, recorded: Duration) -> Span {
        let Within { trace, record } = within;
        let method = trace.method.as_str();
        let route = trace.operation.and_then(|operation| route(record.format?, operation));
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut span = within.span(trace.span, trace.context.parent, &name, Duration::ZERO, recorded);
        span.kind = SpanKind::Server.into();
        if trace.context.parent.is_some() {
            span.flags |= PARENT_ELSEWHERE;
        }
        let failed = record.status >= 500
            || matches!(record.ending, Ending::Cut | Ending::Failed | Ending::TimedOut | Ending::Draining);
        span.status = failed.then(|| error(record.failure.as_ref().map_or("", |failure| &failure.message)));
        span.attributes = attributes::of_request(trace, record, route, self.identities);
        span
    }
}

/// One request's trace and record.
pub(super) struct Within<'r> {
    trace: &'r Trace,
    record: &'r Record,
}

impl Within<'_> {
    fn span(&self, id: SpanId, parent: Option<SpanId>, name: &str, from: Duration, to: Duration) -> Span {
        let context = &self.trace.context;
        Span {
            trace_id: context.trace.bytes(),
            span_id: id.bytes(),
            parent_span_id: parent.map(SpanId::bytes).unwrap_or_default(),
            trace_state: context.state.clone(),
            flags: context.flags() | KNOWS_PARENT,
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: self.at(from),
            end_time_unix_nano: self.at(to.max(from)),
            ..Span::default()
        }
    }

    fn at(&self, offset: Duration) -> u64 {
        let start = self.record.started_at.timestamp_nanos_opt().unwrap_or_default();
        let offset = u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX);
        u64::try_from(start).unwrap_or_default().saturating_add(offset)
    }

    fn stage(&self, name: &str, parent: SpanId, from: Duration, to: Duration) -> Span {
        self.span(SpanId::draw(), Some(parent), name, from, to)
    }

    fn attempt(&self, id: SpanId, attempt: &AttemptRecord) -> Span {
        let Self { trace, record } = self;
        let is_last = record.attempts.last().is_some_and(|last| last.started == attempt.started);
        let model = record.upstream_model.as_deref().filter(|_| is_last).or(record.model.as_deref());
        let operation = attributes::operation(record.operation);
        let name = model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"));
        let end = attempt.started + attempt.total;
        let mut span = self.span(id, Some(trace.span), &name, attempt.started, end);
        span.kind = SpanKind::Client.into();
        span.status = (attempt.outcome != Outcome::Answered && attempt.outcome != Outcome::CallerLeft)
            .then(|| error(attempt.error.as_deref().unwrap_or_default()));
        span.attributes = attributes::of_attempt(record, attempt, model);
        span
    }

    fn within_attempt(&self, parent: SpanId, attempt: &AttemptRecord) -> Vec<Span> {
        let start = attempt.started;
        let end = start + attempt.total;
        let head = attempt.head.map_or(end, |head| start + head).min(end);
        let first = attempt.first_frame.map_or(end, |first| start + first).clamp(head, end);
        let mut stages = vec![self.stage("wait for head", parent, start, head)];
        if attempt.head.is_some() {
            stages.push(self.stage("wait for first frame", parent, head, first));
        }
        if attempt.first_frame.is_some() {
            stages.push(self.stage("stream", parent, first, end));
        }
        stages
    }
}

fn error(message: &str) -> Status {
    Status { message: text(message, LONGEST_ERROR), code: StatusCode::Error.into() }
}

/// What a request's path means, with no name of anyone's in it.
const fn route(format: Format, operation: Operation) -> Option<&'static str> {
    Some(match (format, operation) {
        (Format::Anthropic, Operation::Generate) => "/v1/messages",
        (Format::Anthropic, Operation::CountTokens) => "/v1/messages/count_tokens",
        (Format::OpenaiChat, Operation::Generate) => "/v1/chat/completions",
        (Format::OpenaiChat, Operation::Embed) => "/v1/embeddings",
        (Format::OpenaiResponses, Operation::Generate) => "/v1/responses",
        (Format::OpenaiResponses, Operation::Compact) => "/v1/responses/compact",
        (Format::OpenaiResponses, Operation::CountTokens) => "/v1/responses/input_tokens",
        (Format::Gemini, Operation::Generate) => "/v1beta/models/{model}:generateContent",
        (Format::Gemini, Operation::CountTokens) => "/v1beta/models/{model}:countTokens",
        (Format::Gemini, Operation::Embed) => "/v1beta/models/{model}:embedContent",
        _ => return None,
    })
}
