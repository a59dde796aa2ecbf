//! `ledger`: whether the books agree, and what is reserved.

use clap::Subcommand;

use super::{
    desk::{Desk, PageArgs},
    exit::{Done, Exit, Failure},
    output::page,
    progress::spinner,
    remote::Remote,
    table::{Column, column},
};

const DRIFT: &[Column] = &[
    column("ACCOUNT", "/account"),
    column("MINUTE", "/minute"),
    column("ROWS USD", "/entries_usd"),
    column("BALANCE USD", "/balance_usd"),
    column("ROWS", "/entries_requests"),
    column("COUNTED", "/balance_requests"),
];

const RESERVATIONS: &[Column] = &[
    column("REQUEST", "/request_id"),
    column("SINCE", "/since"),
    column("ACCOUNT", "/reserved/0/account"),
    column("USD", "/reserved/0/amount_usd"),
    column("ALL", "/reserved").wide(),
];

/// The books.
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Balances that are not the sum of their rows; ends with 7 if there is one. Reads the whole request log.
    Drift,
    /// What requests under way have reserved.
    Reservations,
}

impl Ledger {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Drift => {
                let bar = spinner(&desk.out, "adding up the request log");
                let body = desk.list("/ledger/drift", &[], &PageArgs::default()).await;
                bar.finish_and_clear();
                let body = body?;
                let differences = page(&body)?.items.len();
                desk.out.list(&body, DRIFT, "/account")?;
                match differences {
                    0 => {
                        desk.out.note("the books are sound");
                        Ok(())
                    }
                    _ => Err(Failure::new(
                        Exit::Unwell,
                        format!("{differences} balances are not the sum of their rows"),
                    )),
                }
            }
            Self::Reservations => {
                let query = [("state", "open".to_owned())];
                let body = desk.list("/ledger/reservations", &query, &PageArgs::default()).await?;
                desk.out.list(&body, RESERVATIONS, "/request_id")
            }
        }
    }
}
