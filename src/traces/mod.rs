//! OpenTelemetry traces: a span per request with children for its stages and attempts, sent to a collector.
//!
//! ```text
//! arrives -> Trace (ids, marks) -> ends: Trace + record -> bounded queue -> Exporter -> collector
//! ```
//!
//! Spans are made from the record once a request has ended, and off its path: while it runs it only carries
//! its ids. A queue that is full costs traces, never time.

mod context;
mod exporter;
mod spans;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use protocol::Operation;
use tokio::sync::{mpsc, oneshot};

use self::context::{Context, SpanId};
pub use self::exporter::Exporter;
use crate::{
    config::traces::{Sampler, TraceSettings},
    journal::record::Record,
    upstream,
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Makes traces, or nothing where nobody wants any. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer {
    held: Option<Arc<Held>>,
}

struct Held {
    sampler: Sampler,
    propagate: bool,
    queue: mpsc::Sender<Finished>,
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
    counts: Arc<Counts>,
}

/// What became of the traces of requests.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// What became of the traces of requests so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TraceCounts {
    /// Taken by the collector.
    pub exported: u64,
    /// Given up because too many waited.
    pub dropped: u64,
    /// Given up because the collector refused them, or was away for too long.
    pub failed: u64,
}

/// The trace of one request that runs.
#[derive(Debug)]
pub struct Trace {
    context: Context,
    span: SpanId,
    method: Method,
    operation: Option<Operation>,
    understood: Option<Duration>,
    /// The spans of its attempts, in their order.
    attempts: Vec<SpanId>,
}

/// The trace of one request that has ended.
#[derive(Debug)]
struct Finished {
    trace: Trace,
    record: Record,
    /// When its record was written, from its start.
    recorded: Duration,
}

impl Tracer {
    /// What makes traces as `settings` say, and what sends them; neither without an address.
    #[must_use]
    pub fn new(settings: &TraceSettings, upstream: &upstream::Settings) -> (Self, Option<Exporter>) {
        let Some(url) = settings.url.clone() else { return (Self::default(), None) };
        let (queue, queued) = mpsc::channel(settings.queue);
        let (flushes, flush) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let held = Held {
            sampler: settings.sampler,
            propagate: settings.propagate,
            queue,
            flushes,
            counts: Arc::clone(&counts),
        };
        let exporter = Exporter::new(settings.clone(), url, upstream.clone(), queued, flush, counts);
        (Self { held: Some(Arc::new(held)) }, Some(exporter))
    }

    /// A request is here.
    #[must_use]
    pub fn begin(&self, headers: &HeaderMap, method: &Method) -> Option<Box<Trace>> {
        let held = self.held.as_ref()?;
        let context = Context::of(headers, &held.sampler);
        (context.is_sampled() || held.propagate).then(|| {
            Box::new(Trace {
                context,
                span: SpanId::draw(),
                method: method.clone(),
                operation: None,
                understood: None,
                attempts: Vec::new(),
            })
        })
    }

    /// What the upstream of the attempt that was begun last is told.
    pub fn tell(&self, trace: &Trace, headers: &mut HeaderMap) {
        let Some(span) = trace.attempts.last() else { return };
        if !self.held.as_ref().is_some_and(|held| held.propagate) {
            return;
        }
        if let Ok(parent) = HeaderValue::try_from(trace.context.traceparent(*span)) {
            headers.insert(TRACEPARENT, parent);
        }
        if let Ok(state) = HeaderValue::from_str(&trace.context.state)
            && !state.is_empty()
        {
            headers.insert(TRACESTATE, state);
        }
    }

    /// The request has ended, and its record is written. Neither waits nor fails.
    pub fn finish(&self, trace: Trace, record: Record, recorded: Duration) {
        let Some(held) = &self.held else { return };
        if held.queue.try_send(Finished { trace, record, recorded }).is_err() {
            held.counts.dropped.fetch_add(1, Relaxed);
        }
    }

    /// What became of the traces so far; none when nothing is traced.
    #[must_use]
    pub fn counts(&self) -> Option<TraceCounts> {
        let counts = &self.held.as_ref()?.counts;
        Some(TraceCounts {
            exported: counts.exported.load(Relaxed),
            dropped: counts.dropped.load(Relaxed),
            failed: counts.failed.load(Relaxed),
        })
    }

    /// Waits until everything that has ended was sent, or can't be.
    pub async fn flush(&self) {
        let Some(held) = &self.held else { return };
        let (done, flushed) = oneshot::channel();
        if held.flushes.send(done).is_ok() {
            // An exporter that has ended has nothing left to send.
            let _ = flushed.await;
        }
    }
}

impl Trace {
    /// Whether it is recorded, or only passed on.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.context.is_sampled()
    }

    /// What its path asks for.
    pub fn asks_for(&mut self, operation: Operation) {
        self.operation = Some(operation);
    }

    /// It is read and its caller known, so long after its start.
    pub fn understood(&mut self, after: Duration) {
        self.understood = Some(after);
    }

    /// An attempt begins.
    pub fn attempt(&mut self) {
        self.attempts.push(SpanId::draw());
    }
}
