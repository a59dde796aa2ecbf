//! What there is to choose from when the log is filtered: what occurs in it.

use actors::ids::{KeyId, UserId};
use diesel::{
    prelude::*,
    sql_types::{Integer, Nullable, Text},
};
use diesel_async::RunQueryDsl;
use protocol::{Format, Operation};

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
    /// Formats, and what was asked in them.
    pub calls: Vec<(Format, Operation)>,
}

#[derive(QueryableByName)]
struct Subject {
    #[diesel(sql_type = Text)]
    facet: String,
    #[diesel(sql_type = Text)]
    subject: String,
}

#[derive(QueryableByName)]
struct Kind {
    #[diesel(sql_type = Integer)]
    status: i32,
    #[diesel(sql_type = Nullable<Text>)]
    format: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    operation: Option<String>,
}

/// No index begins with these; the latest rows are what somebody who looks at the log would filter.
fn latest_kinds() -> String {
    format!(
        "SELECT DISTINCT status, format, operation FROM \
         (SELECT status, format, operation FROM requests ORDER BY started_at DESC LIMIT {LATEST}) AS latest"
    )
}

impl Store {
    /// What occurs in the whole log; of statuses and calls, in its latest requests.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn request_choices(&self) -> Result<Choices, StoreError> {
        let (subjects, kinds): (Vec<Subject>, Vec<Kind>) = db!(self.engine(), read, conn => {
            let subjects = "SELECT DISTINCT facet, subject FROM usage_days WHERE subject <> ''";
            let subjects = diesel::sql_query(subjects).load(conn).await?;
            (subjects, diesel::sql_query(latest_kinds()).load(conn).await?)
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
                // Which of them go together, the rows tell.
                Ok(Facet::WireFormat | Facet::Operation) | Err(()) => continue,
            };
            ids.extend(subject.parse::<i64>());
        }
        for Kind { status, format, operation } in kinds {
            choices.took(status, format.as_deref(), operation.as_deref());
        }
        Ok(choices.in_order())
    }

    /// What occurs in the latest requests of one user, or of one key.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn request_choices_of(&self, user: UserId, key: Option<KeyId>) -> Result<Choices, StoreError> {
        type Row = (Option<i64>, Option<Clean>, Option<Clean>, i32, Option<Clean>, Option<Clean>);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            let columns = (
                requests::key_id,
                requests::model,
                requests::user_agent,
                requests::status,
                requests::format,
                requests::operation,
            );
            let mut query = requests::table.select(columns).into_boxed();
            query = query.filter(requests::user_id.eq(user.0));
            if let Some(KeyId(key)) = key {
                query = query.filter(requests::key_id.eq(key));
            }
            query.order(requests::started_at.desc()).limit(LATEST).load(conn).await?
        })?;
        let mut choices = Choices::default();
        for (key, model, user_agent, status, format, operation) in rows {
            choices.keys.extend(key);
            choices.models.extend(model.map(Clean::into_string));
            choices.clients.extend(user_agent.map(|name| client_of(name.as_str()).to_owned()));
            choices.took(status, format.as_ref().map(Clean::as_str), operation.as_ref().map(Clean::as_str));
        }
        Ok(choices.in_order())
    }
}

impl Choices {
    fn took(&mut self, status: i32, format: Option<&str>, operation: Option<&str>) {
        self.statuses.extend(u16::try_from(status).ok());
        let format = format.and_then(Format::from_name);
        self.calls.extend(format.zip(operation.and_then(Operation::from_name)));
    }

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
        self.calls.sort_unstable();
        self.calls.dedup();
        self
    }
}
