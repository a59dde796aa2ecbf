//! Providers. Credentials are sealed on the way in and opened on the way out.

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Limits, Timeouts},
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use protocol::Format;

use super::{
    Store,
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::providers,
    types::{Amount, At, Clean, Json},
};
use crate::secrets::sealing::Sealer;

/// A provider as the admin plane shows it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What the actors work with.
    pub card: Card,
    /// The operator's own words.
    pub notes: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A provider to be made.
#[derive(Debug, Clone)]
pub struct NewProvider {
    /// Unique.
    pub name: String,
    /// The preset for authentication, paths and formats.
    pub kind: Kind,
    /// Where the upstream is.
    pub base_url: String,
    /// What authenticates us there.
    pub credential: Credential,
    /// The wire formats it serves; empty means those of the kind.
    pub formats: Vec<Format>,
    /// Share of the choice among providers of equal priority.
    pub weight: u32,
    /// Lower goes first.
    pub priority: i32,
    /// Factor on prices.
    pub cost_multiplier: Money,
    /// Groups that may use it; empty means everyone.
    pub groups: Vec<String>,
    /// Models it may be asked for; empty means all.
    pub allowed_models: Vec<String>,
    /// Asked-for model to the model that is sent instead.
    pub model_redirects: BTreeMap<String, String>,
    /// Bounds on what is sent there.
    pub limits: Limits,
    /// How its breaker behaves.
    pub breaker: BreakerSettings,
    /// How long the stages of an attempt may take.
    pub timeouts: Timeouts,
    /// Whether its host may be a private or loopback address.
    pub allow_private_network: bool,
    /// Whether it is in the running at all.
    pub enabled: bool,
    /// The operator's own words.
    pub notes: String,
}

/// What to change about a provider; what is none stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field means what it means in `NewProvider`")]
pub struct ProviderChange {
    pub name: Option<String>,
    pub kind: Option<Kind>,
    pub base_url: Option<String>,
    pub credential: Option<Credential>,
    pub formats: Option<Vec<Format>>,
    pub weight: Option<u32>,
    pub priority: Option<i32>,
    pub cost_multiplier: Option<Money>,
    pub groups: Option<Vec<String>>,
    pub allowed_models: Option<Vec<String>>,
    pub model_redirects: Option<BTreeMap<String, String>>,
    pub limits: Option<Limits>,
    pub breaker: Option<BreakerSettings>,
    pub timeouts: Option<Timeouts>,
    pub allow_private_network: Option<bool>,
    pub enabled: Option<bool>,
    pub notes: Option<String>,
}

