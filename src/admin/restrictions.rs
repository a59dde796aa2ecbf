//! What users and keys may ask for and with which programs, as bodies tell it.

use actors::restrictions::{
    Restrictions,
    clients::{ClientPattern, ClientRules, LONGEST, MOST},
};
use serde_json::{Value, json, value::RawValue};

use super::{
    body::{Flaws, FromJson, Given},
    error::FlawCode,
    schema::{Book, Schema},
    values::{List, ModelPattern, text},
};

/// A list of programs.
pub(super) type Clients = List<ClientPattern, MOST>;

impl FromJson for ClientPattern {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let text = text(raw, field, flaws)?;
        Self::parse(&text).map_err(|why| flaws.add(field, FlawCode::OutOfRange, why.to_string())).ok()
    }
}

impl Schema for ClientPattern {
    fn schema(_: &mut Book) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]*[0-9A-Za-z*][ -~]*$"})
    }
}

/// The patterns in a list of models.
pub(super) fn patterns(list: List<ModelPattern>) -> Vec<String> {
    list.0.into_iter().map(|pattern| pattern.0).collect()
}

/// What holds from now on, where `has` held before.
pub(super) fn onto(
    models: Given<List<ModelPattern>>,
    allowed: Given<Clients>,
    blocked: Given<Clients>,
    has: Restrictions,
) -> Restrictions {
    Restrictions {
        allowed_models: models.map(patterns).onto(has.allowed_models, Vec::new()),
        clients: clients_onto(allowed, blocked, has.clients),
    }
}

/// Which programs may be used from now on.
pub(super) fn clients_onto(
    allowed: Given<Clients>,
    blocked: Given<Clients>,
    has: ClientRules,
) -> ClientRules {
    ClientRules {
        allowed: allowed.map(|list| list.0).onto(has.allowed, Vec::new()),
        blocked: blocked.map(|list| list.0).onto(has.blocked, Vec::new()),
    }
}
