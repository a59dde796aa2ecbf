//! What there is to choose from when the log is filtered: what occurs in it.

use actors::ids::{KeyId, UserId};
use diesel::{
    prelude::*,
    sql_types::{Integer, Text},
};
use diesel_async::RunQueryDsl;

use crate::store::{
    Facet, Store, db::db, error::StoreError, schema::requests, text::Clean, usage::client_of,
};

/// Where the log itself is read, its latest requests are looked at.
const LATEST: i64 = 10_000;

/// What occurs in the log, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Users, by id.
    pub users: Vec<i64>,
    /// Keys, by id.
    pub keys: Vec<i64>,
    /// Providers, by id.
    pub providers: Vec<i64>,
    /// Models that were asked for.
    pub models: Vec<String>,
    /// Programs.
    pub clients: Vec<String>,
    /// Statuses.
    pub statuses: Vec<u16>,
}

#[derive(QueryableByName)]
struct Subject {
    #[diesel(sql_type = Text)]
    facet: String,
    #[diesel(sql_type = Text)]
    subject: String,
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Integer)]
    status: i32,
}

/// No index begins with the status; the latest rows are what somebody who looks at the log would filter.
fn latest_statuses() -> String {
    format!(
        "SELECT DISTINCT status FROM (SELECT status FROM requests ORDER BY started_at DESC LIMIT {LATEST}) AS latest"
    )
}

impl Store {
    /// What occurs in the whole log; of statuses, in its latest requests.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn request_choices(&self) -> Result<Choices, StoreError> {
        let (subjects, statuses): (Vec<Subject>, Vec<Status>) = db!(self.engine(), read, conn => {
            let subjects = "SELECT DISTINCT facet, subject FROM usage_days WHERE subject <> ''";
            let subjects = diesel::sql_query(subjects).load(conn).await?;
            (subjects, diesel::sql_query(latest_statuses()).load(conn).await?)
        })?;
        let mut choices = Choices::default();
        for Subject { facet, subject } in subjects {
            let ids = match facet.parse() {
                Ok(Facet::User) => &mut choices.users,
                Ok(Facet::Key) => &mut choices.keys,
                Ok(Facet::Provider) => &mut choices.providers,
                Ok(Facet::Model) => {
                    choices.models.push(subject);
                    continue;
                }
                Ok(Facet::Client) => {
                    choices.clients.push(subject);
                    continue;
                }
                Err(()) => continue,
            };
            ids.extend(subject.parse::<i64>());
        }
        choices.statuses = statuses.into_iter().filter_map(|row| u16::try_from(row.status).ok()).collect();
        Ok(choices.in_order())
    }

    /// What occurs in the latest requests of one user, or of one key.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn request_choices_of(&self, user: UserId, key: Option<KeyId>) -> Result<Choices, StoreError> {
        type Row = (Option<i64>, Option<Clean>, Option<Clean>, i32);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let columns = (requests::key_id, requests::model, requests::user_agent, requests::status);
            let mut query = requests::table.select(columns).into_boxed();
            query = query.filter(requests::user_id.eq(user.0));
            if let Some(KeyId(key)) = key {
                query = query.filter(requests::key_id.eq(key));
            }
            query.order(requests::started_at.desc()).limit(LATEST).load(conn).await?
        })?;
        let mut choices = Choices::default();
        for (key, model, user_agent, status) in rows {
            choices.keys.extend(key);
            choices.models.extend(model.map(Clean::into_string));
            choices.clients.extend(user_agent.map(|name| client_of(name.as_str()).to_owned()));
            choices.statuses.extend(u16::try_from(status).ok());
        }
        Ok(choices.in_order())
    }
}

impl Choices {
    fn in_order(mut self) -> Self {
        for ids in [&mut self.users, &mut self.keys, &mut self.providers] {
            ids.sort_unstable();
            ids.dedup();
        }
        for names in [&mut self.models, &mut self.clients] {
            names.sort_unstable();
            names.dedup();
        }
        self.statuses.sort_unstable();
        self.statuses.dedup();
        self
    }
}
