//! What users, keys and providers have in common: on and off, for longer, once more, back from the trash.

use awc::http::Method;
use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    desk::Desk,
    exit::{Done, Exit, Failure},
    names::id,
};

/// Until when something goes on.
#[derive(Debug, Args)]
pub(super) struct RenewArgs {
    /// The other end, which lies ahead, as in 2030-01-31T12:00:00Z.
    expires_at: String,
    /// Turn it on, too.
    #[arg(long)]
    enable: bool,
}

/// What a copy is.
#[derive(Debug, Args)]
pub(super) struct CloneArgs {
    /// Its name.
    name: String,
    /// Leave it turned off until it is looked at.
    #[arg(long)]
    disabled: bool,
}

/// Turns something on or off; `name` points to what names it.
pub(super) async fn turn(desk: &Desk, path: &str, on: bool, name: &str) -> Done {
    let verb = if on { "enable" } else { "disable" };
    post(desk, &format!("{path}/{verb}"), None, name).await
}

/// Lets something go on for longer.
pub(super) async fn renew(desk: &Desk, path: &str, renewal: &RenewArgs, name: &str) -> Done {
    let body = json!({ "expires_at": renewal.expires_at, "enable": renewal.enable });
    post(desk, &format!("{path}/renew"), Some(body), name).await
}

/// Makes another one like it.
pub(super) async fn copy(desk: &Desk, path: &str, copy: &CloneArgs, name: &str) -> Done {
    let mut body = Map::from_iter([("name".to_owned(), json!(copy.name))]);
    if copy.disabled {
        body.insert("enabled".to_owned(), json!(false));
    }
    post(desk, &format!("{path}/clone"), Some(body.into()), name).await
}

/// Brings one back that was deleted.
pub(super) async fn restore(desk: &Desk, kind: &str, what: &str, name: &str) -> Done {
    let id = deleted(desk, kind, what).await?;
    post(desk, &format!("/{kind}s/{id}/restore"), None, name).await
}

async fn post(desk: &Desk, path: &str, body: Option<Value>, name: &str) -> Done {
    let body = body.map(|body| Bytes::from(body.to_string()));
    let reply = desk.send(Method::POST, path, body).await?;
    desk.out.object(&reply.body, name)
}

/// The number of one that was deleted, given by it or by name.
pub(super) async fn deleted(desk: &Desk, kind: &str, what: &str) -> Result<i64, Failure> {
    if let Some(id) = id(what) {
        return Ok(id);
    }
    let name = what.strip_prefix("name:").unwrap_or(what);
    let trash = desk.entries("/trash", &[("kind", kind.to_owned())]).await?;
    let named = trash.iter().filter(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
    let ids: Vec<i64> = named.filter_map(|entry| entry.get("id")?.as_i64()).collect();
    match ids[..] {
        [id] => Ok(id),
        [] => Err(Failure::new(Exit::NotFound, format!("no {kind} called `{name}` lies in the trash"))),
        _ => {
            let text = format!("{} {kind}s called `{name}` lie in the trash; give the id", ids.len());
            Err(Failure::new(Exit::Conflict, text))
        }
    }
}
