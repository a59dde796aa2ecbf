//! Names where the API wants ids: of providers, users and keys.

use serde_json::Value;

use super::{
    desk::Desk,
    exit::{Exit, Failure},
};

impl Desk {
    /// The id of a provider, given by id or name.
    pub(super) async fn provider(&self, text: &str) -> Result<i64, Failure> {
        self.by_name("/providers", "provider", text).await
    }

    /// The id of a user, given by id or name.
    pub(super) async fn user(&self, text: &str) -> Result<i64, Failure> {
        self.by_name("/users", "user", text).await
    }

    /// The id of a key, given by id, or as `<user>/<key>` with the names of both.
    pub(super) async fn key(&self, text: &str) -> Result<i64, Failure> {
        if let Some(id) = id(text) {
            return Ok(id);
        }
        let Some((user, key)) = text.split_once('/') else {
            return Err(Failure::usage(format!("`{text}`: a key is given by its id, or as USER/KEY")));
        };
        let user = self.user(user).await?;
        self.by_name(&format!("/users/{user}/keys"), "key", key).await
    }

    async fn by_name(&self, path: &str, what: &str, text: &str) -> Result<i64, Failure> {
        if let Some(id) = id(text) {
            return Ok(id);
        }
        // A name that looks like an id needs a way to be said.
        let name = text.strip_prefix("name:").unwrap_or(text);
        let entries = self.entries(path, &[("q", name.to_owned())]).await?;
        let mut named =
            entries.iter().filter(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
        let found = named.next().and_then(|entry| entry.get("id")?.as_i64());
        let Some(found) = found else {
            return Err(Failure::new(Exit::NotFound, format!("there is no {what} called `{name}`")));
        };
        let others = named.count();
        if others > 0 {
            let text = format!("{} {what}s are called `{name}`; give the id", others + 1);
            return Err(Failure::new(Exit::Conflict, text));
        }
        Ok(found)
    }
}

/// All digits are an id.
pub(super) fn id(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
