//! `user`: the people and teams that keys belong to.

use std::io;

use awc::http::Method;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    desk::{Desk, PageArgs},
    exit::{Done, Failure},
    fields::{FieldArgs, given, list},
    lifecycle::{self, CloneArgs, RenewArgs},
    listing::{ListArgs, Status},
    remote::{Remote, ask_for_line},
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("NAME", "/name"),
    column("ROLE", "/role"),
    column("ENABLED", "/enabled").state(),
    column("GROUPS", "/groups"),
    column("TAGS", "/tags"),
    column("USD/DAY", "/limits/usd_daily"),
    column("USD/MONTH", "/limits/usd_monthly"),
    column("EXPIRES", "/expires_at"),
    column("RPM", "/limits/rpm").wide(),
    column("CONCURRENCY", "/limits/concurrency").wide(),
    column("MODELS", "/allowed_models").wide(),
    column("CLIENTS", "/allowed_clients").wide(),
    column("UPDATED", "/updated_at").wide(),
];

/// The people and teams that keys belong to.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// List them.
    Ls {
        #[command(flatten)]
        which: ListArgs,
        /// Of this role: user, auditor, operator, admin.
        #[arg(long)]
        role: Option<String>,
        /// With this tag.
        #[arg(long)]
        tag: Option<String>,
        /// Standing like this.
        #[arg(long)]
        status: Option<Status>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one.
    Show {
        /// Id or name.
        user: String,
    },
    /// Make one.
    Add {
        /// The name; it may also stand in --file.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        name: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Change what is given; the rest stays.
    Edit {
        /// Id or name.
        user: String,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Remove one with all keys.
    Rm {
        /// Id or name.
        user: String,
    },
    /// Accept the user's keys.
    Enable {
        /// Id or name.
        user: String,
    },
    /// Accept none of the user's keys.
    Disable {
        /// Id or name.
        user: String,
    },
    /// Let the user go on for longer.
    Renew {
        /// Id or name.
        user: String,
        #[command(flatten)]
        renewal: RenewArgs,
    },
    /// Make another one like this, without keys.
    Clone {
        /// Id or name.
        user: String,
        #[command(flatten)]
        copy: CloneArgs,
    },
    /// Bring one back that was deleted, with the keys that went along.
    Restore {
        /// Id, or the name it had.
        user: String,
    },
    /// Set the password for signing in to the console: asked for, or read from standard input.
    Password {
        /// Id or name.
        user: String,
        /// Take the password away instead.
        #[arg(long)]
        remove: bool,
    },
}

/// What adding and editing have in common.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// Which providers may be used; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// For finding again; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// From then on refused, as in 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    restrictions: RestrictionArgs,
    #[command(flatten)]
    fields: FieldArgs,
}

/// The limits that are set most.
#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// Requests in a minute.
    #[arg(long, value_name = "COUNT")]
    rpm: Option<u32>,
    /// Requests in flight.
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u32>,
    /// Dollars a day.
    #[arg(long, value_name = "USD")]
    usd_daily: Option<String>,
    /// Dollars a month.
    #[arg(long, value_name = "USD")]
    usd_monthly: Option<String>,
}

impl LimitArgs {
    /// The members they stand for.
    pub(super) fn members(&self) -> [(&'static str, Option<Value>); 4] {
        [
            ("limits.rpm", self.rpm.map(Value::from)),
            ("limits.concurrency", self.concurrency.map(Value::from)),
            ("limits.usd_daily", self.usd_daily.clone().map(Value::from)),
            ("limits.usd_monthly", self.usd_monthly.clone().map(Value::from)),
        ]
    }
}

/// What may be asked for, and with which programs.
#[derive(Debug, Args)]
pub(super) struct RestrictionArgs {
    /// A model that may be asked for, or the beginning of some with `*` behind it; may be repeated.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    #[command(flatten)]
    clients: ClientArgs,
}

/// Which programs may be used.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// A program that may be used, such as claude-code or a part of its user agent; may be repeated.
    #[arg(long = "allow-client", value_name = "CLIENT")]
    allowed: Vec<String>,
    /// A program that may not be used; may be repeated.
    #[arg(long = "block-client", value_name = "CLIENT")]
    blocked: Vec<String>,
}

