//! The rows of the providers table; credentials are sealed and opened here.

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
};
use diesel::prelude::*;
use protocol::Format;
use serde::Serialize;

use super::{NewProvider, Provider, ProviderChange};
use crate::{
    secrets::sealing::{SealError, Sealer},
    store::{
        error::StoreError,
        limits::LimitsDoc,
        lists::{By, Rank, Ranked},
        restrictions::ProviderRestrictionsDoc,
        schema::providers,
        text::Clean,
        types::{Amount, At, Json},
    },
};

/// The credential of a row, sealed under that row's name.
pub(in crate::store) fn seal(sealer: &Sealer, credential: &Credential, id: i64) -> Vec<u8> {
    sealer.seal(credential.reveal().as_bytes(), &record(id))
}

/// Whether the credential of a row opens.
pub(in crate::store) fn opens(sealer: &Sealer, credential: &[u8], id: i64) -> bool {
    sealer.open(credential, &record(id)).is_ok()
}

/// The credential of a row sealed anew; none where the current key has sealed it.
pub(in crate::store) fn resealed(
    sealer: &Sealer,
    credential: &[u8],
    id: i64,
) -> Result<Option<Vec<u8>>, SealError> {
    sealer.resealed(credential, &record(id))
}

/// The name a credential is sealed under.
fn record(id: i64) -> String {
    format!("providers/{id}/credential")
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = providers)]
pub(in crate::store) struct Row {
    pub(super) id: i64,
    pub(in crate::store) version: i64,
    name: Clean,
    kind: Clean,
    base_url: Clean,
    #[serde(skip)]
    credential: Vec<u8>,
    formats: Json<Vec<Format>>,
    weight: i32,
    priority: i32,
    cost_multiplier: Amount,
    groups: Json<Vec<String>>,
    allowed_models: Json<Vec<String>>,
    restrictions: Json<ProviderRestrictionsDoc>,
    model_redirects: Json<BTreeMap<String, String>>,
    limits: Json<LimitsDoc>,
    breaker: Json<BreakerSettings>,
    timeouts: Json<Timeouts>,
    allow_private_network: bool,
    enabled: bool,
    notes: Clean,
    created_at: At,
    updated_at: At,
}

impl Row {
    /// The provider, its credential opened.
    pub(in crate::store) fn open(self, sealer: &Sealer) -> Result<Provider, StoreError> {
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
            restrictions: self.restrictions.0.into(),
            model_redirects: self.model_redirects.0,
            limits: self.limits.0.into(),
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

impl Ranked for Row {
    fn id(&self) -> i64 {
        self.id
    }

    fn rank(&self, by: By) -> Rank {
        match by {
            By::Name => Rank::Text(self.name.clone()),
            By::CreatedAt => Rank::At(self.created_at),
            By::Priority => Rank::Number(self.priority.into()),
            By::Weight => Rank::Number(self.weight.into()),
            By::Id | By::ExpiresAt => Rank::None,
        }
    }
}

/// A row after a change, with a word on its credential, which is not shown.
#[derive(Serialize)]
pub(in crate::store) struct Changed<'a> {
    #[serde(flatten)]
    row: &'a Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'static str>,
}

impl Row {
    /// This row, which was `before`.
    pub(in crate::store) fn since(&self, before: &Self) -> Changed<'_> {
        let replaced = self.credential != before.credential;
        Changed { row: self, credential: replaced.then_some("replaced") }
    }
}

#[derive(Insertable)]
#[diesel(table_name = providers)]
pub(super) struct NewRow {
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
    restrictions: Json<ProviderRestrictionsDoc>,
    model_redirects: Json<BTreeMap<String, String>>,
    limits: Json<LimitsDoc>,
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
    pub(super) fn new(new: NewProvider) -> Result<Self, StoreError> {
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
            restrictions: Json(new.restrictions.into()),
            model_redirects: Json(new.model_redirects),
            limits: Json(new.limits.into()),
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
pub(in crate::store) struct Changes {
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
    restrictions: Option<Json<ProviderRestrictionsDoc>>,
    model_redirects: Option<Json<BTreeMap<String, String>>>,
    limits: Option<Json<LimitsDoc>>,
    breaker: Option<Json<BreakerSettings>>,
    timeouts: Option<Json<Timeouts>>,
    allow_private_network: Option<bool>,
    enabled: Option<bool>,
    notes: Option<Clean>,
    updated_at: At,
}

impl Changes {
    /// The columns that change, a new credential sealed.
    pub(in crate::store) fn new(
        id: ProviderId,
        change: ProviderChange,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
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
            restrictions: change.restrictions.map(|restrictions| Json(restrictions.into())),
            model_redirects: change.model_redirects.map(Json),
            limits: change.limits.map(|limits| Json(limits.into())),
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
