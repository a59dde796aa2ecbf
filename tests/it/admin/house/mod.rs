//! A house for tests: database, actors, current configuration and recorder, all real, in a directory that
//! goes away with it. What is mounted on it, and how it is asked, is the story's business.

mod database;

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;
use actors::{Gateway, Settings, clock::Clock, ledger::limits::Limits, restrictions::Restrictions};
use chrono_tz::Tz;
use pointsman::{
    admin::{self, Admin, Directory, OidcProvider},
    config::{
        self, Flags, Secret,
        store::{StoreSettings, StoreUrl},
    },
    current::Current,
    drain::Drain,
    events::Events,
    exports::{Exports, Files},
    journal::{
        quarantine::Quarantine,
        recorder::{self, JournalSettings, Recorder},
    },
    metrics::Metrics,
    ops::{self, Ops},
    resealing::{self, Resealer},
    secrets::{
        admin_token::AdminToken,
        digest::{Digester, NewApiKey},
        digest_key::DigestKey,
        sealing::Sealer,
        sealing_key::SealingKey,
        session_token::SessionTokens,
        ticket::Tickets,
    },
    store::{NewKey, NewUser, Role, Store},
    traces::Tracer,
    upstream::{self, fetch::Fetch},
};
use tempfile::TempDir;

pub(crate) use self::database::{Schema, on_both};

/// The admin token of every test house.
pub(crate) const ADMIN_TOKEN: &str = "pm-hT7kq2ZwPm4LsVx9";

/// The parts of a server, wired as the server wires them. The state actors live on the thread of the test.
pub(crate) struct TestHouse {
    pub(crate) store: Store,
    pub(crate) gateway: Gateway,
    pub(crate) current: Arc<Current>,
    pub(crate) recorder: Recorder,
    pub(crate) drain: Drain,
    settings: StoreSettings,
    digest_key: DigestKey,
    resealer: Arc<Resealer>,
    pub(crate) directory: TempDir,
}

