//! The control plane: what operators and scripts talk to, under `/api/v1`.
//!
//! [`routes`] is every path on one page. A request passes the [`gate`] (who is asking), an extractor
//! ([`body`], [`query`]: what exactly is asked), and a handler: one call to the store or the gateway, and
//! the reshaping of its answer. Every refusal is an [`error::Problem`].
//!
//! A write is answered once it is durable *and* in force: [`Admin::change`] stores it and then has
//! [`Current`] read again, in a task that goes on when the caller hangs up in between (I-41).

mod access;
mod audit;
mod auth;
mod author;
mod batches;
mod billing;
mod body;
mod configuration;
pub mod error;
mod events;
mod exports;
mod gate;
mod identities;
mod keys;
mod ledger;
mod lifecycle;
mod limits;
mod live;
mod me;
mod once;
mod openapi;
mod overview;
mod price_import;
mod prices;
mod provider_prices;
mod providers;
mod query;
mod quotas;
mod refusals;
mod repricing;
mod request_filters;
mod requests;
mod restrictions;
mod routes;
mod schema;
mod sealing_key;
mod settings;
mod statistics;
mod times;
mod trash;
mod users;
mod values;
mod versions;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web::Data,
};
use actors::{Gateway, ledger::calendar::Calendar};
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use tokio::{sync::Mutex, time::sleep};

use self::{
    access::Cookies,
    auth::Workers,
    error::{Code, Problem},
    refusals::Refusals,
};
pub use self::{
    access::{Principal, Right, Session},
    auth::{ldap::Directory, oidc::Provider as OidcProvider},
    routes::{configure, listing},
};
use crate::{
    config::{Effective, console::ConsoleSettings},
    current::Current,
    events::Events,
    exports::Exports,
    journal::recorder::Recorder,
    resealing::Resealer,
    secrets::{admin_token::AdminToken, digest::Digester, session_token::SessionTokens, ticket::Tickets},
    store::Store,
    upstream::fetch::Fetch as PriceSource,
};

/// How long to wait before reading again what could not be read after a write.
const CATCH_UP_PAUSE: Duration = Duration::from_secs(1);
/// How long a look at the request log waits for requests that have just ended.
const FLUSH_PATIENCE: Duration = Duration::from_millis(250);

/// What the control plane works with; shared by all workers as `web::Data<Admin>`.
pub struct Admin {
    store: Store,
    gateway: Gateway,
    current: Arc<Current>,
    recorder: Recorder,
    token: AdminToken,
    digester: Digester,
    sessions: SessionTokens,
    console: ConsoleSettings,
    workers: Workers,
    trusted_proxies: Vec<IpNet>,
    tickets: Tickets,
    oidc: Option<OidcProvider>,
    directory: Option<Directory>,
    price_source: Option<PriceSource>,
    process: Vec<Effective>,
    events: Events,
    exports: Exports,
    resealer: Arc<Resealer>,
    /// Held from a write until it is in force. Two writes side by side could otherwise read the tables in
    /// one order and publish them in the other, and a deleted key would come back.
    one_at_a_time: Mutex<()>,
    refusals: Refusals,
    /// Tells this process from those before it.
    process_id: String,
    /// By [`Topic`]: whether somebody is catching up.
    behind: [AtomicBool; 5],
}

/// What [`Admin`] is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The actors.
    pub gateway: Gateway,
    /// What is in force.
    pub current: Arc<Current>,
    /// Where requests that have just ended are.
    pub recorder: Recorder,
    /// Who may come in.
    pub token: AdminToken,
    /// Makes the digests of new api keys.
    pub digester: Digester,
    /// Makes the tokens of console sessions.
    pub sessions: SessionTokens,
    /// Makes the tickets of those who sign in elsewhere.
    pub tickets: Tickets,
    /// Where people sign in, if they do so elsewhere.
    pub oidc: Option<OidcProvider>,
    /// The directory whose accounts sign in.
    pub directory: Option<Directory>,
    /// How people sign in.
    pub console: ConsoleSettings,
    /// Peers whose word about a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where price lists may be fetched from, if from anywhere.
    pub price_source: Option<PriceSource>,
    /// What the process was started with.
    pub process: Vec<Effective>,
    /// What tells those who listen.
    pub events: Events,
    /// What writes exports.
    pub exports: Exports,
    /// What changes the sealing key.
    pub resealer: Arc<Resealer>,
}

/// A part of what is in force.
#[derive(Debug, Clone, Copy)]
enum Topic {
    /// Users and api keys.
    Keys,
    /// Providers.
    Providers,
    /// Prices.
    Prices,
    /// Providers that bring prices along.
    Offers,
    /// The settings of the system.
    Settings,
}

/// What a handler returns.
type Answer = Result<HttpResponse, Problem>;

