//! A house to do bad things to: the whole server in this process, its database in a throw-away directory,
//! one api key, and providers as the test wants them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actors::{
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Credential, Kind, Timeouts},
    restrictions::{ProviderRestrictions, Restrictions},
    supervisor::Snapshot,
    testkit::fault,
};
use pointsman::{
    boot::{self, House},
    config::{self, Config, Flags},
    secrets::digest::{Digester, NewApiKey},
    store::{NewKey, NewProvider, NewUser, Role, Store},
};
use protocol::Format;
use tempfile::TempDir;
use tokio::{sync::oneshot, time::sleep};

/// Everything given back within this, or it is stuck (I-10).
const QUIET_WITHIN: Duration = Duration::from_secs(2);

/// Panics that no fault point ordered.
static UNORDERED_PANICS: AtomicUsize = AtomicUsize::new(0);

/// A house that serves, until dropped.
pub(crate) struct Rig {
    pub(crate) house: House,
    pub(crate) key: String,
    thread: Option<JoinHandle<()>>,
    panics_before: usize,
    _directory: TempDir,
}

impl Rig {
    /// Serves these providers, with a configuration that `change` had a look at.
    pub(crate) async fn serve(providers: Vec<NewProvider>, change: impl FnOnce(&mut Config)) -> Self {
        count_panics();
        let directory = tempfile::tempdir().unwrap();
        let mut config = configuration(&directory);
        change(&mut config);
        let (tell, opened) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let serving = boot::serve(config, async move |house| {
                let key = furnish(&house.store, &house.digester, providers).await;
                house.current.load().await?;
                assert!(tell.send((house, key)).is_ok(), "the test waits for its house");
                Ok(())
            });
            actix_web::rt::System::new().block_on(serving).unwrap();
        });
        let (house, key) = opened.await.expect("the house opens");
        let panics_before = UNORDERED_PANICS.load(Ordering::SeqCst);
        Self { house, key, thread: Some(thread), panics_before, _directory: directory }
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> SocketAddr {
        self.house.address
    }

    /// A provider's actor.
    pub(crate) async fn provider(&self, name: &str) -> Snapshot {
        self.house.gateway.actor("provider", name).await.expect("there is such a provider")
    }

    /// Waits until nothing is in flight and everything is written down; says how long that took (I-10).
    pub(crate) async fn quiet(&self) -> Duration {
        let start = Instant::now();
        loop {
            let actors = self.house.gateway.actors().await;
            let backlog = self.house.recorder.backlog();
            if backlog == 0 && actors.iter().all(is_idle) {
                return start.elapsed();
            }
            let late = start.elapsed() > QUIET_WITHIN;
            assert!(!late, "still not quiet: {backlog} rows wait, {actors:#?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the house has closed.
    pub(crate) async fn ended(&self) {
        while !self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Panics since it was built that the test did not order.
    pub(crate) fn unordered_panics(&self) -> usize {
        UNORDERED_PANICS.load(Ordering::SeqCst) - self.panics_before
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        fault::disarm_all();
        // Twice: whatever still runs has been looked at, and nobody waits for it.
        self.house.stopper.stop();
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() {
                self.house.stopper.stop();
                std::thread::sleep(Duration::from_millis(5));
            }
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the house came down");
        }
    }
}

fn is_idle(actor: &Snapshot) -> bool {
    let in_flight = actor.detail.as_ref().and_then(|detail| detail["in_flight"].as_u64());
    actor.mailbox_depth == 0 && in_flight.unwrap_or(0) == 0
}

/// What a server in `directory` is told, on a free port of loopback.
pub(crate) fn configuration(directory: &TempDir) -> Config {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let flags = Flags {
        data_dir: Some(path("data")),
        database_url: Some(format!("sqlite:{}", path("house.db"))),
        ..Flags::default()
    };
    let mut config = config::load_with(&flags, |_| None).unwrap();
    config.server.listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    config
}

/// Providers, and a user with a key; returns the key.
pub(crate) async fn furnish(store: &Store, digester: &Digester, providers: Vec<NewProvider>) -> String {
    for provider in providers {
        store.create_provider(provider).await.unwrap();
    }
    let (groups, tags, limits) = (Vec::new(), Vec::new(), Limits::default());
    let (name, role) = ("chaos".to_owned(), Role::User);
    let user = NewUser {
        name,
        role,
        groups,
        tags,
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
    };
    let user = store.create_user(user).await.unwrap();
    let key = NewApiKey::generate(digester);
    let groups = Vec::new();
    let name = "chaos".to_owned();
    let new = NewKey {
        name,
        groups,
        limits,
        restrictions: Restrictions::default(),
        expires_at: None,
        enabled: true,
        web_login: false,
    };
    store.create_key(user.id, &key, new).await.unwrap();
    key.reveal().to_owned()
}

/// A provider for everything at `base_url`.
pub(crate) fn provider(name: &str, base_url: String) -> NewProvider {
    NewProvider {
        name: name.to_owned(),
        kind: Kind::Claude,
        base_url,
        credential: Credential::new(format!("credential-of-{name}")),
        formats: Format::ALL.to_vec(),
        weight: 1,
        priority: 0,
        cost_multiplier: Money::one(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        breaker: BreakerSettings::default(),
        timeouts: Timeouts::default(),
        allow_private_network: true,
        enabled: true,
        notes: String::new(),
    }
}

/// Counts panics that are no fault points', and keeps those of fault points out of the output.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            UNORDERED_PANICS.fetch_add(1, Ordering::SeqCst);
            loud(panic);
        }));
    });
    // Laid over the other, so that ordered panics do not reach it.
    fault::hush();
}
