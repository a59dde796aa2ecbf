//! `provider`: the places requests are sent to.

use std::{env, path::PathBuf};

use awc::http::Method;
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    desk::{Desk, PageArgs},
    exit::{Done, Failure},
    fields::{FieldArgs, given, list},
    lifecycle::{self, CloneArgs},
    listing::ListArgs,
    remote::{Remote, ask_for, secret_in},
    table::{Column, column},
    user::ClientArgs,
};

/// Where a credential is looked for besides a file.
const CREDENTIAL: &str = "POINTSMAN_CREDENTIAL";

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("NAME", "/name"),
    column("KIND", "/kind"),
    column("ENABLED", "/enabled").state(),
    column("PRIORITY", "/priority"),
    column("WEIGHT", "/weight"),
    column("GROUPS", "/groups"),
    column("BASE URL", "/base_url"),
    column("CONCURRENCY", "/limits/concurrency").wide(),
    column("MULTIPLIER", "/cost_multiplier").wide(),
    column("MODELS", "/allowed_models").wide(),
    column("CLIENTS", "/allowed_clients").wide(),
    column("OPENS", "/schedule/from").wide(),
    column("CLOSES", "/schedule/to").wide(),
    column("CREDENTIAL", "/credential_hint").wide(),
    column("UPDATED", "/updated_at").wide(),
];

/// The places requests are sent to.
#[derive(Debug, Subcommand)]
pub(super) enum Provider {
    /// List them.
    Ls {
        #[command(flatten)]
        which: ListArgs,
        /// Of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// That serve this format.
        #[arg(long)]
        format: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one.
    Show {
        /// Id or name.
        provider: String,
    },
    /// Make one.
    Add {
        /// Its name; it may also stand in --file.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        name: Option<String>,
        /// What it is: claude, openai_compatible, …
        #[arg(long, required_unless_present = "file")]
        kind: Option<String>,
        /// Where it is.
        #[arg(long, value_name = "URL", required_unless_present = "file")]
        base_url: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Change what is given; the rest stays.
    Edit {
        /// Id or name.
        provider: String,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Another address.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Remove one; streams under way end normally.
    Rm {
        /// Id or name.
        provider: String,
    },
    /// Let requests go to it.
    Enable {
        /// Id or name.
        provider: String,
    },
    /// Let no more requests go to it.
    Disable {
        /// Id or name.
        provider: String,
    },
    /// Make another one like it, with the same credential.
    Clone {
        /// Id or name.
        provider: String,
        #[command(flatten)]
        copy: CloneArgs,
    },
    /// Bring one back that was deleted, with its credential and prices.
    Restore {
        /// Id, or the name it had.
        provider: String,
    },
    /// Open its breaker (no requests), or close it.
    Breaker {
        /// Id or name.
        provider: String,
        /// Which.
        state: BreakerState,
    },
}

/// What a breaker can be set to.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum BreakerState {
    /// Nothing goes through, until its time is over.
    Open,
    /// Everything goes through.
    #[value(name = "close", alias = "closed")]
    Close,
}

/// What adding and editing have in common.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// The file with its credential (`-`: standard input). Otherwise POINTSMAN_CREDENTIAL.
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
    /// The lowest goes first.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Its share among equals.
    #[arg(long)]
    weight: Option<u32>,
    /// Requests in flight at once.
    #[arg(long)]
    concurrency: Option<u32>,
    /// The factor on prices.
    #[arg(long, value_name = "FACTOR")]
    multiplier: Option<String>,
    /// Who may use it; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// What it serves; may be repeated, and may end with `*`.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    #[command(flatten)]
    clients: ClientArgs,
    /// The hours it is open, as in 08:00-18:30 or 22:00-06:00.
    #[arg(long, value_name = "FROM-TO", value_parser = hours)]
    hours: Option<(String, String)>,
    /// A day on which it opens, such as monday; may be repeated.
    #[arg(long = "day", value_name = "DAY")]
    days: Vec<String>,
    /// Its host may be in a private network.
    #[arg(long)]
    allow_private_network: bool,
    #[command(flatten)]
    fields: FieldArgs,
}

/// Two times with a dash between them; what times are is for the server to say.
fn hours(text: &str) -> Result<(String, String), &'static str> {
    let (from, to) = text.split_once('-').ok_or("expected are two times, such as 08:00-18:30")?;
    Ok((from.to_owned(), to.to_owned()))
}

