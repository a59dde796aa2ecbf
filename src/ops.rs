//! For those who keep the process running: is it alive, does it take requests, how is it.
//!
//! | path | answers |
//! |---|---|
//! | `/livez` | 200 as long as the process can answer at all |
//! | `/readyz` | 200 while requests are taken, else 503; `?verbose` says what is missing |
//! | `/health` | 200 with a summary: what is degraded, by name, and how far |
//!
//! Nobody has to identify themselves here, so nothing is told that concerns anyone: no names, no addresses.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web::{self, Data},
};
use actors::{
    Gateway,
    supervisor::{Snapshot, roster::Condition},
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    current::Current,
    drain::Drain,
    journal::recorder::{Recorder, RecorderSnapshot},
    store::{PoolState, Store},
};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is looked at; shared by all workers as `web::Data<Ops>`.
pub struct Ops {
    parts: Parts,
    started: Instant,
}

/// What [`Ops`] looks at.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// What it is called.
    pub store_kind: &'static str,
    /// The actors.
    pub gateway: Gateway,
    /// What was read from the database; that it could be implies that the schema is there.
    pub current: Arc<Current>,
    /// Where records wait.
    pub recorder: Recorder,
    /// Whether we are on our way out.
    pub drain: Drain,
}

/// A way in which the server works and yet not as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Degraded {
    /// The database does not answer: nothing can be changed, records wait in the journal.
    DatabaseAway,
    /// So many records wait that new requests are refused.
    RecorderFull,
    /// The journal cannot be written, as on a full disk: new requests are refused.
    JournalFailing,
    /// Parts of the journal were damaged when it was opened, and await an operator beside it.
    JournalDamaged,
    /// Records were refused by the database and await an operator in the quarantine file.
    RecordsSetAside,
    /// Actors rest after panics, or don't answer.
    ActorsDown,
}

impl Degraded {
    /// Every way.
    pub const ALL: [Self; 6] = [
        Self::DatabaseAway,
        Self::RecorderFull,
        Self::JournalFailing,
        Self::JournalDamaged,
        Self::RecordsSetAside,
        Self::ActorsDown,
    ];

    /// Its name in `/health` and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DatabaseAway => "database_away",
            Self::RecorderFull => "recorder_full",
            Self::JournalFailing => "journal_failing",
            Self::JournalDamaged => "journal_damaged",
            Self::RecordsSetAside => "records_set_aside",
            Self::ActorsDown => "actors_down",
        }
    }
}

/// How everything is at one moment.
pub(crate) struct Look {
    /// Whether the database answers.
    pub(crate) database: bool,
    /// Every actor.
    pub(crate) actors: Vec<Snapshot>,
    /// The journal and its writer.
    pub(crate) recorder: RecorderSnapshot,
    /// What follows from that.
    pub(crate) degraded: Vec<Degraded>,
}

impl Ops {
    /// Looks at these; the uptime counts from here.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, started: Instant::now() }
    }

    /// What must hold for requests to be taken.
    fn checks(&self) -> [(&'static str, bool); 4] {
        [
            ("database_read", self.parts.current.is_loaded()),
            ("journal_replayed", self.parts.recorder.has_replayed()),
            ("recorder_has_room", self.parts.recorder.has_room()),
            ("not_draining", !self.parts.drain.is_draining()),
        ]
    }

    /// Whether it is on its way out.
    pub(crate) fn is_draining(&self) -> bool {
        self.parts.drain.is_draining()
    }

    /// What the database is called.
    pub(crate) fn store_kind(&self) -> &'static str {
        self.parts.store_kind
    }

    /// The connections to the database.
    pub(crate) fn pools(&self) -> Vec<PoolState> {
        self.parts.store.pools()
    }

    /// Requests that were served without a price.
    pub(crate) fn unpriced(&self) -> u64 {
        self.parts.current.unpriced().counts().into_iter().map(|(_, count)| count).sum()
    }

    /// Asks everyone how they are, once.
    pub(crate) async fn look(&self) -> Look {
        let Parts { store, gateway, recorder, .. } = &self.parts;
        let database = matches!(timeout(PATIENCE, store.ping()).await, Ok(Ok(())));
        let actors = gateway.actors().await;
        let snapshot = recorder.snapshot();
        let failing = snapshot.journal_trouble.is_some();
        let found = [
            (Degraded::DatabaseAway, !database),
            (Degraded::RecorderFull, !failing && !recorder.has_room()),
            (Degraded::JournalFailing, failing),
            (Degraded::JournalDamaged, snapshot.journal_damaged > 0),
            (Degraded::RecordsSetAside, snapshot.set_aside > 0),
            (Degraded::ActorsDown, actors.iter().any(|actor| actor.state != Condition::Running)),
        ];
        let degraded = found.into_iter().filter(|(_, holds)| *holds).map(|(mode, _)| mode).collect();
        Look { database, actors, recorder: snapshot, degraded }
    }
}

/// Mounts the paths. The app needs a `web::Data<Ops>`.
pub fn configure(app: &mut web::ServiceConfig) {
    app.route("/livez", web::get().to(live))
        .route("/readyz", web::get().to(ready))
        .route("/health", web::get().to(health));
}

/// Mounts the same paths, and nothing else, for the time in which there is no database to begin with.
pub fn configure_waiting(app: &mut web::ServiceConfig) {
    let not_ready = || async {
        let body = json!({ "status": "not_ready", "checks": { "database_read": false } });
        answer(StatusCode::SERVICE_UNAVAILABLE, &body)
    };
    let health = || async {
        let version = env!("CARGO_PKG_VERSION");
        let body =
            json!({ "status": "degraded", "version": version, "degraded": [Degraded::DatabaseAway.name()] });
        answer(StatusCode::OK, &body)
    };
    app.route("/livez", web::get().to(live))
        .route("/health", web::get().to(health))
        .default_service(web::route().to(not_ready));
}

async fn live() -> HttpResponse {
    answer(StatusCode::OK, &json!({ "status": "alive" }))
}

async fn ready(ops: Data<Ops>, request: HttpRequest) -> HttpResponse {
    let checks = ops.checks();
    let ready = checks.iter().all(|(_, holds)| *holds);
    let mut body = json!({ "status": if ready { "ready" } else { "not_ready" } });
    if request.query_string().split('&').any(|parameter| parameter.split('=').next() == Some("verbose")) {
        body["checks"] = checks.iter().map(|(name, holds)| ((*name).to_owned(), json!(holds))).collect();
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, &body)
}

async fn health(ops: Data<Ops>) -> HttpResponse {
    let Look { recorder, degraded, .. } = ops.look().await;
    let degraded: Vec<_> = degraded.into_iter().map(Degraded::name).collect();
    let status = match (ops.is_draining(), degraded.is_empty()) {
        (true, _) => "draining",
        (false, true) => "ok",
        (false, false) => "degraded",
    };
    let body = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": ops.started.elapsed().as_secs(),
        "store": ops.parts.store_kind,
        "degraded": degraded,
        "recorder": {
            "waiting": recorder.backlog,
            "set_aside": recorder.set_aside,
            "journal_bytes": recorder.journal_bytes,
            "journal_max_bytes": recorder.journal_max_bytes,
        },
    });
    answer(StatusCode::OK, &body)
}

fn answer(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(body)
}
