//! The data plane: what coding agents and SDKs talk to.
//!
//! `routes` knows every path, `caller` who is calling, `relay` the way to an upstream and back. No SQL runs
//! here: keys, providers and prices are read from [`Current`], rows are handed to the [`Recorder`].

mod attempt;
mod bill;
mod caller;
mod dispatch;
mod headers;
mod inbound;
mod models;
mod program;
mod refusal;
mod relay;
mod routes;
mod stream;

use std::{panic::AssertUnwindSafe, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload, ServiceConfig, resource, route},
};
use actors::{Gateway, clock::Clock, ids::RequestId};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use ipnet::IpNet;

pub(crate) use self::caller::NoCaller;
pub use self::routes::listing;
use self::{dispatch::Dispatch, refusal::Refused, routes::Found};
use crate::{
    current::Current,
    drain::Drain,
    events::Events,
    journal::{
        record::{Metering, Record},
        recorder::Recorder,
    },
    logging,
    metrics::meters::Meters,
    traces::Tracer,
};

/// What every proxied request needs, shared by all workers.
pub struct Proxy {
    /// The actors.
    pub gateway: Gateway,
    /// Keys, providers and prices.
    pub current: Arc<Current>,
    /// Where rows go.
    pub recorder: Recorder,
    /// What tells those who listen.
    pub events: Events,
    /// Makes traces, where somebody wants them.
    pub tracer: Tracer,
    /// Whether we are on our way out.
    pub drain: Drain,
    /// The largest request body that is taken in.
    pub max_body_bytes: usize,
    /// Peers whose word about the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What is counted.
    pub meters: Arc<Meters>,
}

/// Puts the paths that are asked all the time before everybody else's, where the router finds them first.
/// What they and all others mean is for [`serve`] to say.
pub fn configure(app: &mut ServiceConfig) {
    for path in routes::common() {
        app.service(resource(path).route(route().to(serve)));
    }
}

/// Handles whatever no other plane has claimed.
pub async fn serve(request: HttpRequest, payload: Payload, proxy: Data<Proxy>) -> HttpResponse {
    let id = RequestId::new();
    logging::request::within(id, handle(id, request, payload, proxy)).await
}

async fn handle(id: RequestId, request: HttpRequest, payload: Payload, proxy: Data<Proxy>) -> HttpResponse {
    match routes::find(request.method(), request.path(), request.query_string()) {
        Ok(Found::Call(entry)) => {
            let (format, handled) = (entry.format, relay::run(proxy, request, payload, entry, id));
            // A panic of ours costs this one request, and its caller hears of it (C-25).
            AssertUnwindSafe(handled)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Refused::Internal.response(format, id))
        }
        Ok(Found::Models(model)) => models::respond(&proxy, &request, model.as_deref()),
        Err((refused, format)) => {
            let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
            let format = format.unwrap_or_else(|| protocol::models::list_dialect(&header));
            Dispatch::arrive(&proxy, &request, format, id).refuse(&refused)
        }
    }
}

impl Proxy {
    fn clock(&self) -> Clock {
        self.gateway.clock()
    }

    fn wall_now(&self) -> DateTime<Utc> {
        self.clock().wall(self.clock().now())
    }

    /// The api key that a request comes with, wherever it stands.
    ///
    /// # Errors
    /// [`NoCaller`] says why there is none that is ours and good.
    pub(crate) fn api_key_of(&self, request: &HttpRequest) -> Result<String, NoCaller> {
        let keys = self.current.keys();
        let proven = caller::proven(request.headers(), request.query_string(), &keys, self.wall_now());
        proven.map(|(secret, _)| secret)
    }

    /// Nothing new is begun while shutting down, or when it could not be recorded any more.
    fn admits_new_work(&self) -> Result<(), Refused> {
        if !self.current.is_loaded() {
            return Err(Refused::Starting);
        }
        if self.drain.is_draining() {
            return Err(Refused::Draining);
        }
        if !self.recorder.has_room() {
            return Err(Refused::CannotRecord);
        }
        Ok(())
    }

    /// Takes a record down and counts it; says its number. `priced` is the model whose price it had.
    fn record(&self, record: Record, priced: Option<&str>) -> u64 {
        self.meters.ended(&record, priced);
        tell(&record);
        self.events.finished(&record);
        self.recorder.record(record)
    }
}

/// The one line that every request leaves in the log.
fn tell(record: &Record) {
    if !log::log_enabled!(log::Level::Info) {
        return;
    }
    let (request, status, ending) = (record.id, record.status, record.ending.name());
    let usage = (record.metering != Metering::None).then(|| record.metering.usage());
    log::info!(
        request:% = request,
        status = status,
        ending = ending,
        error = record.failure.as_ref().map(|failure| &*failure.kind),
        user = record.user_id.map(|user| user.0),
        key = record.key_id.map(|key| key.0),
        provider = record.attempts.last().map(|attempt| attempt.provider_name.as_str()),
        model = record.model.as_deref(),
        attempts = record.attempts.len(),
        duration_ms = record.duration.as_micros() as f64 / 1_000.0,
        input_tokens = usage.map(|usage| usage.total_input()),
        output_tokens = usage.map(|usage| usage.output_tokens),
        cost_usd = record.cost.map(|cost| cost.to_string()).as_deref();
        "request {request}: {status} {ending}"
    );
}
