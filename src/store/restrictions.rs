//! Restrictions as a row holds them: a document of those that are set, named as in the admin API.

use actors::restrictions::{
    Restrictions,
    clients::{ClientPattern, ClientRules},
};
use serde::{Deserialize, Serialize};

/// The document of a user's row, or of a key's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RestrictionsDoc {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_models: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_clients: Vec<ClientPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocked_clients: Vec<ClientPattern>,
}

impl From<Restrictions> for RestrictionsDoc {
    fn from(restrictions: Restrictions) -> Self {
        let Restrictions { allowed_models, clients: ClientRules { allowed, blocked } } = restrictions;
        Self { allowed_models, allowed_clients: allowed, blocked_clients: blocked }
    }
}

impl From<RestrictionsDoc> for Restrictions {
    fn from(doc: RestrictionsDoc) -> Self {
        let clients = ClientRules { allowed: doc.allowed_clients, blocked: doc.blocked_clients };
        Self { allowed_models: doc.allowed_models, clients }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_what_is_set_and_nothing_else() {
        let check = |document: &str| {
            let read: RestrictionsDoc = serde_json::from_str(document).unwrap();
            let again = RestrictionsDoc::from(Restrictions::from(read));
            assert_eq!(serde_json::to_string(&again).unwrap(), document);
        };
        check("{}");
        check(r#"{"allowed_models":["a*"],"allowed_clients":["codex-cli"],"blocked_clients":["Curl/*"]}"#);
    }

    #[test]
    fn a_restriction_this_version_does_not_know_is_not_read_over() {
        for document in [r#"{"allowed_regions":["x"]}"#, r#"{"blocked_clients":[""]}"#] {
            assert!(serde_json::from_str::<RestrictionsDoc>(document).is_err(), "{document}");
        }
    }
}
