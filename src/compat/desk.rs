//! Where an action stands while it is translated: who called, and short ways to ask `/api/v1`.

use actix_web::http::Method;
use serde_json::Value;

use super::{
    door::{Caller, Door},
    failure::Failure,
};

/// Entries of a list that are gathered at most: beyond, one pages.
const MOST_ENTRIES: usize = 5_000;
/// Entries per page.
const PAGE: usize = 500;

/// What an action works with.
pub(super) struct Desk {
    pub(super) door: Door,
    pub(super) caller: Caller,
}

/// Whether whoever this is may look at everything.
pub(super) fn sees_all(me: &Value) -> bool {
    me["rights"].as_array().is_some_and(|rights| rights.iter().any(|right| right == "read"))
}

/// What an action comes to.
pub(super) type Done = Result<Value, Failure>;

impl Desk {
    /// Reads something.
    pub(super) async fn get(&self, path: &str) -> Done {
        self.ask(Method::GET, path, None).await
    }

    /// Makes something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Done {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Changes something.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Done {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// Removes something.
    pub(super) async fn delete(&self, path: &str) -> Done {
        self.ask(Method::DELETE, path, None).await
    }

    /// Every entry of a list, up to a bound.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        let join = if path.contains('?') { '&' } else { '?' };
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let mut page = self.get(&format!("{path}{join}limit={PAGE}{after}")).await?;
            if let Value::Array(entries) = page["items"].take() {
                items.extend(entries);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || items.len() >= MOST_ENTRIES {
                return Ok(items);
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Done {
        self.door.ask(&self.caller, method, path, body).await
    }
}
