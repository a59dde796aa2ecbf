//! What is current: keys, limits, settings, providers and prices as the database holds them, in memory for those who serve.
//!
//! The admin API writes to the store and then asks for a refresh; the next request sees the change, the
//! ones under way go on with what they began with (I-52). Nothing here is the truth: all of it can be
//! read again.

pub mod billing;
mod builtin;
pub mod keys;
mod limits;
pub mod offers;
pub mod prices;
pub mod unpriced;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actors::{
    Gateway,
    dispatcher::Table,
    ids::{KeyId, UserId},
    ledger::{calendar::Calendar, limits::Limits},
    provider::card::Card,
    restrictions::CallerRules,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use chrono::Utc;
use chrono_tz::Tz;
use tokio::sync::Mutex;

use self::{
    billing::BILLING,
    keys::{Badge, Caller, KeyDirectory},
    limits::Effective,
    offers::Offers,
    prices::PriceList,
    unpriced::Unpriced,
};
use crate::{
    secrets::digest::Digester,
    store::{Store, SystemSettings},
};

/// All of the configuration at one moment: what a request goes by from start to end (I-52).
#[derive(Clone)]
pub struct Version {
    /// The api keys.
    pub keys: Arc<KeyDirectory>,
    /// The settings of the system.
    pub settings: Arc<SystemSettings>,
    /// The providers.
    pub cards: Arc<Vec<Arc<Card>>>,
    /// Those of them that do not serve every program.
    pub choosy: Arc<[Arc<Card>]>,
    /// All of them as the dispatcher knows them.
    pub table: Table,
    /// The prices.
    pub prices: Arc<PriceList>,
    /// What those providers charge between them, at those prices.
    pub offers: Arc<Offers>,
}

/// The current configuration, shared by all workers.
pub struct Current {
    store: Store,
    gateway: Gateway,
    /// Whose clock tells days where the settings name no time zone.
    home: Tz,
    digester: Digester,
    /// Replaced as a whole, whatever part of it changed.
    version: ArcSwap<Version>,
    unpriced: Unpriced,
    loaded: AtomicBool,
    /// One reading at a time: an older one must not be published over a newer. Holds the limits that were
    /// published last.
    refreshing: Mutex<Effective>,
}

impl Current {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(store: Store, gateway: Gateway, digester: Digester, home: Tz) -> Self {
        let version = ArcSwap::from_pointee(Version {
            keys: Arc::new(KeyDirectory::new(digester.clone(), [])),
            settings: Arc::default(),
            cards: Arc::default(),
            choosy: Arc::new([]),
            table: Table::default(),
            prices: Arc::default(),
            offers: Arc::default(),
        });
        let (unpriced, loaded, refreshing) = (Unpriced::default(), AtomicBool::new(false), Mutex::default());
        Self { store, gateway, home, digester, version, unpriced, loaded, refreshing }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When the database can't be read or the actors don't answer.
    pub async fn load(&self) -> anyhow::Result<()> {
        self.refresh_settings().await?;
        self.refresh_providers().await?;
        self.refresh_prices().await?;
        self.loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether everything was read once: before that, nobody can be told that a key is unknown.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Reads keys and users again.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn refresh_keys(&self) -> anyhow::Result<()> {
        let mut turn = self.refreshing.lock().await;
        self.publish_keys(self.settings(), &mut turn).await
    }

    /// Reads the settings of the system again, and with them the keys, whose limits may depend on them.
    ///
    /// # Errors
    /// When the database can't be read; then neither has changed.
    pub async fn refresh_settings(&self) -> anyhow::Result<()> {
        let mut turn = self.refreshing.lock().await;
        let settings = self.store.system_settings().await.context("cannot read the settings")?;
        let settings = Arc::new(settings);
        let calendar = self.calendar_of(&settings);
        self.gateway.set_calendar(calendar).await.context("cannot tell the ledgers the calendar")?;
        let waiting = settings.waiting.terms();
        self.gateway.set_waiting(waiting).await.context("cannot tell the ledgers who may wait")?;
        self.publish_keys(settings, &mut turn).await
    }

    async fn publish_keys(
        &self,
        settings: Arc<SystemSettings>,
        published: &mut Effective,
    ) -> anyhow::Result<()> {
        let entries = self.store.directory().await.context("cannot read the api keys")?;
        let mut effective = Effective::default();
        let entries = entries.into_iter().map(|entry| {
            let (user_limits, key_limits) = effective.add(&entry, &settings.default_limits, published);
            let caller = Caller {
                key: entry.key_id,
                user: entry.user_id,
                groups: entry.groups.into(),
                user_limits,
                key_limits,
                rules: CallerRules::of(&entry.user_restrictions, &entry.key_restrictions).map(Arc::new),
                settings: Arc::clone(&settings),
                enabled: entry.enabled,
                expires_at: entry.expires_at,
                badge: Arc::new(Badge {
                    role: entry.role,
                    web_login: entry.web_login,
                    name: format!("{} (key {})", entry.user_name, entry.key_name).into(),
                }),
            };
            (entry.digest, caller)
        });
        let keys = Arc::new(KeyDirectory::new(self.digester.clone(), entries));
        *published = effective;
        self.publish(|version| Version { keys, settings, ..version });
        Ok(())
    }

    /// Puts another version in place of the present one. Only in one's turn: two at once would lose one.
    fn publish(&self, change: impl FnOnce(Version) -> Version) {
        let present = Version::clone(&self.version.load());
        self.version.store(Arc::new(change(present)));
    }

    /// Reads the providers again and hands them to the dispatcher.
    ///
    /// # Errors
    /// When the database can't be read or the dispatcher is overloaded.
    pub async fn refresh_providers(&self) -> anyhow::Result<()> {
        let _turn = self.refreshing.lock().await;
        let cards = self.store.providers().await.context("cannot read the providers")?;
        let cards: Vec<_> = cards.into_iter().map(Arc::new).collect();
        let table = self.gateway.configure(cards.clone()).await.context("cannot configure the dispatcher")?;
        self.publish(|version| Version {
            offers: Arc::new(Offers::new(&cards, Arc::clone(&version.prices))),
            choosy: cards.iter().filter(|card| !card.restrictions.clients.admit_all()).cloned().collect(),
            cards: Arc::new(cards),
            table,
            ..version
        });
        Ok(())
    }

    /// Reads the prices again, and how they are applied.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn refresh_prices(&self) -> anyhow::Result<()> {
        let _turn = self.refreshing.lock().await;
        let now = Utc::now();
        let models = self.store.price_schedule(now).await.context("cannot read the prices")?;
        let providers = self.store.provider_prices(now).await.context("cannot read the providers' prices")?;
        let billing = self.store.setting(BILLING).await.context("cannot read the setting `billing`")?;
        let prices = Arc::new(PriceList::new(models, providers, billing.unwrap_or_default(), now));
        self.publish(|version| Version {
            offers: Arc::new(Offers::new(&version.cards, Arc::clone(&prices))),
            prices,
            ..version
        });
        Ok(())
    }

