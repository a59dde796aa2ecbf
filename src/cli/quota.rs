//! `quota`: limits, and what is used of them.

use awc::http::Method;
use clap::Subcommand;
use serde_json::Value;

use super::{
    desk::Desk,
    exit::{Done, Failure},
    fields::{FieldArgs, given},
    output::print,
    remote::{Format, Remote},
    table::{self, Column, column},
};

const WINDOWS: &[Column] = &[
    column("WINDOW", "/window"),
    column("LIMIT", "/limit"),
    column("SETTLED", "/settled"),
    column("RESERVED", "/reserved"),
    column("FREE", "/free"),
    column("RESETS", "/resets_at"),
    column("RAISED UNTIL", "/raised_until"),
];

/// Limits, and what is used of them. ACCOUNT is user/NAME, key/ID, key/USER/NAME or provider/NAME.
#[derive(Debug, Subcommand)]
pub(super) enum Quota {
    /// Show one account's.
    Show {
        /// Whose.
        account: String,
    },
    /// Count a window from now on.
    Reset {
        /// Whose.
        account: String,
        /// 5h, daily, weekly, monthly or total; all of them unless given.
        #[arg(long)]
        window: Option<String>,
        /// Why, for the audit log.
        #[arg(long)]
        note: Option<String>,
    },
    /// Lift a limit for a time.
    Raise {
        /// Whose.
        account: String,
        /// 5h, daily, weekly, monthly or total.
        #[arg(long)]
        window: String,
        /// What it is lifted to, in dollars.
        #[arg(long, value_name = "USD")]
        amount: String,
        /// Until when, as in 2030-01-31T12:00:00Z.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why, for the audit log.
        #[arg(long)]
        note: Option<String>,
    },
}

impl Quota {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let body = match self {
            Self::Show { account } => desk.client.get(&path(&desk, &account).await?).await?.body,
            Self::Reset { account, window, note } => {
                let path = format!("{}/reset", path(&desk, &account).await?);
                let members = given([("window", window.map(Value::from)), ("note", note.map(Value::from))]);
                let body = if members.is_empty() { "{}".into() } else { FieldArgs::none().body(members)? };
                desk.send(Method::POST, &path, Some(body)).await?.body
            }
            Self::Raise { account, window, amount, until, note } => {
                let path = format!("{}/raise", path(&desk, &account).await?);
                let members = given([
                    ("window", Some(Value::from(window))),
                    ("amount", Some(Value::from(amount))),
                    ("expires_at", Some(Value::from(until))),
                    ("note", note.map(Value::from)),
                ]);
                desk.send(Method::POST, &path, Some(FieldArgs::none().body(members)?)).await?.body
            }
        };
        if desk.out.format == Format::Table {
            return shown(&desk, &body);
        }
        desk.out.object(&body, "/account")
    }
}

/// The windows as rows, the rest below.
fn shown(desk: &Desk, body: &[u8]) -> Done {
    let mut quota: Value = serde_json::from_slice(body)
        .map_err(|_| Failure::new(super::exit::Exit::No, "the answer is not JSON"))?;
    let windows = quota.as_object_mut().and_then(|members| members.remove("windows"));
    let windows = windows.and_then(|windows| windows.as_array().cloned()).unwrap_or_default();
    desk.out.rows(&windows, WINDOWS)?;
    print(b"\n")?;
    print(table::pairs(&quota, desk.out.colour()).as_bytes())
}

async fn path(desk: &Desk, account: &str) -> Result<String, Failure> {
    let expected =
        || Failure::usage(format!("`{account}`: an account is user/NAME, key/ID or provider/NAME"));
    let (kind, rest) = account.split_once('/').ok_or_else(expected)?;
    let (kind, id) = match kind {
        "user" => ("users", desk.user(rest).await?),
        "key" => ("keys", desk.key(rest).await?),
        "provider" => ("providers", desk.provider(rest).await?),
        _ => return Err(expected()),
    };
    Ok(format!("/quotas/{kind}/{id}"))
}
