//! `request`: what happened, and what happens right now.

use clap::Subcommand;

use super::{
    client::escaped,
    desk::{Desk, PageArgs, with_query},
    exit::Done,
    export::Export,
    filters::{Filter, Period},
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
        /// How long to wait at least between two looks.
        #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
        interval_ms: u64,
    },
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