    /// Everything at this moment. A request looks once, when it arrives.
    #[must_use]
    pub fn version(&self) -> Arc<Version> {
        self.version.load_full()
    }

    /// The api keys.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyDirectory> {
        Arc::clone(&self.version.load().keys)
    }

    /// The settings of the system. A request goes by those of its caller.
    #[must_use]
    pub fn settings(&self) -> Arc<SystemSettings> {
        Arc::clone(&self.version.load().settings)
    }

    /// The calendar of limits that follows from such settings.
    #[must_use]
    pub fn calendar_of(&self, settings: &SystemSettings) -> Calendar {
        settings.calendar(self.home)
    }

    /// What binds a user, whose `own` limits are these; the very value that callers come with, if there is one.
    pub async fn limits_of_user(&self, id: UserId, own: &Limits) -> Arc<Limits> {
        let published = self.refreshing.lock().await.user(id);
        published.unwrap_or_else(|| Arc::new(own.inherit(&self.settings().default_limits)))
    }

    /// What binds a key, if it is in force.
    pub async fn limits_of_key(&self, id: KeyId) -> Option<Arc<Limits>> {
        self.refreshing.lock().await.key(id)
    }

    /// The providers.
    #[must_use]
    pub fn cards(&self) -> Arc<Vec<Arc<Card>>> {
        Arc::clone(&self.version.load().cards)
    }

    /// The prices.
    #[must_use]
    pub fn prices(&self) -> Arc<PriceList> {
        Arc::clone(&self.version.load().prices)
    }

    /// The models that were served without a price.
    #[must_use]
    pub fn unpriced(&self) -> &Unpriced {
        &self.unpriced
    }
}
