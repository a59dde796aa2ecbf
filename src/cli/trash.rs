//! `trash`: what was deleted and can still be restored.

use clap::{Subcommand, ValueEnum};

use super::{
    desk::{Desk, PageArgs},
    exit::{Done, Failure},
    lifecycle::deleted,
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("KIND", "/kind"),
    column("ID", "/id"),
    column("NAME", "/name"),
    column("DELETED", "/deleted_at"),
    column("BY", "/who"),
    column("KEPT UNTIL", "/kept_until"),
];

/// What was deleted and can still be restored.
#[derive(Debug, Subcommand)]
pub(super) enum Trash {
    /// List it, the latest first.
    Ls {
        /// Of one kind.
        #[arg(long)]
        kind: Option<Kind>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Forget one for good.
    Purge {
        /// What it was.
        kind: Kind,
        /// Its id or name.
        what: String,
    },
}

/// What can lie there.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// A user with the keys that went along.
    User,
    /// An api key.
    Key,
    /// A provider.
    Provider,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Provider => "provider",
        }
    }
}

impl Trash {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { kind, page } => {
                let query: Vec<_> = kind.map(|kind| ("kind", kind.name().to_owned())).into_iter().collect();
                desk.out.list(&desk.list("/trash", &query, &page).await?, COLUMNS, "/id")
            }
            Self::Purge { kind, what } => purge(&desk, kind.name(), &what).await,
        }
    }
}

async fn purge(desk: &Desk, kind: &str, what: &str) -> Result<(), Failure> {
    let id = deleted(desk, kind, what).await?;
    desk.remove(&format!("/trash/{kind}/{id}"), &format!("{kind} {what} for good")).await
}