impl Store {
    /// Makes a provider.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken, [`StoreError::Invalid`] for a value that
    /// cannot be stored.
    pub async fn create_provider(&self, new: NewProvider) -> Result<Provider, StoreError> {
        let credential = new.credential.clone();
        let row = NewRow::new(new)?;
        let sealer = self.sealer().clone();
        // The seal names the row, and the row gets its number from the database: so it is put in
        // without a credential and completed before anyone else can see it.
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let id: i64 = diesel::insert_into(providers::table)
                    .values(row)
                    .returning(providers::id)
                    .get_result(conn)
                    .await?;
                diesel::update(providers::table.find(id))
                    .set(providers::credential.eq(seal(&sealer, &credential, id)))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await
            })
            .await?
        })?;
        row.open(self.sealer())
    }

    /// The provider with that id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn provider(&self, id: ProviderId) -> Result<Provider, StoreError> {
        let row: Option<Row> = db!(self.engine(), read, conn => {
            providers::table.find(id.0).select(Row::as_select()).first(conn).await.optional()?
        })?;
        row.ok_or(NOT_FOUND)?.open(self.sealer())
    }

    /// Every provider's card, for the actors.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the provider whose credential does not open.
    pub async fn providers(&self) -> Result<Vec<Card>, StoreError> {
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            providers::table.order(providers::id).select(Row::as_select()).load(conn).await?
        })?;
        rows.into_iter().map(|row| Ok(row.open(self.sealer())?.card)).collect()
    }

    /// Providers in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the provider whose credential does not open.
    pub async fn provider_list(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Provider>, StoreError> {
        let after = after.map_or(0, |cursor| cursor.0);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            providers::table
                .filter(providers::id.gt(after))
                .order(providers::id)
                .limit(Page::<Provider>::fetch(limit))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        Page::new(rows, limit, |row| Cursor(row.id)).try_map(|row| row.open(self.sealer()))
    }

    /// Changes a provider, which gives it the next version, and returns the result.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] when the new name is taken,
    /// [`StoreError::Invalid`] for a value that cannot be stored.
    pub async fn update_provider(
        &self,
        id: ProviderId,
        change: ProviderChange,
    ) -> Result<Provider, StoreError> {
        let change = Changes::new(id, change, self.sealer())?;
        let row: Option<Row> = db!(self.engine(), write, conn => {
            diesel::update(providers::table.find(id.0))
                .set((change, providers::version.eq(providers::version + 1)))
                .returning(Row::as_returning())
                .get_result(conn)
                .await
                .optional()?
        })?;
        row.ok_or(NOT_FOUND)?.open(self.sealer())
    }

    /// Removes a provider. Request rows stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_provider(&self, id: ProviderId) -> Result<(), StoreError> {
        let removed: usize = db!(self.engine(), write, conn => {
            diesel::delete(providers::table.find(id.0)).execute(conn).await?
        })?;
        if removed == 0 { Err(NOT_FOUND) } else { Ok(()) }
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "provider" };

fn seal(sealer: &Sealer, credential: &Credential, id: i64) -> Vec<u8> {
    sealer.seal(credential.reveal().as_bytes(), &record(id))
}

/// The name a credential is sealed under.
fn record(id: i64) -> String {
    format!("providers/{id}/credential")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = providers)]
struct Row {
    id: i64,
    version: i64,
    name: Clean,
    kind: Clean,
    base_url: Clean,
    credential: Vec<u8>,
    formats: Json<Vec<Format>>,
    weight: i32,
    priority: i32,
    cost_multiplier: Amount,
    groups: Json<Vec<String>>,
    allowed_models: Json<Vec<String>>,
    model_redirects: Json<BTreeMap<String, String>>,
    limits: Json<Limits>,
    breaker: Json<BreakerSettings>,
    timeouts: Json<Timeouts>,
    allow_private_network: bool,
    enabled: bool,
    notes: Clean,
    created_at: At,
    updated_at: At,
}