impl RestrictionArgs {
    /// The members they stand for.
    pub(super) fn members(&self) -> [(&'static str, Option<Value>); 3] {
        let [allowed, blocked] = self.clients.members();
        [("allowed_models", list(&self.models)), allowed, blocked]
    }
}

impl ClientArgs {
    /// The members they stand for.
    pub(super) fn members(&self) -> [(&'static str, Option<Value>); 2] {
        [("allowed_clients", list(&self.allowed)), ("blocked_clients", list(&self.blocked))]
    }
}

impl Change {
    fn body(&self, name: Option<String>) -> Result<Bytes, Failure> {
        let mut all = vec![
            ("name", name.map(Value::from)),
            ("groups", list(&self.groups)),
            ("tags", list(&self.tags)),
            ("expires_at", self.expires_at.clone().map(Value::from)),
        ];
        all.extend(self.limits.members());
        all.extend(self.restrictions.members());
        self.fields.body(given(all))
    }
}

impl User {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { which, role, tag, status, page } => {
                let status = status.map(|status| status.name().to_owned());
                let query = which.query([("role", role), ("tag", tag), ("status", status)]);
                let body = desk.list("/users", &query, &page).await?;
                desk.out.list(&body, COLUMNS, "/name")
            }
            Self::Show { user } => {
                let reply = desk.client.get(&path(&desk, &user).await?).await?;
                desk.out.object(&reply.body, "/name")
            }
            Self::Add { name, change } => {
                desk.change(Method::POST, "/users", change.body(name)?, "/name").await
            }
            Self::Edit { user, rename, change } => {
                let body = change.body(rename)?;
                desk.change(Method::PATCH, &path(&desk, &user).await?, body, "/name").await
            }
            Self::Rm { user } => desk.remove(&path(&desk, &user).await?, &format!("user {user}")).await,
            Self::Enable { user } => lifecycle::turn(&desk, &path(&desk, &user).await?, true, "/name").await,
            Self::Disable { user } => {
                lifecycle::turn(&desk, &path(&desk, &user).await?, false, "/name").await
            }
            Self::Renew { user, renewal } => {
                lifecycle::renew(&desk, &path(&desk, &user).await?, &renewal, "/name").await
            }
            Self::Clone { user, copy } => {
                lifecycle::copy(&desk, &path(&desk, &user).await?, &copy, "/name").await
            }
            Self::Restore { user } => lifecycle::restore(&desk, "user", &user, "/name").await,
            Self::Password { user, remove: true } => {
                let path = format!("{}/password", path(&desk, &user).await?);
                desk.remove(&path, &format!("the password of user {user}")).await
            }
            Self::Password { user, remove: false } => {
                let path = format!("{}/password", path(&desk, &user).await?);
                let body = Bytes::from(json!({ "password": new_password()? }).to_string());
                desk.send(Method::PUT, &path, Some(body)).await?;
                desk.out.note(&format!("set the password of user {user}; the user's sessions are over"));
                Ok(())
            }
        }
    }
}

/// A password: typed twice at a terminal, else the first line of standard input; spaces around it belong to
/// it. Never an argument, which everyone on the machine can read.
fn new_password() -> Result<String, Failure> {
    let Some(password) = ask_for_line("new password")? else {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    };
    match ask_for_line("the same again")? {
        Some(again) if again == password => Ok(password),
        _ => Err(Failure::usage("the two are not the same; nothing was changed")),
    }
}

async fn path(desk: &Desk, user: &str) -> Result<String, Failure> {
    Ok(format!("/users/{}", desk.user(user).await?))
}
