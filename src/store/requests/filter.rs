//! Which requests are meant: one filter for lists, totals and whatever else looks at the log.

use std::str::FromStr;

use actors::{
    ids::{KeyId, ProviderId, UserId},
    money::Pico,
};
use chrono::{DateTime, Utc};
use protocol::{Format, Operation};

use crate::{config::store::StoreUrl, store::Store};

/// Which requests to list; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Whose.
    pub user_id: Option<UserId>,
    /// With which key.
    pub key_id: Option<KeyId>,
    /// Answered by which provider.
    pub provider_id: Option<ProviderId>,
    /// For which model.
    pub model: Option<String>,
    /// With which program, as it calls itself.
    pub client: Option<String>,
    /// With which status.
    pub status: Option<u16>,
    /// That went how.
    pub class: Option<RequestClass>,
    /// With another status than this.
    pub not_status: Option<u16>,
    /// That took so many attempts or more.
    pub min_attempts: Option<u32>,
    /// That spoke this format.
    pub format: Option<Format>,
    /// That asked for this.
    pub operation: Option<Operation>,
    /// Of which conversation.
    pub session: Option<String>,
    /// Begun at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Begun before this instant.
    pub to: Option<DateTime<Utc>>,
    /// That cost so much or more.
    pub min_cost: Option<Pico>,
}

/// How a request went, as far as the caller could tell. Each is of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestClass {
    /// A whole answer came, and it was no error.
    Ok,
    /// What statistics count as an error.
    Error,
    /// The caller did not stay for the end.
    Left,
}

impl RequestClass {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Error, Self::Left];

    /// The name used in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Left => "left",
        }
    }

    /// As a condition.
    pub(in crate::store) const fn condition(self) -> &'static str {
        match self {
            Self::Ok => "(ending = 'complete' AND (status < 400 OR status = 499))",
            Self::Error => "(status >= 400 AND status <> 499 OR ending NOT IN ('complete', 'caller_left'))",
            Self::Left => "(ending = 'caller_left' AND (status < 400 OR status = 499))",
        }
    }
}

impl FromStr for RequestClass {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == name).ok_or(())
    }
}

impl RequestFilter {
    /// Whether it lets none through but what the index of the unusual holds.
    pub(super) fn is_unusual(&self) -> bool {
        let by_class = matches!(self.class, Some(RequestClass::Error | RequestClass::Left));
        by_class || self.status.is_some_and(|status| status != USUAL) || self.not_status == Some(USUAL)
    }
}

impl Store {
    /// The program of a row, as an index has it; see `client_of`.
    pub(super) fn client_column(&self) -> &'static str {
        match self.url() {
            StoreUrl::Sqlite(_) => {
                "substr(user_agent, 1, instr(replace(user_agent, ' ', '/') || '/', '/') - 1)"
            }
            StoreUrl::Postgres(_) => "split_part(replace(user_agent, ' ', '/'), '/', 1)",
        }
    }
}

/// The status that nearly all requests are answered with.
pub(super) const USUAL: u16 = 200;
/// The condition of the index that holds all others and whoever did not end well, to the letter.
pub(super) const UNUSUAL: &str = "(status <> 200 OR ending <> 'complete')";

/// A boxed query of `requests`, narrowed to what a filter lets through.
macro_rules! narrowed {
    ($query:expr, $filter:expr, $client:expr) => {{
        use diesel::{
            dsl::sql,
            sql_types::{Bool, Text},
        };
        let (mut query, filter): (_, $crate::store::RequestFilter) = ($query, $filter);
        if filter.is_unusual() {
            query = query.filter(sql::<Bool>($crate::store::requests::filter::UNUSUAL));
        }
        if let Some(actors::ids::UserId(id)) = filter.user_id {
            query = query.filter(requests::user_id.eq(id));
        }
        if let Some(actors::ids::KeyId(id)) = filter.key_id {
            query = query.filter(requests::key_id.eq(id));
        }
        if let Some(actors::ids::ProviderId(id)) = filter.provider_id {
            query = query.filter(requests::provider_id.eq(id));
        }
        if let Some(model) = filter.model {
            query = query.filter(requests::model.eq(Clean::cut(&model, NAME_BYTES)));
        }
        if let Some(client) = filter.client {
            // Sums by client leave out who was not recognised.
            let recognised = requests::user_id.is_not_null().and(requests::user_agent.is_not_null());
            query = query.filter(sql::<Text>($client).eq(Clean::cut(&client, NAME_BYTES))).filter(recognised);
        }
        if let Some(status) = filter.status {
            query = query.filter(requests::status.eq(i32::from(status)));
        }
        if let Some(class) = filter.class {
            query = query.filter(sql::<Bool>(class.condition()));
        }
        if let Some(status) = filter.not_status {
            query = query.filter(requests::status.ne(i32::from(status)));
        }
        if let Some(least @ 2..) = filter.min_attempts {
            // Who came to the last of so many, of whom there are few: found among the attempts, by the index of later
            // ones, whose condition it is to the letter.
            let tried = format!(
                "requests.id IN (SELECT request_id FROM attempts WHERE ordinal = {least} AND ordinal > 1)"
            );
            query = query.filter(sql::<Bool>(&tried));
        } else if filter.min_attempts == Some(1) {
            // Nearly all: looked at request by request. That there is a provider says the same, but SQLite then prefers
            // the index of all that have one to that of the few which are asked for.
            let tried = "EXISTS (SELECT 1 FROM attempts WHERE request_id = requests.id AND ordinal = 1)";
            query = query.filter(sql::<Bool>(tried));
        }
        if let Some(format) = filter.format {
            query = query.filter(requests::format.eq(Clean::cut(format.name(), NAME_BYTES)));
        }
        if let Some(operation) = filter.operation {
            query = query.filter(requests::operation.eq(Clean::cut(operation.name(), NAME_BYTES)));
        }
        if let Some(session) = filter.session {
            query = query.filter(requests::session.eq(Clean::cut(&session, NAME_BYTES)));
        }
        if let Some(from) = filter.from {
            query = query.filter(requests::started_at.ge(At(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(requests::started_at.lt(At(to)));
        }
        if let Some(least) = filter.min_cost {
            query = query.filter(requests::cost.ge(Cost::new(least, "min_cost_usd")?));
        }
        query
    }};
}
pub(super) use narrowed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::usage::FAILED;

    #[test]
    fn an_error_is_what_statistics_count_as_one() {
        assert_eq!(RequestClass::Error.condition(), format!("({})", FAILED.replace("r.", "")));
    }
}