impl Row {
    fn open(self, sealer: &Sealer) -> Result<Provider, StoreError> {
        let name = self.name.into_string();
        let corrupt = |what: &dyn std::fmt::Display| {
            StoreError::Corrupt(format!("provider `{name}` (id {}): {what}", self.id))
        };
        let kind = Kind::from_name(self.kind.as_str())
            .ok_or_else(|| corrupt(&format_args!("kind `{}`", self.kind.as_str())))?;
        let credential = sealer
            .open(&self.credential, &record(self.id))
            .map_err(|error| corrupt(&format_args!("credential: {error}")))?;
        let credential = String::from_utf8(credential).map_err(|_| corrupt(&"credential: not text"))?;
        let weight = u32::try_from(self.weight).map_err(|_| corrupt(&"weight below zero"))?;
        let formats = if self.formats.0.is_empty() { kind.formats().to_vec() } else { self.formats.0 };
        let card = Card {
            id: ProviderId(self.id),
            version: self.version,
            name,
            kind,
            base_url: self.base_url.into_string(),
            credential: Credential::new(credential),
            formats,
            weight,
            priority: self.priority,
            cost_multiplier: self.cost_multiplier.money(),
            groups: self.groups.0,
            allowed_models: self.allowed_models.0,
            model_redirects: self.model_redirects.0,
            limits: self.limits.0,
            breaker: self.breaker.0,
            timeouts: self.timeouts.0,
            allow_private_network: self.allow_private_network,
            enabled: self.enabled,
        };
        Ok(Provider {
            card,
            notes: self.notes.into_string(),
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = providers)]
struct NewRow {
    version: i64,
    name: Clean,
    kind: &'static str,
    base_url: Clean,
    credential: Vec<u8>,
    formats: Json<Vec<Format>>,
    weight: i32,
    priority: i32,
    cost_multiplier: Amount,
    groups: Json<Vec<String>>,
    allowed_models: Json<Vec<String>>,
    model_redirects: Json<BTreeMap<String, String>>,
    limits: Json<Limits>,
    breaker: Json<BreakerSettings>,
    timeouts: Json<Timeouts>,
    allow_private_network: bool,
    enabled: bool,
    notes: Clean,
    created_at: At,
    updated_at: At,
}

impl NewRow {
    /// Everything but the credential.
    fn new(new: NewProvider) -> Result<Self, StoreError> {
        let now = At::now();
        Ok(Self {
            version: 1,
            name: Clean::name(&new.name, "name")?,
            kind: new.kind.name(),
            base_url: base_url(&new.base_url)?,
            credential: Vec::new(),
            formats: Json(new.formats),
            weight: weight(new.weight)?,
            priority: new.priority,
            cost_multiplier: Amount::exact(&new.cost_multiplier, "cost_multiplier")?,
            groups: Json(new.groups),
            allowed_models: Json(new.allowed_models),
            model_redirects: Json(new.model_redirects),
            limits: Json(new.limits),
            breaker: Json(new.breaker),
            timeouts: Json(new.timeouts),
            allow_private_network: new.allow_private_network,
            enabled: new.enabled,
            notes: notes(&new.notes)?,
            created_at: now,
            updated_at: now,
        })
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = providers)]
struct Changes {
    name: Option<Clean>,
    kind: Option<&'static str>,
    base_url: Option<Clean>,
    credential: Option<Vec<u8>>,
    formats: Option<Json<Vec<Format>>>,
    weight: Option<i32>,
    priority: Option<i32>,
    cost_multiplier: Option<Amount>,
    groups: Option<Json<Vec<String>>>,
    allowed_models: Option<Json<Vec<String>>>,
    model_redirects: Option<Json<BTreeMap<String, String>>>,
    limits: Option<Json<Limits>>,
    breaker: Option<Json<BreakerSettings>>,
    timeouts: Option<Json<Timeouts>>,
    allow_private_network: Option<bool>,
    enabled: Option<bool>,
    notes: Option<Clean>,
    updated_at: At,
}

impl Changes {
    fn new(id: ProviderId, change: ProviderChange, sealer: &Sealer) -> Result<Self, StoreError> {
        let multiplier = |amount: Money| Amount::exact(&amount, "cost_multiplier");
        Ok(Self {
            name: change.name.map(|name| Clean::name(&name, "name")).transpose()?,
            kind: change.kind.map(Kind::name),
            base_url: change.base_url.map(|url| base_url(&url)).transpose()?,
            credential: change.credential.map(|credential| seal(sealer, &credential, id.0)),
            formats: change.formats.map(Json),
            weight: change.weight.map(weight).transpose()?,
            priority: change.priority,
            cost_multiplier: change.cost_multiplier.map(multiplier).transpose()?,
            groups: change.groups.map(Json),
            allowed_models: change.allowed_models.map(Json),
            model_redirects: change.model_redirects.map(Json),
            limits: change.limits.map(Json),
            breaker: change.breaker.map(Json),
            timeouts: change.timeouts.map(Json),
            allow_private_network: change.allow_private_network,
            enabled: change.enabled,
            notes: change.notes.map(|text| notes(&text)).transpose()?,
            updated_at: At::now(),
        })
    }
}

fn base_url(url: &str) -> Result<Clean, StoreError> {
    Clean::whole(url, 2_000, "base_url")
}

fn notes(text: &str) -> Result<Clean, StoreError> {
    Clean::whole(text, 10_000, "notes")
}

fn weight(weight: u32) -> Result<i32, StoreError> {
    i32::try_from(weight).map_err(|_| StoreError::invalid("weight", "is too large a number"))
}
