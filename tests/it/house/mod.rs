//! A whole house for one story: the real server on loopback, in a thread of its own, with a database that
//! is thrown away.
//!
//! `close` looks at what a story leaves behind: every request has its one row (I-28), no permit is out
//! (I-10), every actor runs. A house that is dropped unclosed fails its story.

mod client;
mod record;
mod speech;

use std::{
    cell::Cell, collections::BTreeMap, net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration,
};

use actors::{
    Gateway,
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Credential, Kind, Timeouts},
    restrictions::{ProviderRestrictions, Restrictions},
};
use chrono::{DateTime, Utc};
use pointsman::{
    boot::{self, House, Stopper},
    config::{self, Flags, server::Placement, store::StoreUrl},
    current::Current,
    journal::{record::Record, recorder::Recorder},
    secrets::digest::{Digester, NewApiKey},
    store::{NewKey, NewProvider, NewUser, Role, Store},
    traces::Tracer,
};
use protocol::Format;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub(crate) use self::{
    client::{Answering, Asking, End, Heard},
    speech::{HEAD_OF_STREAM, Speech, chunk, plain},
};

/// What the provider of that name is authenticated with.
pub(crate) fn credential(provider: &str) -> String {
    format!("credential-of-{provider}-Jx4mQ9")
}

/// The admin token of every house.
pub(crate) const ADMIN_TOKEN: &str = "hT7kq2ZwPm4LsVx9";

/// How a house is to be built.
pub(crate) struct Setup {
    pub(crate) placement: Placement,
    pub(crate) drain_timeout: Duration,
    pub(crate) max_body_bytes: usize,
    /// Whether metrics are shown on a port of their own.
    pub(crate) metrics_listener: bool,
    /// Another database than a file in the house's own directory.
    pub(crate) database: Option<StoreUrl>,
    /// Variables of the environment it starts in.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Its configuration file.
    pub(crate) file: String,
    providers: Vec<NewProvider>,
}

impl Setup {
    /// A provider of that name for every format and model; what is special about it is set on the result.
    pub(crate) fn provider(&mut self, name: &str, upstream: SocketAddr) -> &mut NewProvider {
        self.providers.push(NewProvider {
            name: name.to_owned(),
            kind: Kind::Claude,
            base_url: format!("http://{upstream}"),
            credential: Credential::new(credential(name)),
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
        });
        self.providers.last_mut().expect("one was pushed")
    }
}

/// A house that serves.
pub(crate) struct TestHouse {
    pub(crate) address: SocketAddr,
    pub(crate) metrics_address: Option<SocketAddr>,
    pub(crate) store: Store,
    pub(crate) current: Arc<Current>,
    pub(crate) gateway: Gateway,
    pub(crate) recorder: Recorder,
    pub(crate) tracer: Tracer,
    pub(crate) stopper: Stopper,
    /// The api key that requests come with unless they say otherwise.
    pub(crate) key: String,
    digester: Digester,
    /// Requests that came far enough to leave a row.
    asked: Cell<usize>,
    serving: Option<JoinHandle<anyhow::Result<()>>>,
    _directory: TempDir,
}

impl TestHouse {
    /// Opens a house and furnishes it.
    pub(crate) async fn open(furnish: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup {
            placement: Placement::Beside,
            drain_timeout: Duration::from_secs(20),
            max_body_bytes: 32 << 20,
            metrics_listener: false,
            database: None,
            environment: Vec::new(),
            file: String::new(),
            providers: Vec::new(),
        };
        furnish(&mut setup);
        let directory = TempDir::with_prefix("pointsman-story-").expect("a temporary directory");
        let file = directory.path().join("house.toml");
        std::fs::write(&file, &setup.file).expect("a directory of ours");
        let flags = Flags {
            config: Some(file),
            data_dir: Some(directory.path().display().to_string()),
            listen_addr: Some("127.0.0.1".to_owned()),
            port: Some("0".to_owned()),
            ..Flags::default()
        };
        let variables: BTreeMap<_, _> =
            setup.environment.into_iter().chain([("ADMIN_TOKEN", ADMIN_TOKEN.to_owned())]).collect();
        let environment = |name: &str| variables.get(name).map(Into::into);
        let mut config = config::load_with(&flags, environment).expect("a sound configuration");
        config.server.placement = setup.placement;
        config.server.drain_timeout = setup.drain_timeout;
        config.server.max_body_bytes = setup.max_body_bytes;
        config.server.metrics_listen = setup.metrics_listener.then(|| ([127, 0, 0, 1], 0).into());
        if let Some(database) = setup.database {
            config.store.url = database;
        }
        let (tell, opened) = oneshot::channel();
        let serving = std::thread::spawn(move || {
            actix_rt::System::new().block_on(boot::serve(config, async |house| {
                // Nobody to tell means that the story has failed, which says so itself.
                let _ = tell.send(house);
                Ok(())
            }))
        });
        let Ok(House {
            address,
            metrics_address,
            store,
            current,
            digester,
            gateway,
            recorder,
            tracer,
            stopper,
            ..
        }) = opened.await
        else {
            panic!("the house did not open: {:?}", serving.join());
        };
        for provider in setup.providers {
            store.create_provider(provider).await.expect("a sound provider");
        }
        let mut house = Self {
            address,
            metrics_address,
            store,
            current,
            gateway,
            recorder,
            tracer,
            stopper,
            key: String::new(),
            digester,
            asked: Cell::new(0),
            serving: Some(serving),
            _directory: directory,
        };
        house.key = house.new_key("team", |_| {}).await;
        house
    }

