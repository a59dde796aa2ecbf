//! `batch`: many users, keys or providers changed at once, and put back.

use awc::http::Method;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    desk::Desk,
    exit::{Done, Exit, Failure},
    fields::FieldArgs,
    listing::{FilterArgs, Status},
    remote::Remote,
    table::{Column, column},
};

const COLUMNS: &[Column] = &[
    column("ID", "/id"),
    column("NAME", "/name"),
    column("VERSION", "/version"),
    column("BEFORE", "/before"),
    column("AFTER", "/after"),
];

/// Many users, keys or providers changed at once: all of them or none.
#[derive(Debug, Subcommand)]
pub(super) enum Batch {
    /// Change users.
    Users {
        #[command(flatten)]
        which: Which,
        /// Of this role: user, auditor, operator, admin.
        #[arg(long)]
        role: Option<String>,
        /// With this tag.
        #[arg(long)]
        tag: Option<String>,
        /// Standing like this.
        #[arg(long)]
        status: Option<Status>,
    },
    /// Change api keys.
    Keys {
        #[command(flatten)]
        which: Which,
        /// Of this user: id or name.
        #[arg(long)]
        user: Option<String>,
        /// Standing like this.
        #[arg(long)]
        status: Option<Status>,
        /// Only those that may log in to the console, or may not.
        #[arg(long, value_name = "BOOL")]
        web_login: Option<bool>,
    },
    /// Change providers.
    Providers {
        #[command(flatten)]
        which: Which,
        /// Of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// That serve this format.
        #[arg(long)]
        format: Option<String>,
    },
    /// Put back what a batch changed, unless somebody has changed one of them since.
    Undo {
        /// Its number, as it was told.
        batch: i64,
    },
}

/// Which are meant, and what is done.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// This one, by its id; may be repeated, and goes without filters.
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Tell what would change, and change nothing.
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    fields: FieldArgs,
}

impl Batch {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let named = |status: Option<Status>| status.map(|status| status.name().to_owned());
        match self {
            Self::Users { which, role, tag, status } => {
                let own = [("role", role), ("tag", tag), ("status", named(status))];
                which.change(&desk, "/users", own).await
            }
            Self::Keys { which, user, status, web_login } => {
                let user = match user {
                    Some(user) => Some(desk.user(&user).await?.to_string()),
                    None => None,
                };
                let web_login = web_login.map(|may| may.to_string());
                let own = [("user_id", user), ("status", named(status)), ("web_login", web_login)];
                which.change(&desk, "/keys", own).await
            }
            Self::Providers { which, kind, format } => {
                which.change(&desk, "/providers", [("kind", kind), ("format", format)]).await
            }
            Self::Undo { batch } => {
                let reply = desk.send(Method::POST, &format!("/batches/{batch}/undo"), None).await?;
                desk.out.list(&reply.body, &[column("ID", "/id"), column("VERSION", "/version")], "/id")
            }
        }
    }
}

impl Which {
    async fn change<const N: usize>(
        self,
        desk: &Desk,
        path: &str,
        own: [(&'static str, Option<String>); N],
    ) -> Done {
        let filter = self.filter.query(own);
        let mut body = json!({"change": read(&self.fields.body(Vec::new())?)?, "preview": self.preview});
        match (self.ids.is_empty(), filter.is_empty()) {
            (true, true) => return Err(Failure::usage("which of them: --id, or a filter as `ls` has it")),
            (false, false) => return Err(Failure::usage("either --id or filters")),
            (false, true) => body["ids"] = self.ids.into(),
            (true, false) => {
                let member = |(name, text)| (String::from(name), meant(name, text));
                body["filter"] = filter.into_iter().map(member).collect::<Map<_, _>>().into();
            }
        }
        let path = format!("{path}/batch");
        let reply = desk.send(Method::POST, &path, Some(Bytes::from(body.to_string()))).await?;
        desk.out.list(&reply.body, COLUMNS, "/id")?;
        if let Some(batch) = read(&reply.body)?["batch"].as_i64() {
            desk.out.note(&format!("`pointsman batch undo {batch}` puts it back, within 24 hours"));
        }
        Ok(())
    }
}

/// A member of a filter as JSON has it.
fn meant(name: &str, text: String) -> Value {
    match name {
        "enabled" | "web_login" => (text == "true").into(),
        "user_id" => text.parse::<i64>().map_or(Value::Null, Value::from),
        _ => text.into(),
    }
}

fn read(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(Exit::No, error))
}
