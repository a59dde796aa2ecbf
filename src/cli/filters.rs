//! Which requests are meant: the options that commands about the log and its sums have in common.

use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use protocol::{Format, Operation};
use serde_json::{Value, json};

use super::{desk::Desk, exit::Failure};

/// Parameters of a question.
pub(super) type Query = Vec<(&'static str, String)>;

/// Whose requests, and of which sort.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// Of this user: id or name.
    #[arg(long)]
    user: Option<String>,
    /// With this key: id, or USER/KEY.
    #[arg(long)]
    key: Option<String>,
    /// Answered by this provider: id or name.
    #[arg(long)]
    provider: Option<String>,
    /// For this model.
    #[arg(long)]
    model: Option<String>,
    /// With this program, as in claude-cli.
    #[arg(long)]
    client: Option<String>,
    /// That spoke this format.
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)))]
    wire_format: Option<String>,
    /// That asked for this.
    #[arg(long, value_parser = PossibleValuesParser::new(Operation::ALL.map(Operation::name)))]
    operation: Option<String>,
}

/// Which requests.
#[derive(Debug, Args)]
pub(super) struct Filter {
    #[command(flatten)]
    whose: Whose,
    /// With this status.
    #[arg(long)]
    status: Option<u16>,
    /// With another status than this.
    #[arg(long, value_name = "STATUS")]
    not_status: Option<u16>,
    /// That went so.
    #[arg(long)]
    class: Option<Class>,
    /// That took so many attempts or more.
    #[arg(long, value_name = "COUNT")]
    min_attempts: Option<u32>,
    /// Of this conversation.
    #[arg(long)]
    session: Option<String>,
    /// That cost so many dollars or more.
    #[arg(long, value_name = "USD")]
    min_cost_usd: Option<String>,
}

/// How a request went.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Class {
    /// A whole answer came.
    Ok,
    /// It failed.
    Error,
    /// The caller did not stay.
    Left,
}

/// When it was.
#[derive(Debug, Args)]
pub(super) struct Period {
    /// From then on, as in 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before then.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Whose {
    /// As parameters, names turned to ids.
    pub(super) async fn query(&self, desk: &Desk) -> Result<Query, Failure> {
        let mut query = Vec::new();
        if let Some(user) = &self.user {
            query.push(("user_id", desk.user(user).await?.to_string()));
        }
        if let Some(key) = &self.key {
            query.push(("key_id", desk.key(key).await?.to_string()));
        }
        if let Some(provider) = &self.provider {
            query.push(("provider_id", desk.provider(provider).await?.to_string()));
        }
        query.extend(self.model.clone().map(|model| ("model", model)));
        query.extend(self.client.clone().map(|client| ("client", client)));
        query.extend(self.wire_format.clone().map(|format| ("wire_format", format)));
        query.extend(self.operation.clone().map(|operation| ("operation", operation)));
        Ok(query)
    }
}

impl Filter {
    /// As parameters, names turned to ids.
    pub(super) async fn query(&self, desk: &Desk) -> Result<Query, Failure> {
        let mut query = self.whose.query(desk).await?;
        query.extend(self.status.map(|status| ("status", status.to_string())));
        query.extend(self.not_status.map(|status| ("not_status", status.to_string())));
        query.extend(chosen("class", self.class));
        query.extend(self.min_attempts.map(|least| ("min_attempts", least.to_string())));
        query.extend(self.session.clone().map(|session| ("session", session)));
        query.extend(self.min_cost_usd.clone().map(|cost| ("min_cost_usd", cost)));
        Ok(query)
    }
}

impl Period {
    /// As parameters.
    pub(super) fn query(&self) -> impl Iterator<Item = (&'static str, String)> {
        [("from", &self.from), ("to", &self.to)]
            .into_iter()
            .filter_map(|(name, time)| Some((name, time.clone()?)))
    }
}

/// Parameters as members of a body, which has numbers where the API counts.
pub(super) fn members(query: Query) -> impl Iterator<Item = (String, Value)> {
    query.into_iter().map(|(name, value)| {
        let counts = name.ends_with("_id") || matches!(name, "status" | "not_status" | "min_attempts");
        let number = value.parse::<i64>().ok().filter(|_| counts);
        (name.to_owned(), number.map_or_else(|| json!(value), |number| json!(number)))
    })
}

/// A parameter, where something was chosen.
pub(super) fn chosen<T: ValueEnum>(name: &'static str, value: Option<T>) -> Option<(&'static str, String)> {
    Some((name, value?.to_possible_value()?.get_name().to_owned()))
}
