//! `stats`: what requests came to, from the sums that are kept beside the log.

use clap::{Args, Subcommand, ValueEnum};

use super::{
    desk::{Desk, with_query},
    exit::Done,
    filters::{Period, Query, Whose, chosen},
    remote::Remote,
    table::{Column, column},
};

const SUBJECTS: &[Column] = &[
    column("SUBJECT", "/subject"),
    column("NAME", "/name"),
    column("REQUESTS", "/requests"),
    column("ERRORS", "/errors"),
    column("TOKENS", "/total_tokens"),
    column("COST USD", "/cost_usd"),
    column("P95 MS", "/duration_ms/p95"),
    column("INPUT", "/input_tokens").wide(),
    column("CACHE READ", "/cache_read_tokens").wide(),
    column("CACHE WRITE", "/cache_write_tokens").wide(),
    column("OUTPUT", "/output_tokens").wide(),
    column("MEAN MS", "/duration_ms/mean").wide(),
    column("FIRST P95 MS", "/first_byte_ms/p95").wide(),
];

const PROVIDERS: &[Column] = &[
    column("PROVIDER", "/provider_id"),
    column("NAME", "/name"),
    column("SUCCEEDED", "/succeeded"),
    column("REFUSED", "/refused"),
    column("FAILED", "/failed"),
    column("NEITHER", "/neither"),
    column("SHARE", "/success_share"),
    column("FIRST P95 MS", "/first_frame_p95_ms"),
    column("BETWEEN", "/success_interval").wide(),
    column("FIRST P50 MS", "/first_frame_p50_ms").wide(),
];

/// What requests came to.
#[derive(Debug, Subcommand)]
pub(super) enum Stats {
    /// What is going on now, and today against yesterday up to the same time.
    Overview,
    /// Those that cost most in a span; the periods are in `-o json`.
    Show {
        #[command(flatten)]
        of: Of,
        /// How long each period is.
        #[arg(long)]
        bucket: Option<Bucket>,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        whose: Whose,
    },
    /// A ranking of today, this week, this month or all time.
    Top {
        #[command(flatten)]
        of: Of,
        /// Since when.
        #[arg(long, value_enum)]
        period: Option<Since>,
        /// By what.
        #[arg(long, value_enum)]
        sort: Option<Sort>,
    },
    /// What became of attempts at each provider.
    Availability {
        /// How long each period is.
        #[arg(long)]
        bucket: Option<Bucket>,
        #[command(flatten)]
        period: Period,
        /// Of this provider: id or name.
        #[arg(long)]
        provider: Option<String>,
    },
}

/// Of what.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// Whose requests are added up together [API's default: user].
    #[arg(long)]
    by: Option<Facet>,
    /// How many are told one by one [API's default: 10].
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u32>,
}

/// Whose requests are added up together.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Facet {
    User,
    Key,
    Provider,
    Model,
    Client,
    #[value(name = "wire_format")]
    WireFormat,
    Operation,
}

/// How long a period is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Bucket {
    Hour,
    Day,
    Week,
    Month,
}

/// Since when a ranking counts.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Since {
    Day,
    Week,
    Month,
    All,
}

/// By what a ranking goes.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Sort {
    Cost,
    Requests,
    Tokens,
}

impl Of {
    fn query(&self) -> Query {
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        chosen("by", self.by).into_iter().chain(limit).collect()
    }
}

impl Stats {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Overview => {
                let reply = desk.client.get("/overview").await?;
                desk.out.object(&reply.body, "/today/cost_usd")
            }
            Self::Show { of, bucket, period, whose } => {
                let mut query = of.query();
                query.extend(chosen("bucket", bucket));
                query.extend(period.query());
                query.extend(whose.query(&desk).await?);
                list(&desk, "/statistics", &query, SUBJECTS, "/subject").await
            }
            Self::Top { of, period, sort } => {
                let mut query = of.query();
                query.extend(chosen("period", period));
                query.extend(chosen("sort", sort));
                list(&desk, "/leaderboard", &query, SUBJECTS, "/subject").await
            }
            Self::Availability { bucket, period, provider } => {
                let mut query: Query = chosen("bucket", bucket).into_iter().chain(period.query()).collect();
                if let Some(provider) = provider {
                    query.push(("provider_id", desk.provider(&provider).await?.to_string()));
                }
                list(&desk, "/availability", &query, PROVIDERS, "/provider_id").await
            }
        }
    }
}

async fn list(desk: &Desk, path: &str, query: &[(&str, String)], columns: &[Column], name: &str) -> Done {
    let reply = desk.client.get(&with_query(path, query)).await?;
    desk.out.list(&reply.body, columns, name)
}
