//! `session`: conversations and the providers they are tied to.

use clap::Subcommand;

use super::{
    client::escaped,
    desk::{Desk, PageArgs},
    exit::Done,
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("KEY", "/key_id"),
    column("PROVIDER", "/provider"),
    column("REQUESTS", "/requests"),
    column("AGE S", "/age_s"),
    column("LAST USED", "/last_used"),
    column("SINCE", "/since").wide(),
];

/// Conversations and the providers they are tied to.
#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// List them, the most recently used first.
    Ls {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Forget one: its next request chooses anew.
    Rm {
        /// As listed.
        session: String,
    },
}

impl Session {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { page } => desk.out.list(&desk.list("/sessions", &[], &page).await?, COLUMNS, "/id"),
            Self::Rm { session } => {
                desk.remove(&format!("/sessions/{}", escaped(&session)), &format!("session {session}")).await
            }
        }
    }
}
