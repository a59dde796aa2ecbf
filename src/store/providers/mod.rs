//! Providers. Credentials are sealed on the way in and opened on the way out.

mod rows;

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
    restrictions::ProviderRestrictions,
};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use protocol::Format;

use self::rows::NewRow;
pub(super) use self::rows::{Changes, Row, opens, resealed, seal};
use super::{
    Store,
    audit::{NOTHING, tell},
    db::db,
    error::StoreError,
    schema::providers,
};

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
    /// Whom it serves, and when.
    pub restrictions: ProviderRestrictions,
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
    pub restrictions: Option<ProviderRestrictions>,
    pub model_redirects: Option<BTreeMap<String, String>>,
    pub limits: Option<Limits>,
    pub breaker: Option<BreakerSettings>,
    pub timeouts: Option<Timeouts>,
    pub allow_private_network: Option<bool>,
    pub enabled: Option<bool>,
    pub notes: Option<String>,
}

/// Changes a row in a transaction, and gives it before and after.
macro_rules! change_provider {
    ($conn:ident, $id:expr, $expected:expr, $change:expr) => {{
        use $crate::store::{
            error::StoreError,
            providers::{NOT_FOUND, Row},
            schema::providers,
        };
        let before: Option<Row> =
            providers::table.find($id).select(Row::as_select()).first($conn).await.optional()?;
        let before = before.ok_or(NOT_FOUND)?;
        $expected.check(before.version)?;
        let row = providers::table.find($id).filter(providers::version.eq(before.version));
        let after: Option<Row> = diesel::update(row)
            .set(($change, providers::version.eq(before.version + 1)))
            .returning(Row::as_returning())
            .get_result($conn)
            .await
            .optional()?;
        let after = after.ok_or(StoreError::Stale { version: before.version + 1 })?;
        (before, after)
    }};
}
pub(super) use change_provider;

impl Store {
    /// Makes a provider.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken, [`StoreError::Invalid`] for a value that
    /// cannot be stored.
    pub async fn create_provider(&self, new: NewProvider) -> Result<Provider, StoreError> {
        let credential = new.credential.clone();
        let row = NewRow::new(new)?;
        let (sealer, author) = (self.sealer().clone(), self.author());
        // The seal names the row, and the row gets its number from the database: so it is put in
        // without a credential and completed before anyone else can see it.
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let id: i64 = diesel::insert_into(providers::table)
                    .values(row)
                    .returning(providers::id)
                    .get_result(conn)
                    .await?;
                let made: Row = diesel::update(providers::table.find(id))
                    .set(providers::credential.eq(seal(&sealer, &credential, id)))
                    .returning(Row::as_returning())
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "provider.create", subject(id), NOTHING, Some(&made));
                Ok::<_, StoreError>(made)
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
        let (author, expected) = (self.author(), self.expected());
        let row: Row = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let (before, after) = change_provider!(conn, id.0, expected, change);
                tell!(conn, author, "provider.update", subject(id.0), Some(&before), Some(&after.since(&before)));
                Ok::<_, StoreError>(after)
            })
            .await?
        })?;
        row.open(self.sealer())
    }
}

pub(super) const NOT_FOUND: StoreError = StoreError::NotFound { what: "provider" };

/// How the audit log names a provider.
pub(super) fn subject(id: i64) -> String {
    format!("provider/{id}")
}
