//! `request`: what happened, and what happens right now.

use clap::{Args, Subcommand};

use super::{
    client::escaped,
    desk::{Desk, PageArgs},
    exit::Done,
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
        /// Begun then or later, as in 2030-01-31T12:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Begun before.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
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
        Ok(query)
    }
}

impl Request {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { filter, from, to, page } => {
                let mut query = filter.query(&desk).await?;
                query.extend(from.map(|from| ("from", from)));
                query.extend(to.map(|to| ("to", to)));
                desk.out.list(&desk.list("/requests", &query, &page).await?, COLUMNS, "/id")
            }
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
