//! The list of providers.

use actors::provider::card::Kind;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};
use diesel_async::RunQueryDsl;
use protocol::Format;

use super::{ListAsk, Place, Rank, Start, holding, load_page, mentioning};
use crate::store::{
    Provider, Store, db::db, error::StoreError, page::Page, providers::Row, schema::providers, text::Clean,
    types::Ts,
};

/// Which providers; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderFilter {
    /// Of these numbers.
    pub ids: Option<Vec<i64>>,
    /// With this in the name, the notes or the address, capitals or not.
    pub q: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// For this group.
    pub group: Option<String>,
    /// Turned on, or off.
    pub enabled: Option<bool>,
    /// That serve this format, by themselves or by their kind.
    pub format: Option<Format>,
}

impl Store {
    /// Providers, in pages.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the provider whose credential does not open; [`StoreError::Invalid`] when a
    /// text to look for is too long.
    pub async fn provider_list(
        &self,
        ask: ListAsk<ProviderFilter>,
    ) -> Result<Page<Provider, Place>, StoreError> {
        let ListAsk { filter, start, limit } = ask;
        let (dialect, order) = (self.dialect(), start.order());
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query = providers::table.select(Row::as_select()).into_boxed();
            if let Some(ids) = filter.ids {
                query = query.filter(providers::id.eq_any(ids));
            }
            if let Some(kind) = filter.kind {
                query = query.filter(providers::kind.eq(kind.name()));
            }
            if let Some(enabled) = filter.enabled {
                query = query.filter(providers::enabled.eq(enabled));
            }
            if let Some(format) = filter.format {
                let kinds = Kind::ALL.iter().filter(|kind| kind.formats().contains(&format)).map(|kind| kind.name());
                let by_kind = providers::kind.eq_any(kinds).and(sql::<Bool>("formats = '[]'"));
                let by_itself = sql::<Bool>(&dialect.holds("formats")).bind::<Text, _>(format.name()).sql(")");
                query = query.filter(by_kind.or(by_itself));
            }
            query = holding!(query, dialect, "groups", filter.group);
            query = mentioning!(query, dialect, &["name", "notes", "base_url"], &[], filter.q);
            load_page!(conn, query, dialect, start, limit)
        })?;
        Page::new(rows, limit, |row| Place::behind(order, row)).try_map(|row| row.open(self.sealer()))
    }
}
