//! `audit`: who changed what, and who was refused.

use clap::Subcommand;

use super::{
    desk::{Desk, PageArgs},
    exit::Done,
    filters::{Period, Query},
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("AT", "/at"),
    column("WHO", "/who"),
    column("ACTION", "/action"),
    column("SUBJECT", "/subject"),
    column("BEFORE", "/before").wide(),
    column("AFTER", "/after").wide(),
];

/// Who changed what, and who was refused.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List it, newest first.
    Ls {
        /// By this one, as listed.
        #[arg(long)]
        who: Option<String>,
        /// What was done, as in user.update.
        #[arg(long)]
        action: Option<String>,
        /// To what, as in user/1.
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        page: PageArgs,
    },
}

impl Audit {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let Self::Ls { who, action, subject, period, page } = self;
        let named = [("who", who), ("action", action), ("subject", subject)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let query: Query = named.chain(period.query()).collect();
        desk.out.list(&desk.list("/audit", &query, &page).await?, COLUMNS, "/id")
    }
}
