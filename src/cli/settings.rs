//! `settings`: what counts for the whole system.

use awc::http::Method;
use clap::Subcommand;

use super::{desk::Desk, exit::Done, fields::FieldArgs, remote::Remote};

/// What counts for the whole system.
#[derive(Debug, Subcommand)]
pub(super) enum Settings {
    /// Show them.
    Show {
        /// Those of billing.
        #[arg(long)]
        billing: bool,
    },
    /// Change what is given; the rest stays.
    Set {
        /// Those of billing.
        #[arg(long)]
        billing: bool,
        #[command(flatten)]
        fields: FieldArgs,
    },
}

impl Settings {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let path = |billing| if billing { "/settings/billing" } else { "/settings" };
        match self {
            Self::Show { billing } => desk.out.object(&desk.client.get(path(billing)).await?.body, ""),
            Self::Set { billing, fields } => {
                desk.change(Method::PATCH, path(billing), fields.body(Vec::new())?, "").await
            }
        }
    }
}