impl Change {
    fn body(&self, more: [(&'static str, Option<Value>); 3], new: bool) -> Result<Bytes, Failure> {
        let mut all: Vec<(&str, Option<Value>)> = more.into_iter().collect();
        all.extend([
            ("credential", self.credential(new)?.map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("weight", self.weight.map(Value::from)),
            ("limits.concurrency", self.concurrency.map(Value::from)),
            ("cost_multiplier", self.multiplier.clone().map(Value::from)),
            ("groups", list(&self.groups)),
            ("allowed_models", list(&self.models)),
            ("schedule.from", self.hours.as_ref().map(|(from, _)| from.as_str().into())),
            ("schedule.to", self.hours.as_ref().map(|(_, to)| to.as_str().into())),
            ("schedule.days", list(&self.days)),
            ("allow_private_network", self.allow_private_network.then_some(Value::Bool(true))),
        ]);
        all.extend(self.clients.members());
        self.fields.body(given(all))
    }

    fn credential(&self, new: bool) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.credential_file {
            return secret_in(path).map(Some);
        }
        if self.fields.is_file() {
            return Ok(None);
        }
        if let Some(credential) = env::var(CREDENTIAL).ok().filter(|credential| !credential.is_empty()) {
            return Ok(Some(credential));
        }
        if !new {
            return Ok(None);
        }
        let asked = ask_for("credential")?;
        asked
            .map(Some)
            .ok_or_else(|| Failure::usage(format!("no credential: use --credential-file or {CREDENTIAL}")))
    }
}

impl Provider {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { which, kind, format, page } => {
                let query = which.query([("kind", kind), ("format", format)]);
                let body = desk.list("/providers", &query, &page).await?;
                desk.out.list(&body, COLUMNS, "/name")
            }
            Self::Show { provider } => {
                let reply = desk.client.get(&path(&desk, &provider).await?).await?;
                desk.out.object(&reply.body, "/name")
            }
            Self::Add { name, kind, base_url, change } => {
                let named = [
                    ("name", name.map(Value::from)),
                    ("kind", kind.map(Value::from)),
                    ("base_url", base_url.map(Value::from)),
                ];
                desk.change(Method::POST, "/providers", change.body(named, true)?, "/name").await
            }
            Self::Edit { provider, rename, base_url, change } => {
                let named = [
                    ("name", rename.map(Value::from)),
                    ("base_url", base_url.map(Value::from)),
                    ("kind", None),
                ];
                let body = change.body(named, false)?;
                desk.change(Method::PATCH, &path(&desk, &provider).await?, body, "/name").await
            }
            Self::Rm { provider } => {
                desk.remove(&path(&desk, &provider).await?, &format!("provider {provider}")).await
            }
            Self::Enable { provider } => {
                lifecycle::turn(&desk, &path(&desk, &provider).await?, true, "/name").await
            }
            Self::Disable { provider } => {
                lifecycle::turn(&desk, &path(&desk, &provider).await?, false, "/name").await
            }
            Self::Clone { provider, copy } => {
                lifecycle::copy(&desk, &path(&desk, &provider).await?, &copy, "/name").await
            }
            Self::Restore { provider } => lifecycle::restore(&desk, "provider", &provider, "/name").await,
            Self::Breaker { provider, state } => {
                let path = format!("{}/breaker", path(&desk, &provider).await?);
                let state = match state {
                    BreakerState::Open => "open",
                    BreakerState::Close => "closed",
                };
                let body = Bytes::from(json!({ "state": state }).to_string());
                desk.change(Method::POST, &path, body, "/name").await
            }
        }
    }
}

async fn path(desk: &Desk, provider: &str) -> Result<String, Failure> {
    Ok(format!("/providers/{}", desk.provider(provider).await?))
}
