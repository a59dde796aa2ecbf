//! `sealing-key`: what providers' credentials are sealed with.

use awc::http::Method;
use clap::Subcommand;

use super::{desk::Desk, exit::Done, remote::Remote};

/// What providers' credentials are sealed with.
#[derive(Debug, Subcommand)]
pub(super) enum SealingKey {
    /// Show the keys by name, and what is still sealed with another one than the current one.
    Show,
    /// Put a new key in the place of the one in the server's data directory, while it runs.
    Change,
}

impl SealingKey {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let body = match self {
            Self::Show => desk.client.get("/sealing-key").await?.body,
            Self::Change => desk.send(Method::POST, "/sealing-key/change", None).await?.body,
        };
        desk.out.object(&body, "/current")
    }
}
