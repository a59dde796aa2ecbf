//! The metrics: what is counted as requests go by, and what is so at the moment of looking, for Prometheus.
//!
//! [`names`] is every metric on one page. [`meters`] count on the way of a request and take no lock; what actors,
//! journal and database know of themselves they are asked at a scrape, once, for the [`picture`]. Scrapes come
//! one after another, and their text is written on a thread that serves nobody.

mod few;
mod gen_ai;
pub mod listener;
mod make;
pub mod meters;
pub mod names;
mod picture;
mod totals;

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::{self, Data},
};
use prometheus::{Encoder, TEXT_FORMAT, TextEncoder, process_collector::ProcessCollector};

use self::{meters::Meters, picture::Found, totals::Totals};
use crate::{logging, ops::Ops, resealing::Resealer, traces::Tracer};

/// Where they are asked for, on the main port and on one of their own.
pub const PATH: &str = "/metrics";

/// What a scrape needs; shared by all workers as `web::Data<Metrics>`.
pub struct Metrics {
    meters: Arc<Meters>,
    ops: Data<Ops>,
    tracer: Tracer,
    resealer: Arc<Resealer>,
    totals: Arc<Mutex<Totals>>,
    /// Two at once would ask everybody twice for the same.
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Metrics {
    /// Shows what `meters` count, `ops` sees, becomes of traces and is sealed with which key.
    #[must_use]
    pub fn new(meters: Arc<Meters>, ops: Data<Ops>, tracer: Tracer, resealer: Arc<Resealer>) -> Self {
        let process = meters.registry().register(Box::new(ProcessCollector::for_self()));
        process.expect("nobody else tells of the process");
        Self {
            meters,
            ops,
            tracer,
            resealer,
            totals: Arc::default(),
            one_at_a_time: tokio::sync::Mutex::new(()),
        }
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When the text can't be written, which would be a fault of ours.
    async fn scrape(&self) -> Result<Vec<u8>, String> {
        let _turn = self.one_at_a_time.lock().await;
        let found =
            Found { traces: self.tracer.counts(), seals: self.resealer.last(), ..self.ops.found().await };
        let (registry, totals) = (self.meters.registry().clone(), Arc::clone(&self.totals));
        let written = web::block(move || {
            let mut families = registry.gather();
            let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
            families.extend(picture::paint(&found, &mut totals));
            families.sort_by(|a, b| a.name().cmp(b.name()));
            let mut text = Vec::with_capacity(64 * 1024);
            TextEncoder::new().encode(&families, &mut text).map(|()| text).map_err(|error| error.to_string())
        });
        written.await.map_err(|error| error.to_string())?
    }
}

impl Ops {
    async fn found(&self) -> Found {
        let look = self.look().await;
        Found {
            look,
            draining: self.is_draining(),
            store_kind: self.store_kind(),
            pools: self.pools(),
            unpriced: self.unpriced(),
            panics: logging::panics(),
            traces: None,
            seals: None,
        }
    }
}

/// `GET /metrics`: all metrics.
pub async fn show(metrics: Data<Metrics>) -> HttpResponse {
    match metrics.scrape().await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, TEXT_FORMAT))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            log::error!("metrics: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}
