//! `key`: what callers identify themselves with.

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
    remote::Remote,
    table::{Column, column},
    user::{LimitArgs, RestrictionArgs},
};

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("USER", "/user_id"),
    column("NAME", "/name"),
    column("PREFIX", "/prefix"),
    column("LAST FOUR", "/last_four"),
    column("ENABLED", "/enabled").state(),
    column("EXPIRES", "/expires_at"),
    column("CREATED", "/created_at"),
    column("GROUPS", "/groups").wide(),
    column("RPM", "/limits/rpm").wide(),
    column("USD/DAY", "/limits/usd_daily").wide(),
    column("MODELS", "/allowed_models").wide(),
    column("CLIENTS", "/allowed_clients").wide(),
    column("UPDATED", "/updated_at").wide(),
];

/// What callers identify themselves with.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List those of a user, or everybody's.
    Ls {
        /// Id or name of the user.
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        which: ListArgs,
        /// Standing like this.
        #[arg(long)]
        status: Option<Status>,
        /// Only those that may log in to the console, or may not.
        #[arg(long, value_name = "BOOL")]
        web_login: Option<bool>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Make one; the answer shows it, this once.
    Add {
        /// Id or name of the user.
        user: String,
        /// Its name; it may also stand in --file.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        name: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Change what is given; the rest stays.
    Edit {
        /// Its id, or USER/KEY.
        key: String,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Remove one: it is refused from the next request on.
    Rm {
        /// Its id, or USER/KEY.
        key: String,
    },
    /// Accept it.
    Enable {
        /// Its id, or USER/KEY.
        key: String,
    },
    /// Refuse it.
    Disable {
        /// Its id, or USER/KEY.
        key: String,
    },
    /// Let it go on for longer.
    Renew {
        /// Its id, or USER/KEY.
        key: String,
        #[command(flatten)]
        renewal: RenewArgs,
    },
    /// Give it another secret; the answer shows it, this once.
    Rotate {
        /// Its id, or USER/KEY.
        key: String,
        /// How long the old one is accepted beside it, 30 days at most.
        #[arg(long, value_name = "MS", default_value_t = 0)]
        overlap_ms: u64,
    },
    /// Make another one like it, with a secret of its own; the answer shows it, this once.
    Clone {
        /// Its id, or USER/KEY.
        key: String,
        #[command(flatten)]
        copy: CloneArgs,
    },
    /// Bring one back that was deleted.
    Restore {
        /// Its id, or its name.
        key: String,
    },
}

/// What adding and editing have in common.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// In place of the user's groups; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
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

impl Change {
    fn body(&self, name: Option<String>) -> Result<Bytes, Failure> {
        let mut all = vec![
            ("name", name.map(Value::from)),
            ("groups", list(&self.groups)),
            ("expires_at", self.expires_at.clone().map(Value::from)),
        ];
        all.extend(self.limits.members());
        all.extend(self.restrictions.members());
        self.fields.body(given(all))
    }
}

impl Key {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        match self {
            Self::Ls { user, which, status, web_login, page } => {
                let path = match user {
                    Some(user) => format!("/users/{}/keys", desk.user(&user).await?),
                    None => "/keys".to_owned(),
                };
                let status = status.map(|status| status.name().to_owned());
                let query =
                    which.query([("status", status), ("web_login", web_login.map(|may| may.to_string()))]);
                desk.out.list(&desk.list(&path, &query, &page).await?, COLUMNS, "/id")
            }
            Self::Add { user, name, change } => {
                let path = format!("/users/{}/keys", desk.user(&user).await?);
                desk.change(Method::POST, &path, change.body(name)?, "/key").await?;
                shown_once(&desk)
            }
            Self::Edit { key, rename, change } => {
                let body = change.body(rename)?;
                desk.change(Method::PATCH, &path(&desk, &key).await?, body, "/id").await
            }
            Self::Rm { key } => desk.remove(&path(&desk, &key).await?, &format!("key {key}")).await,
            Self::Enable { key } => lifecycle::turn(&desk, &path(&desk, &key).await?, true, "/id").await,
            Self::Disable { key } => lifecycle::turn(&desk, &path(&desk, &key).await?, false, "/id").await,
            Self::Renew { key, renewal } => {
                lifecycle::renew(&desk, &path(&desk, &key).await?, &renewal, "/id").await
            }
            Self::Rotate { key, overlap_ms } => {
                let path = format!("{}/rotate", path(&desk, &key).await?);
                let body = Bytes::from(json!({ "overlap_ms": overlap_ms }).to_string());
                desk.change(Method::POST, &path, body, "/key").await?;
                shown_once(&desk)
            }
            Self::Clone { key, copy } => {
                lifecycle::copy(&desk, &path(&desk, &key).await?, &copy, "/key").await?;
                shown_once(&desk)
            }
            Self::Restore { key } => lifecycle::restore(&desk, "key", &key, "/id").await,
        }
    }
}

fn shown_once(desk: &Desk) -> Done {
    desk.out.note("the key is shown only now");
    Ok(())
}

async fn path(desk: &Desk, key: &str) -> Result<String, Failure> {
    Ok(format!("/keys/{}", desk.key(key).await?))
}
