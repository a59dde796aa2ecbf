//! The store: SQLite or PostgreSQL behind one set of functions. The only SQL in the house.
//!
//! [`Store`] is a cheap handle. Each table family adds its functions in a file of its own: rows
//! are private to that file and become domain types at the door. Provider credentials are sealed
//! and opened here too, so nobody else can forget it (C-09).
//!
//! Nothing on the way of a request waits for the store once the caller is known; the recorder and
//! the admin plane are its users.

mod audit;
pub mod backup;
mod batches;
mod begin_anew;
mod console_sessions;
mod db;
mod digest_key;
mod directory;
mod error;
mod expected;
mod idempotency;
mod identities;
mod keys;
mod ledger;
mod limits;
mod lists;
mod migrate;
mod page;
mod passwords;
mod ports;
mod postgres;
mod prices;
mod providers;
mod requests;
mod restrictions;
mod schema;
mod seals;
mod settings;
mod sqlite;
mod system;
#[cfg(test)]
mod tests;
mod text;
mod trash;
mod types;
mod usage;
mod users;

use std::sync::Arc;

use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;

use self::db::{Engine, db};
pub use self::{
    audit::{AuditFilter, Audited, Author, Deed, REFUSED},
    batches::{Batch, Made, Mode, RowChange, Undone},
    begin_anew::Forgotten,
    console_sessions::{ConsoleSession, NewConsoleSession, OwnKey, Owner, Standing, Way},
    db::PoolState,
    directory::DirectoryEntry,
    error::StoreError,
    expected::Expected,
    idempotency::{Claim, Claimed, Given},
    identities::Identity,
    keys::{Key, KeyChange, NewKey},
    ledger::{Corrected, Correction, Drift},
    lists::{By, KeyFilter, ListAsk, Order, Place, ProviderFilter, Start, Status, UserFilter},
    page::{Cursor, Page},
    passwords::{Applicant, Kept},
    prices::{ImportOrigin, PriceImport, PriceRow, PriceSource, ProviderPriceRow},
    providers::{NewProvider, Provider, ProviderChange},
    requests::{Choices, RequestClass, RequestCursor, RequestFilter},
    seals::{Pass, SealReport, Seals},
    system::{MoneyRefusal, SystemSettings, Waiting},
    trash::{TrashKind, Trashed},
    usage::{AttemptLine, AttemptsAsk, Facet, Firsts, Tally, UsageAsk, UsageLine, UsageOf},
    users::{NewUser, Role, User, UserChange},
};
use crate::{
    config::store::{StoreSettings, StoreUrl},
    secrets::sealing::Sealer,
};

/// A handle on the database.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Who is behind what is asked of this handle, for the audit log.
    author: Option<Author>,
    /// Which version a row must have to be changed by this handle.
    expected: Expected,
}

struct Inner {
    engine: Engine,
    sealer: Sealer,
    url: StoreUrl,
}

impl Store {
    /// Prepares access to the database that `settings` name. Connections are made when needed, so
    /// a database that is away is noticed by the first call, such as [`Store::ping`].
    ///
    /// # Errors
    /// When the URL makes no sense or the directory of an SQLite file cannot be made.
    pub fn open(settings: &StoreSettings, sealer: Sealer) -> Result<Self, StoreError> {
        let engine = Engine::new(settings)?;
        let inner = Arc::new(Inner { engine, sealer, url: settings.url.clone() });
        Ok(Self { inner, author: None, expected: Expected::Any })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with the cause when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        db!(self.engine(), read, conn => {
            diesel::select(diesel::dsl::sql::<Integer>("1")).get_result::<i32>(conn).await?;
        })
    }

    /// The connections of each pool.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolState> {
        self.engine().pools()
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    fn url(&self) -> &StoreUrl {
        &self.inner.url
    }
}
