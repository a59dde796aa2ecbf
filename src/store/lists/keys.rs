//! The list of api keys, of all users or of one.

use actors::ids::UserId;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};
use diesel_async::RunQueryDsl;

use super::{ListAsk, Place, Rank, SOON, Start, Status, holding, load_page, mentioning, of_status};
use crate::store::{
    Key, Store, db::db, error::StoreError, keys::Row, page::Page, schema::api_keys, text::Clean, types::Ts,
};

/// Which keys; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Of these numbers.
    pub ids: Option<Vec<i64>>,
    /// With this in the name, the first characters or the last four, capitals or not.
    pub q: Option<String>,
    /// Of this user.
    pub user_id: Option<UserId>,
    /// With this among its own groups.
    pub group: Option<String>,
    /// Turned on, or off.
    pub enabled: Option<bool>,
    /// Standing like this, whatever its user does.
    pub status: Option<Status>,
    /// Whether it may log in to the console.
    pub web_login: Option<bool>,
}

impl Store {
    /// Keys, in pages.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a text to look for is too long, or when the database does not answer.
    pub async fn keys(&self, ask: ListAsk<KeyFilter>) -> Result<Page<Key, Place>, StoreError> {
        let ListAsk { filter, start, limit } = ask;
        let (dialect, order) = (self.dialect(), start.order());
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query = api_keys::table.select(Row::as_select()).into_boxed();
            if let Some(ids) = filter.ids {
                query = query.filter(api_keys::id.eq_any(ids));
            }
            if let Some(UserId(user)) = filter.user_id {
                query = query.filter(api_keys::user_id.eq(user));
            }
            if let Some(web_login) = filter.web_login {
                query = query.filter(api_keys::web_login.eq(web_login));
            }
            query = of_status!(query, api_keys, filter.enabled, filter.status);
            query = holding!(query, dialect, "groups", filter.group);
            query = mentioning!(query, dialect, &["name", "prefix", "last_four"], &[], filter.q);
            load_page!(conn, query, dialect, start, limit)
        })?;
        let page = Page::new(rows, limit, |row| Place::behind(order, row));
        Ok(Page { items: page.items.into_iter().map(Key::from).collect(), next: page.next })
    }
}
