//! `request`: what happened, and what happens right now.

use clap::{Args, Subcommand, ValueEnum};

use super::{
    client::escaped,
    desk::{Desk, PageArgs, with_query},
    exit::Done,
    export::Export,
    remote::Remote,
    table::{Column, column},
    tail,
};

pub(super) const COLUMNS: &[Column] = &[
    column("STARTED", "/started_at").at_least(27),
    column("STATUS", "/status").at_least(6),
    column("ENDING", "/ending").state().at_least(11),
    column("MODEL", "/model").at_least(24),
    column("USER", "/user_id").at_least(5),
    column("PROVIDER", "/provider_id"),
    column("TOOK", "/duration_us").micros().at_least(7),
    column("IN", "/usage/input_tokens").at_least(6),
    column("OUT", "/usage/output_tokens").at_least(6),
    column("COST USD", "/cost_usd").at_least(12),
    column("ID", "/id").at_least(36),
    column("KEY", "/key_id").wide(),
    column("TTFB", "/ttfb_us").micros().wide(),
    column("TRIES", "/attempt_count").wide(),
    column("CACHED", "/usage/cache_read_tokens").wide(),
    column("SETTLEMENT", "/settlement").wide(),
    column("SESSION", "/session").wide(),
    column("ERROR", "/error/kind").wide(),
];

/// What happened, and what happens right now.
#[derive(Debug, Subcommand)]
pub(super) enum Request {
    /// List them, newest first.
    Ls {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show how many they are, and what they came to.
    Totals {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        period: Period,
    },
    /// Write them to a file that spreadsheets read. An interrupt cancels it.
    Export(Export),
    /// Show one with its attempts, decisions, usage and price.
    Show {
        /// Its id, as in the header x-pointsman-request-id.
        request: String,
    },
    /// Follow those that end from now on.
    Tail {
        #[command(flatten)]
        filter: Filter,
        /// End after so many.
        #[arg(long, short = 'n', value_name = "COUNT")]
        limit: Option<usize>,
        /// How often to look.
        #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
        interval_ms: u64,
    },
}

/// Which requests.
#[derive(Debug, Args)]
pub(super) struct Filter {
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
    /// With this status.
    #[arg(long)]
    status: Option<u16>,
    /// Of this conversation.
    #[arg(long)]
    session: Option<String>,
    /// With this program, as in claude-cli.
    #[arg(long)]
    client: Option<String>,
    /// That went so.
    #[arg(long)]
    class: Option<Class>,
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

/// When they began.
#[derive(Debug, Args)]
pub(super) struct Period {
    /// Begun then or later, as in 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Begun before.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Period {
    /// As parameters.
    pub(super) fn query(&self) -> impl Iterator<Item = (&'static str, String)> {
        [("from", &self.from), ("to", &self.to)]
            .into_iter()
            .filter_map(|(name, time)| Some((name, time.clone()?)))
    }
}

impl Filter {
    /// As parameters, names turned to ids.
    pub(super) async fn query(
        &self,
        desk: &Desk,
    ) -> Result<Vec<(&'static str, String)>, super::exit::Failure> {
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
        query.extend(self.status.map(|status| ("status", status.to_string())));
        query.extend(self.session.clone().map(|session| ("session", session)));
        query.extend(self.client.clone().map(|client| ("client", client)));
        let class = self.class.and_then(|class| Some(class.to_possible_value()?.get_name().to_owned()));
        query.extend(class.map(|class| ("class", class)));
        query.extend(self.min_cost_usd.clone().map(|cost| ("min_cost_usd", cost)));
        Ok(query)
    }
}

impl Request {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { filter, period, page } => {
                let mut query = filter.query(&desk).await?;
                query.extend(period.query());
                desk.out.list(&desk.list("/requests", &query, &page).await?, COLUMNS, "/id")
            }
            Self::Totals { filter, period } => {
                let mut query = filter.query(&desk).await?;
                query.extend(period.query());
                let reply = desk.client.get(&with_query("/requests/totals", &query)).await?;
                desk.out.object(&reply.body, "/requests")
            }
            Self::Export(export) => export.run(&desk).await,
            Self::Show { request } => {
                let reply = desk.client.get(&format!("/requests/{}", escaped(&request))).await?;
                desk.out.object(&reply.body, "/id")
            }
            Self::Tail { filter, limit, interval_ms } => {
                let query = filter.query(&desk).await?;
                tail::follow(&desk, &query, limit, std::time::Duration::from_millis(interval_ms)).await
            }
        }
    }
}