impl Admin {
    /// The control plane over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, gateway, current, recorder, token, digester, sessions, .. } = parts;
        let Parts {
            console,
            trusted_proxies,
            tickets,
            oidc,
            directory,
            price_source,
            process,
            events,
            exports,
            resealer,
            ..
        } = parts;
        let (one_at_a_time, behind) = (Mutex::default(), Default::default());
        Self {
            store,
            gateway,
            current,
            recorder,
            token,
            digester,
            sessions,
            console,
            workers: Workers::default(),
            trusted_proxies,
            tickets,
            oidc,
            directory,
            price_source,
            process,
            events,
            exports,
            resealer,
            one_at_a_time,
            refusals: Refusals::default(),
            process_id: uuid::Uuid::now_v7().to_string(),
            behind,
        }
    }

    /// The wall clock.
    fn wall_now(&self) -> DateTime<Utc> {
        let clock = self.gateway.clock();
        clock.wall(clock.now())
    }

    /// How cookies are set and read.
    fn cookies(&self) -> Cookies {
        Cookies { secure: self.console.secure_cookies }
    }

    /// Whether cookies are only for connections that nobody can listen to.
    pub(crate) fn has_secure_cookies(&self) -> bool {
        self.console.secure_cookies
    }

    /// What days and months go by.
    pub(crate) fn calendar(&self) -> Calendar {
        self.current.calendar_of(&self.current.settings())
    }

    /// The headers of a request that a page of ours makes by the session of that token.
    pub(crate) fn by_session(&self, token: &str) -> Vec<(HeaderName, HeaderValue)> {
        access::headers(self, token)
    }

    /// Writes something, has it take effect, and returns what was written.
    ///
    /// Whoever asked may hang up at any moment; the two steps are not torn apart by that. Where it was
    /// written but can't be read back, the answer is no and says so, and reading is tried until it works.
    async fn change<T, W>(self: Arc<Self>, topic: Topic, write: W) -> Result<T, Problem>
    where
        T: 'static,
        W: Future<Output = Result<T, Problem>> + 'static,
    {
        let change = actix_web::rt::spawn(async move {
            let turn = self.one_at_a_time.lock().await;
            let written = write.await;
            // A write whose outcome is unknown may have happened.
            let in_doubt = written.as_ref().is_err_and(|problem| problem.code() == Code::StoreUnavailable);
            if in_doubt {
                drop(turn);
                self.catch_up(topic);
                return written;
            }
            let written = written?;
            if let Err(error) = self.publish(topic).await {
                drop(turn);
                self.catch_up(topic);
                let detail = "the change is stored and takes effect as soon as it can be read back";
                return Err(Problem::new(Code::NotEffectiveYet, detail).because(format_args!("{error:#}")));
            }
            Ok(written)
        });
        change.await.unwrap_or_else(|failed| Err(Problem::internal(failed)))
    }

    /// Has what is stored take effect.
    async fn publish(&self, topic: Topic) -> anyhow::Result<()> {
        match topic {
            Topic::Keys => self.current.refresh_keys().await,
            Topic::Providers => self.current.refresh_providers().await,
            Topic::Prices => self.current.refresh_prices().await,
            Topic::Offers => {
                self.current.refresh_prices().await?;
                self.current.refresh_providers().await
            }
            Topic::Settings => self.current.refresh_settings().await,
        }
    }

    /// Publishes in the background until it works.
    fn catch_up(self: Arc<Self>, topic: Topic) {
        if self.behind[topic as usize].swap(true, SeqCst) {
            return;
        }
        actix_web::rt::spawn(async move {
            loop {
                sleep(CATCH_UP_PAUSE).await;
                let _turn = self.one_at_a_time.lock().await;
                // Lowered first: a write that fails from here on starts another round.
                self.behind[topic as usize].store(false, SeqCst);
                match self.publish(topic).await {
                    Ok(()) => return log::info!("admin: {topic:?} are up to date again"),
                    Err(error) => log::warn!("admin: {topic:?} are behind the database: {error:#}"),
                }
                if self.behind[topic as usize].swap(true, SeqCst) {
                    return; // that round has begun, and will do
                }
            }
        });
    }

    /// Lets requests that have just ended reach the log, so that who made one can look at it.
    async fn settle_log(&self) {
        // A database that is away makes the log older, not the answer slower.
        let _ = tokio::time::timeout(FLUSH_PATIENCE, self.recorder.flush()).await;
    }
}

/// Runs [`Admin::change`] on the shared value that handlers are given.
async fn change<T, W>(admin: Data<Admin>, topic: Topic, write: W) -> Result<T, Problem>
where
    T: 'static,
    W: Future<Output = Result<T, Problem>> + 'static,
{
    admin.into_inner().change(topic, write).await
}

/// Does something to its end, even if whoever asked hangs up, and while nobody else changes anything.
async fn undisturbed<T, W>(admin: Data<Admin>, work: W) -> Result<T, Problem>
where
    T: 'static,
    W: Future<Output = Result<T, Problem>> + 'static,
{
    let work = actix_web::rt::spawn(async move {
        let _turn = admin.one_at_a_time.lock().await;
        work.await
    });
    work.await.unwrap_or_else(|failed| Err(Problem::internal(failed)))
}