impl TestHouse {
    /// A house with an SQLite file.
    pub(crate) async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(directory.path().join("pointsman.db"));
        Self::build(url, directory).await
    }

    async fn build(url: StoreUrl, directory: TempDir) -> Self {
        let settings = settings(url);
        let secrets = config::load_with(&Flags::default(), environment).unwrap().secrets;
        let keys = secrets.load_keyring(directory.path()).unwrap();
        let sealer = Sealer::with(&keys);
        let store = Store::open(&settings, sealer.clone()).unwrap();
        store.migrate().await.unwrap();
        let digest_key = store.digest_key(&keys).await.unwrap();
        let data_dir = directory.path().to_owned();
        let resealer =
            Arc::new(Resealer::new(resealing::Parts { store: store.clone(), sealer, secrets, data_dir }));
        actix::spawn(Arc::clone(&resealer).run());
        let gateway = Gateway::start(&actix::Arbiter::current(), Clock::system(), Settings::default());
        let current = Current::new(store.clone(), gateway.clone(), api_keys(&digest_key), Tz::UTC);
        current.load().await.unwrap();
        let quarantine = Quarantine::new(directory.path());
        let journal = JournalSettings::new(directory.path());
        let (recorder, writer) = recorder::recorder(store.clone(), quarantine, journal).unwrap();
        actix::spawn(writer.run());
        Self {
            store,
            gateway,
            current: Arc::new(current),
            recorder,
            drain: Drain::default(),
            settings,
            digest_key,
            resealer,
            directory,
        }
    }

    /// An api key of a new user with that role.
    pub(crate) async fn console_key(&self, role: Role, web_login: bool) -> String {
        let name = format!("{} {}", role.name(), uuid::Uuid::now_v7());
        let (groups, tags, limits) = (Vec::new(), Vec::new(), Limits::default());
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
        let user = self.store.create_user(user).await.unwrap();
        let (name, groups) = ("console".to_owned(), Vec::new());
        let key = NewKey {
            name,
            groups,
            limits,
            restrictions: Restrictions::default(),
            expires_at: None,
            enabled: true,
            web_login,
        };
        let secret = NewApiKey::generate(&api_keys(&self.digest_key));
        self.store.create_key(user.id, &secret, key).await.unwrap();
        self.current.refresh_keys().await.unwrap();
        secret.reveal().to_owned()
    }

    /// The same database, seen with another sealing key: what it seals does not open here.
    pub(crate) fn store_of_a_stranger(&self) -> Store {
        Store::open(&self.settings, Sealer::new(&sealing_key("22"))).unwrap()
    }

    /// A database that nobody answers for.
    pub(crate) fn store_that_is_away() -> Store {
        let url = StoreUrl::Postgres(Secret::new("postgres://nobody@127.0.0.1:1/nothing"));
        Store::open(&settings(url), Sealer::new(&sealing_key("11"))).unwrap()
    }

    /// The control plane of this house.
    pub(crate) fn admin(&self) -> Data<Admin> {
        self.admin_with_token(ADMIN_TOKEN)
    }

    /// The same with an address for price lists.
    pub(crate) fn admin_with_prices_from(&self, url: Option<String>) -> Data<Admin> {
        let settings = upstream::Settings::new(None).unwrap();
        let price_source = url.map(|url| Fetch::new(&settings, url.parse().unwrap()));
        Data::new(Admin::new(admin::Parts { price_source, ..self.parts(ADMIN_TOKEN) }))
    }

    /// The same with another admin token.
    pub(crate) fn admin_with_token(&self, token: &str) -> Data<Admin> {
        Data::new(Admin::new(self.parts(token)))
    }

    /// The same with a provider to sign in at, set up by these variables.
    pub(crate) fn admin_with_oidc(&self, set: &[(&str, &str)]) -> Data<Admin> {
        let set_up = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
        let settings = config::load_with(&Flags::default(), set_up).unwrap().oidc.unwrap();
        let oidc = Some(OidcProvider::new(settings, &upstream::Settings::new(None).unwrap()));
        Data::new(Admin::new(admin::Parts { oidc, ..self.parts(ADMIN_TOKEN) }))
    }

    /// The same with a directory whose accounts sign in, set up by these variables.
    pub(crate) fn admin_with_ldap(&self, set: &[(&str, String)]) -> Data<Admin> {
        let directory = Some(directory(set));
        Data::new(Admin::new(admin::Parts { directory, ..self.parts(ADMIN_TOKEN) }))
    }

    fn parts(&self, token: &str) -> admin::Parts {
        let digester = Digester::for_admin_token(&self.digest_key);
        let token = AdminToken::settle(digester, Some(token), None).unwrap().token;
        let config = config::load_with(&Flags::default(), environment).unwrap();
        admin::Parts {
            store: self.store.clone(),
            gateway: self.gateway.clone(),
            current: Arc::clone(&self.current),
            recorder: self.recorder.clone(),
            token,
            digester: api_keys(&self.digest_key),
            sessions: SessionTokens::new(&self.digest_key),
            tickets: self.tickets(),
            oidc: None,
            directory: None,
            console: config.console.clone(),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            process: config.describe().to_vec(),
            events: Events::default(),
            exports: self.exports(),
            resealer: Arc::clone(&self.resealer),
            price_source: None,
        }
    }

    /// What writes the exports of this house, on the thread of the test.
    fn exports(&self) -> Exports {
        let (clerk, files) = (self.gateway.exports().clone(), Files::open(self.directory.path()).unwrap());
        Exports::new(clerk, self.store.clone(), files, actix::Arbiter::current())
    }

    /// What makes the tickets of this house.
    pub(crate) fn tickets(&self) -> Tickets {
        Tickets::new(&self.digest_key)
    }

    /// What shows the metrics of this house.
    pub(crate) fn metrics(&self) -> Data<Metrics> {
        Data::new(Metrics::new(Arc::default(), self.ops(), Tracer::default(), Arc::clone(&self.resealer)))
    }

    /// What tells how this house is.
    pub(crate) fn ops(&self) -> Data<Ops> {
        Data::new(Ops::new(ops::Parts {
            store: self.store.clone(),
            store_kind: "sqlite",
            gateway: self.gateway.clone(),
            current: Arc::clone(&self.current),
            recorder: self.recorder.clone(),
            drain: self.drain.clone(),
        }))
    }
}

/// The directory that these variables set up.
pub(crate) fn directory(set: &[(&str, String)]) -> Directory {
    let set_up = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
    Directory::new(config::load_with(&Flags::default(), set_up).unwrap().ldap.unwrap()).unwrap()
}

/// What this house says it was started in.
fn environment(name: &str) -> Option<std::ffi::OsString> {
    let value = match name {
        "ADMIN_TOKEN" => ADMIN_TOKEN,
        "LOG_LEVEL" => "warn",
        "DATABASE_URL" => "postgres://anna:canary-of-the-url@db.example/pointsman",
        "OTEL_EXPORTER_OTLP_HEADERS" => "authorization=canary-of-the-header",
        "PRICES_SOURCE_URL" => "https://prices.example/list?token=canary-of-the-query",
        _ => return None,
    };
    Some(value.into())
}

fn settings(url: StoreUrl) -> StoreSettings {
    StoreSettings {
        url,
        pool_size: 4,
        pool_wait: Duration::from_secs(5),
        query_deadline: Duration::from_secs(10),
        auto_migrate: true,
    }
}

fn api_keys(key: &DigestKey) -> Digester {
    Digester::for_api_keys(key)
}

fn sealing_key(byte: &str) -> SealingKey {
    SealingKey::parse(&byte.repeat(32)).unwrap()
}
