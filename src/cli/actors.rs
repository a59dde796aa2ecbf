//! `actors`: what lives in the server, and how it is.

use clap::Subcommand;

use super::{
    client::escaped,
    desk::{Desk, PageArgs},
    exit::{Done, Failure},
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("KIND", "/kind"),
    column("NAME", "/name"),
    column("STATE", "/state").state(),
    column("IN FLIGHT", "/in_flight"),
    column("BREAKER", "/detail/breaker/state").state(),
    column("RESTARTS", "/restarts"),
    column("MAILBOX", "/mailbox_depth").wide(),
    column("SINCE", "/since").wide(),
    column("LAST PANIC", "/last_panic/message").wide(),
];

/// What lives in the server.
#[derive(Debug, Subcommand)]
pub(super) enum Actors {
    /// List them all.
    Ls,
    /// Show one with its own account of itself.
    Show {
        /// As listed: KIND/NAME.
        actor: String,
    },
}

impl Actors {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls => {
                let body = desk.list("/actors", &[], &PageArgs::default()).await?;
                desk.out.list(&body, COLUMNS, "/name")
            }
            Self::Show { actor } => {
                let (kind, name) = actor
                    .split_once('/')
                    .ok_or_else(|| Failure::usage(format!("`{actor}`: an actor is given as KIND/NAME")))?;
                let reply = desk.client.get(&format!("/actors/{}/{}", escaped(kind), escaped(name))).await?;
                desk.out.object(&reply.body, "/name")
            }
        }
    }
}