    /// Makes a user of that name with a key; what is special about the key is for `change` to say.
    pub(crate) async fn new_key(&self, user: &str, change: impl FnOnce(&mut NewKey)) -> String {
        self.key_of(user, |_| {}, change).await
    }

    /// The same for a user with something special about it.
    pub(crate) async fn key_of(
        &self,
        name: &str,
        change_user: impl FnOnce(&mut NewUser),
        change_key: impl FnOnce(&mut NewKey),
    ) -> String {
        let mut user = NewUser {
            name: name.to_owned(),
            role: Role::User,
            groups: Vec::new(),
            tags: Vec::new(),
            limits: Limits::default(),
            restrictions: Restrictions::default(),
            expires_at: None,
            enabled: true,
        };
        change_user(&mut user);
        let user = self.store.create_user(user).await.expect("a sound user");
        let secret = NewApiKey::generate(&self.digester);
        let mut key = NewKey {
            name: format!("key of {name}"),
            groups: Vec::new(),
            limits: Limits::default(),
            restrictions: Restrictions::default(),
            expires_at: None,
            enabled: true,
            web_login: false,
        };
        change_key(&mut key);
        self.store.create_key(user.id, &secret, key).await.expect("a sound key");
        self.current.load().await.expect("the database answers");
        secret.reveal().to_owned()
    }

    /// Asks, and hears the answer to its end.
    pub(crate) async fn ask(&self, asking: Asking) -> Heard {
        self.begin(asking).await.rest().await
    }

    /// Asks, and comes back with the head of the answer.
    pub(crate) async fn begin(&self, asking: Asking) -> Answering {
        self.try_begin(asking).await.expect("an answer")
    }

    /// Asks; none when the connection ends without an answer.
    pub(crate) async fn try_begin(&self, asking: Asking) -> Option<Answering> {
        self.asked.set(self.asked.get() + 1);
        client::send(self.address, asking, &self.key).await
    }

    /// Asks the control plane, which leaves no row.
    pub(crate) async fn operate(&self, asking: Asking) -> Answering {
        client::send(self.address, asking, ADMIN_TOKEN).await.expect("an answer")
    }

    /// Asks over a connection that is open already; none when it ends without an answer.
    pub(crate) async fn ask_again(&self, heard: Answering, asking: Asking) -> Option<Answering> {
        self.asked.set(self.asked.get() + 1);
        heard.ask_again(asking, &self.key).await
    }

    /// The provider actor's own account of itself.
    pub(crate) async fn provider(&self, name: &str) -> serde_json::Value {
        let actor = self.gateway.actor("provider", name).await;
        actor.and_then(|actor| actor.detail).unwrap_or_else(|| panic!("provider {name} says nothing"))
    }

    /// What the house's clock shows.
    pub(crate) fn wall_now(&self) -> DateTime<Utc> {
        let clock = self.gateway.clock();
        clock.wall(clock.now())
    }

    /// Stops the house and looks at what is left behind.
    pub(crate) async fn close(mut self) {
        self.check_rest().await;
        self.end().expect("an orderly end");
    }

    /// Waits for the house to end by itself; its rows are what is left of it.
    pub(crate) async fn ended(mut self) -> Vec<Record> {
        let serving = self.serving.take().expect("not ended yet");
        // Off this thread, on which upstreams and callers live.
        let joined = tokio::task::spawn_blocking(|| serving.join()).await.expect("no panic");
        joined.expect("no panic").expect("an orderly end");
        self.rows().await
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(serving) = self.serving.take() else { return Ok(()) };
        self.stopper.stop();
        self.stopper.stop();
        serving.join().expect("no panic")
    }
}

impl Drop for TestHouse {
    fn drop(&mut self) {
        let forgotten = self.serving.is_some();
        let ended = self.end();
        if !std::thread::panicking() {
            ended.expect("an orderly end");
            assert!(!forgotten, "close the house, so that what it leaves behind is looked at");
        }
    }
}
