//! What the house consists of: the rooms, and how each is made from the others.

use std::{sync::Arc, time::Duration};

use actix::ArbiterHandle;
use actix_web::web::Data;
use actors::{Gateway, clock::Clock};

use super::foundation::Foundation;
use crate::{
    admin::{self, Admin, OidcProvider},
    config::Config,
    current::Current,
    drain::Drain,
    events::{self, Events, Watch},
    exports::{self, Exports, Files},
    journal::recorder::Recorder,
    metrics::{Metrics, meters::Meters},
    ops::{self, Ops},
    proxy::Proxy,
    resealing::{self, Resealer},
    secrets::{digest::Digester, session_token::SessionTokens, ticket::Tickets},
    store::Store,
    traces::Tracer,
    upstream::{self, fetch::Fetch},
};

/// The longest any provider may be given for an answer; what is reserved for longer is given back.
const LONGEST_ANSWER: Duration = Duration::from_secs(24 * 3600);

/// Everything the rooms are made from.
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) foundation: Foundation,
    pub(super) recorder: Recorder,
    pub(super) drain: Drain,
    pub(super) tracer: Tracer,
    pub(super) files: Files,
}

/// The rooms, made once, on the thread where the state actors shall live.
#[derive(Clone)]
pub(super) struct Rooms {
    pub(super) proxy: Data<Proxy>,
    pub(super) admin: Data<Admin>,
    pub(super) ops: Data<Ops>,
    pub(super) metrics: Data<Metrics>,
    pub(super) upstream: upstream::Settings,
    pub(super) gateway: Gateway,
    pub(super) store: Store,
    pub(super) current: Arc<Current>,
    pub(super) digester: Digester,
    pub(super) new_admin_token: Option<String>,
}

impl Rooms {
    pub(super) fn make(plan: Plan, state_thread: &ArbiterHandle) -> Self {
        let Plan { config, foundation, recorder, drain, tracer, files } = plan;
        let Foundation { store, sealer, digest_key, token, new_admin_token, upstream, directory, settings } =
            foundation;
        let events = Events::default();
        let process = config.describe().to_vec();
        let behaviour = actors::Settings {
            session_ttl: config.routing.session_ttl,
            max_attempts: config.routing.max_attempts,
            request_deadline: config.routing.request_deadline,
            leash: config.routing.leash,
            seed: rand::random(),
            // An attempt that begins at the last moment may still take all of its provider's time.
            longest_request: config.routing.request_deadline + LONGEST_ANSWER,
            balances: Arc::new(recorder.clone()),
            calendar: settings.calendar(config.time_zone),
            waiting: settings.waiting.terms(),
        };
        let gateway = Gateway::start(state_thread, Clock::system(), behaviour);
        gateway.watch(state_thread);
        let digester = Digester::for_api_keys(&digest_key);
        let current =
            Arc::new(Current::new(store.clone(), gateway.clone(), digester.clone(), config.time_zone));
        let meters = Arc::new(Meters::new());
        let proxy = Data::new(Proxy {
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder: recorder.clone(),
            events: events.clone(),
            tracer: tracer.clone(),
            drain: drain.clone(),
            max_body_bytes: config.server.max_body_bytes,
            trusted_proxies: config.server.trusted_proxies.clone(),
            meters: Arc::clone(&meters),
        });
        let ops = Data::new(Ops::new(ops::Parts {
            store: store.clone(),
            store_kind: config.store.url.kind(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder: recorder.clone(),
            drain: drain.clone(),
        }));
        let resealer = Arc::new(Resealer::new(resealing::Parts {
            store: store.clone(),
            sealer,
            secrets: config.secrets,
            data_dir: config.data_dir,
        }));
        actix_web::rt::spawn(Arc::clone(&resealer).run());
        let metrics = Data::new(Metrics::new(meters, ops.clone(), tracer.clone(), Arc::clone(&resealer)));
        let watch = Watch::new(events::Parts {
            events: events.clone(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            ops: Arc::clone(&ops),
            drain,
        });
        actix_web::rt::spawn(watch.run());
        let exports = Exports::new(gateway.exports().clone(), store.clone(), files, exports::quiet_thread());
        let admin = Data::new(Admin::new(admin::Parts {
            store: store.clone(),
            gateway: gateway.clone(),
            current: Arc::clone(&current),
            recorder,
            token,
            digester: digester.clone(),
            sessions: SessionTokens::new(&digest_key),
            tickets: Tickets::new(&digest_key),
            directory,
            oidc: config.oidc.map(|settings| OidcProvider::new(settings, &upstream)),
            console: config.console,
            trusted_proxies: config.server.trusted_proxies,
            process,
            events,
            exports,
            resealer,
            price_source: config.prices.source_url.map(|url| Fetch::new(&upstream, url)),
        }));
        Self { proxy, admin, ops, metrics, upstream, gateway, store, current, digester, new_admin_token }
    }
}
