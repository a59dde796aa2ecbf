//! Restrictions as a row holds them: a document of those that are set, named as in the admin API.

use actors::restrictions::{
    ProviderRestrictions, Restrictions,
    clients::{ClientPattern, ClientRules},
    schedule::{DayMinute, NoSchedule, Schedule},
};
use chrono::Weekday;
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

/// The document of a provider's row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProviderRestrictionsDoc {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_clients: Vec<ClientPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocked_clients: Vec<ClientPattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Hours>,
}

/// A schedule as a document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "HoursDoc", into = "HoursDoc")]
struct Hours(Schedule);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursDoc {
    from: DayMinute,
    to: DayMinute,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<Weekday>,
}

impl From<Hours> for HoursDoc {
    fn from(Hours(schedule): Hours) -> Self {
        Self { from: schedule.begins(), to: schedule.ends(), days: schedule.days().to_vec() }
    }
}

impl TryFrom<HoursDoc> for Hours {
    type Error = NoSchedule;

    fn try_from(doc: HoursDoc) -> Result<Self, NoSchedule> {
        Schedule::new(doc.from, doc.to, doc.days).map(Self)
    }
}

impl From<ProviderRestrictions> for ProviderRestrictionsDoc {
    fn from(restrictions: ProviderRestrictions) -> Self {
        let ProviderRestrictions { clients: ClientRules { allowed, blocked }, schedule } = restrictions;
        Self { allowed_clients: allowed, blocked_clients: blocked, schedule: schedule.map(Hours) }
    }
}

impl From<ProviderRestrictionsDoc> for ProviderRestrictions {
    fn from(doc: ProviderRestrictionsDoc) -> Self {
        let clients = ClientRules { allowed: doc.allowed_clients, blocked: doc.blocked_clients };
        Self { clients, schedule: doc.schedule.map(|hours| hours.0) }
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
    fn a_providers_document_holds_what_is_set_and_nothing_else() {
        let check = |document: &str| {
            let read: ProviderRestrictionsDoc = serde_json::from_str(document).unwrap();
            let again = ProviderRestrictionsDoc::from(ProviderRestrictions::from(read));
            assert_eq!(serde_json::to_string(&again).unwrap(), document);
        };
        check("{}");
        check(r#"{"blocked_clients":["curl"],"schedule":{"from":"22:00","to":"06:30"}}"#);
        check(r#"{"schedule":{"from":"00:00","to":"24:00","days":["Sat","Sun"]}}"#);
        let same = r#"{"schedule":{"from":"08:00","to":"08:00"}}"#;
        assert!(serde_json::from_str::<ProviderRestrictionsDoc>(same).is_err());
    }

    #[test]
    fn a_restriction_this_version_does_not_know_is_not_read_over() {
        for document in [r#"{"allowed_regions":["x"]}"#, r#"{"blocked_clients":[""]}"#] {
            assert!(serde_json::from_str::<RestrictionsDoc>(document).is_err(), "{document}");
        }
    }
}
