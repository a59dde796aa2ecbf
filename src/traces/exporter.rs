//! The exporter: sends finished traces to the collector, in batches, on a task of its own.
//!
//! ```text
//! queue --a batch, or the oldest has waited--> post --2xx--> next
//!                                   ^   '--429, 502, 503, 504, no answer--> pause, twice as long each time
//!                                   '----------------------------------------'   five times, then given up
//! ```

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};
use url::Url;

use super::{Counts, Finished, spans::Spans};
use crate::{
    config::traces::TraceSettings,
    upstream::{self, deliver::Deliver},
};

/// The most requests in one delivery.
const BATCH: usize = 128;
/// How often a delivery is tried.
const TRIES: u32 = 5;
/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, whatever the collector wishes.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends finished traces. To be run on a thread that has a local set, and to its end.
pub struct Exporter {
    settings: TraceSettings,
    url: Url,
    upstream: upstream::Settings,
    queue: mpsc::Receiver<Finished>,
    flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    /// Who waits for everything to be sent.
    waiting: Vec<oneshot::Sender<()>>,
    counts: Arc<Counts>,
    /// Whether the last delivery came to nothing.
    failing: bool,
}

/// Why a delivery came to nothing.
enum Trouble {
    /// It may work later, after so long if the collector said so.
    ForNow(String, Option<Duration>),
    /// It will not.
    ForGood(String),
}

impl Exporter {
    pub(super) fn new(
        settings: TraceSettings,
        url: Url,
        upstream: upstream::Settings,
        queue: mpsc::Receiver<Finished>,
        flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
        counts: Arc<Counts>,
    ) -> Self {
        let (waiting, failing) = (Vec::new(), false);
        Self { settings, url, upstream, queue, flushes, waiting, counts, failing }
    }

    /// Sends until nobody makes traces any more.
    pub async fn run(mut self) {
        let deliver = match self.deliver() {
            Ok(deliver) => deliver,
            Err(why) => return log::error!("traces: nothing can be sent: {why}"),
        };
        let spans = Spans::new(&self.settings);
        let mut batch: Vec<Finished> = Vec::with_capacity(BATCH);
        let mut due = Instant::now();
        loop {
            tokio::select! {
                biased;
                Some(done) = self.flushes.recv() => self.waiting.push(done),
                finished = self.queue.recv(), if batch.len() < BATCH => match finished {
                    Some(finished) => {
                        if batch.is_empty() {
                            due = Instant::now() + self.settings.delay;
                        }
                        batch.push(finished);
                        if batch.len() < BATCH {
                            continue;
                        }
                    }
                    None => return,
                },
                () = sleep_until(due), if !batch.is_empty() => {}
            }
            if self.waiting.is_empty() {
                self.send(&deliver, &spans, &mut batch).await;
            }
            if !self.waiting.is_empty() {
                self.send_all(&deliver, &spans, &mut batch).await;
            }
        }
    }

    fn deliver(&self) -> Result<Deliver, String> {
        let mut headers = HeaderMap::new();
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("pointsman/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        for (name, value) in &self.settings.headers {
            let name: HeaderName = name.parse().map_err(|_| "a header's name can't be sent".to_owned())?;
            let value = HeaderValue::from_str(value.reveal());
            headers.insert(name, value.map_err(|_| "a header's value can't be sent".to_owned())?);
        }
        Deliver::new(&self.upstream, &self.url, headers, self.settings.timeout).map_err(|why| why.to_string())
    }

    /// Sends what is there and all that waits, each once: there is no time for more.
    async fn send_all(&mut self, deliver: &Deliver, spans: &Spans, batch: &mut Vec<Finished>) {
        loop {
            while batch.len() < BATCH
                && let Ok(finished) = self.queue.try_recv()
            {
                batch.push(finished);
            }
            if batch.is_empty() {
                break;
            }
            self.send(deliver, spans, batch).await;
        }
        for done in self.waiting.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Sends a batch and empties it, whatever becomes of it.
    async fn send(&mut self, deliver: &Deliver, spans: &Spans, batch: &mut Vec<Finished>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        let body = bytes::Bytes::from(spans.request(batch.drain(..)).encode_to_vec());
        let mut pause = PAUSE;
        for left in (0..TRIES).rev() {
            match Self::post(deliver, body.clone()).await {
                Ok(()) => {
                    self.counts.exported.fetch_add(count, Relaxed);
                    if std::mem::take(&mut self.failing) {
                        let lost = self.counts.dropped.load(Relaxed) + self.counts.failed.load(Relaxed);
                        log::info!(
                            "traces: the collector takes them again; {lost} were lost since the start"
                        );
                    }
                    return;
                }
                Err(Trouble::ForNow(why, wish)) if left > 0 && self.waiting.is_empty() => {
                    self.fails(&why);
                    let pause_now = wish.unwrap_or_else(|| pause.mul_f64(rand::random_range(0.5..1.0)));
                    tokio::select! {
                        () = sleep(pause_now.min(LONGEST_PAUSE)) => {}
                        Some(done) = self.flushes.recv() => self.waiting.push(done),
                    }
                    pause *= 2;
                }
                Err(Trouble::ForNow(why, _) | Trouble::ForGood(why)) => {
                    self.fails(&why);
                    self.counts.failed.fetch_add(count, Relaxed);
                    return;
                }
            }
        }
    }

    /// Says so once, not each time.
    fn fails(&mut self, why: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            log::warn!("traces: the collector does not take them: {why}");
        }
    }

    async fn post(deliver: &Deliver, body: bytes::Bytes) -> Result<(), Trouble> {
        let answered = deliver.post(body).await;
        let answered = answered.map_err(|fault| Trouble::ForNow(fault.to_string(), None))?;
        match answered.status {
            200..300 => {
                let told = ExportTraceServiceResponse::decode(answered.body).ok();
                if let Some(partial) = told.and_then(|told| told.partial_success)
                    && partial.rejected_spans > 0
                {
                    log::warn!("traces: the collector refused {} spans", partial.rejected_spans);
                }
                Ok(())
            }
            status @ (429 | 502 | 503 | 504) => {
                let wish =
                    answered.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Err(Trouble::ForNow(format!("it answered {status}"), wish.map(Duration::from_secs)))
            }
            status => Err(Trouble::ForGood(format!("it answered {status}"))),
        }
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}
