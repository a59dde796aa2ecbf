//! The rows of an export, read from the log page by page with what is told beside them. No connection and no
//! transaction is held from one page to the next.

use std::{collections::HashMap, time::Duration};

use actors::money::Pico;
use tokio::time::sleep;

use super::columns::Line;
use crate::{
    journal::record::Record,
    store::{Facet, RequestCursor, RequestFilter, Store, StoreError},
};

/// Rows of a page: as many as the store gives at once.
const PAGE: usize = 500;
/// How often a database that is away is asked again for a page, and how long is waited in between.
const TRIES: u32 = 15;
const PAUSE: Duration = Duration::from_secs(2);

/// Reads on where it has come to.
pub(super) struct Lines {
    store: Store,
    filter: RequestFilter,
    tells_providers: bool,
    users: Names,
    keys: Names,
    providers: Names,
    /// Where the next page begins; none when there is none.
    next: Option<Option<RequestCursor>>,
}

/// What those are called that came up so far.
struct Names(Facet, HashMap<i64, Option<String>>);

impl Lines {
    /// All that match, newest first. What providers are called is not everybody's business.
    pub(super) fn new(store: Store, filter: RequestFilter, tells_providers: bool) -> Self {
        let names = |facet| Names(facet, HashMap::new());
        let (users, keys, providers) = (names(Facet::User), names(Facet::Key), names(Facet::Provider));
        Self { store, filter, tells_providers, users, keys, providers, next: Some(None) }
    }

    /// How many there are.
    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        let tally = patiently(async || self.store.request_totals(self.filter.clone()).await).await?;
        Ok(u64::try_from(tally.requests).unwrap_or_default())
    }

    /// The next page; none behind the last.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<Line>>, StoreError> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let (store, filter) = (&self.store, &self.filter);
        let page = patiently(async || store.requests(filter.clone(), after, PAGE).await).await?;
        let ids = || page.items.iter().map(|record| record.id);
        let corrections = patiently(async || store.corrections(ids()).await).await?;
        let seen = |id: fn(&Record) -> Option<i64>| page.items.iter().filter_map(id);
        self.users.learn(store, seen(|record| record.user_id.map(|id| id.0))).await?;
        self.keys.learn(store, seen(|record| record.key_id.map(|id| id.0))).await?;
        if self.tells_providers {
            self.providers.learn(store, seen(|record| record.provider_id.map(|id| id.0))).await?;
        }
        let line = |record: Record| Line {
            user: self.users.of(record.user_id.map(|id| id.0)),
            key: self.keys.of(record.key_id.map(|id| id.0)),
            provider: self.providers.of(record.provider_id.map(|id| id.0)),
            correction: corrections
                .get(&record.id)
                .map(|made| made.iter().fold(Pico::ZERO, |sum, one| sum + one.amount)),
            record,
        };
        let lines = page.items.into_iter().map(line).collect();
        self.next = page.next.map(Some);
        Ok(Some(lines))
    }
}

impl Names {
    async fn learn(&mut self, store: &Store, ids: impl Iterator<Item = i64>) -> Result<(), StoreError> {
        let mut new: Vec<i64> = ids.filter(|id| !self.1.contains_key(id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let mut names = patiently(async || store.names(self.0, new.clone()).await).await?;
        self.1.extend(new.into_iter().map(|id| (id, names.remove(&id))));
        Ok(())
    }

    fn of(&self, id: Option<i64>) -> Option<String> {
        self.1.get(&id?).cloned().flatten()
    }
}

/// Asks again where the database is away for a moment.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if error.is_temporary() => sleep(PAUSE).await,
            answer => return answer,
        }
    }
    ask().await
}
