//! The list of users.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};
use diesel_async::RunQueryDsl;

use super::{ListAsk, Place, Rank, SOON, Start, Status, holding, load_page, mentioning, of_status};
use crate::store::{
    Role, Store, User, db::db, error::StoreError, page::Page, schema::users, text::Clean, types::Ts,
    users::Row,
};

/// Which users; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of these numbers.
    pub ids: Option<Vec<i64>>,
    /// With this in the name or in a tag, capitals or not.
    pub q: Option<String>,
    /// Of this role.
    pub role: Option<Role>,
    /// In this group.
    pub group: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Turned on, or off.
    pub enabled: Option<bool>,
    /// Standing like this.
    pub status: Option<Status>,
}

impl Store {
    /// Users, in pages.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a text to look for is too long, or when the database does not answer.
    pub async fn users(&self, ask: ListAsk<UserFilter>) -> Result<Page<User, Place>, StoreError> {
        let ListAsk { filter, start, limit } = ask;
        let (dialect, order) = (self.dialect(), start.order());
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let mut query = users::table.select(Row::as_select()).into_boxed();
            if let Some(ids) = filter.ids {
                query = query.filter(users::id.eq_any(ids));
            }
            if let Some(role) = filter.role {
                query = query.filter(users::role.eq(role.name()));
            }
            query = of_status!(query, users, filter.enabled, filter.status);
            query = holding!(query, dialect, "groups", filter.group);
            query = holding!(query, dialect, "tags", filter.tag);
            query = mentioning!(query, dialect, &["name"], &["tags"], filter.q);
            load_page!(conn, query, dialect, start, limit)
        })?;
        Page::new(rows, limit, |row| Place::behind(order, row)).try_map(User::try_from)
    }
}
