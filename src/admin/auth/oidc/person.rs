//! Who somebody is whom the provider knows: what it claims, and whether the operator lets such a one in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::core::CoreIdToken;
use serde_json::{Map, Value};

use crate::{
    admin::{
        Right,
        auth::elsewhere::{Person, fit_name},
        values::identifier_rule,
    },
    config::oidc::OidcSettings,
    store::Role,
};

/// What the provider claims of somebody, by the claims' own names.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Map<String, Value>);

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    /// The provider says too little.
    Nameless,
    /// Not in a group that may.
    Group,
    /// No verified address in a domain that may.
    Domain,
}

impl No {
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Nameless => "the provider does not say who that is",
            Self::Group => "this account is in no group that may sign in here",
            Self::Domain => "this account has no verified address in a domain that may sign in here",
        }
    }
}

impl Claims {
    /// What a token holds that was verified before.
    pub(super) fn of(token: &CoreIdToken) -> Option<Self> {
        let text = token.to_string();
        let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A list of texts; one text is a list of itself.
    fn texts(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Who that is, if such a one may come in.
pub(super) fn admit(settings: &OidcSettings, claims: &Claims) -> Result<Person, No> {
    let subject = claims.text("sub").filter(|subject| identifier_rule(subject).is_ok());
    let subject = subject.ok_or(No::Nameless)?.to_owned();
    let groups = claims.texts(&settings.groups_claim);
    let is_in = |group: &String| groups.contains(&group.as_str());
    if !settings.allowed_groups.is_empty() && !settings.allowed_groups.iter().any(is_in) {
        return Err(No::Group);
    }
    let email = claims.text(&settings.email_claim);
    let domain =
        email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_ascii_lowercase());
    // An address that nobody verified is what somebody says of himself.
    let verified = claims.0.get("email_verified") == Some(&Value::Bool(true));
    let from_there = verified && domain.is_some_and(|domain| settings.allowed_domains.contains(&domain));
    if !settings.allowed_domains.is_empty() && !from_there {
        return Err(No::Domain);
    }
    let given = settings.roles.iter().filter(|(value, _)| is_in(value)).map(|(_, role)| *role);
    let highest = given.max_by_key(|role| Right::of(*role)).unwrap_or(Role::User);
    Ok(Person {
        subject,
        name: claims.text(&settings.name_claim).or(email).and_then(fit_name),
        role: (!settings.roles.is_empty()).then_some(highest),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example".to_owned(),
            client_id: "gate".to_owned(),
            client_secret: None,
            public_url: "https://gate.example".parse().unwrap(),
            scopes: Vec::new(),
            name_claim: "preferred_username".to_owned(),
            email_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: Vec::new(),
            allowed_domains: Vec::new(),
            allowed_groups: Vec::new(),
            create_users: false,
            label: "x".to_owned(),
            allow_private_network: false,
        }
    }

    fn admitted(settings: &OidcSettings, claims: Value) -> Result<Person, No> {
        admit(settings, &Claims(claims.as_object().unwrap().clone()))
    }

    #[test]
    fn c19_who_may_come_in_is_for_the_operator_to_say() {
        let domains = OidcSettings { allowed_domains: vec!["a.example".to_owned()], ..settings() };
        let groups = OidcSettings { allowed_groups: vec!["staff".to_owned()], ..settings() };
        for (settings, claims, expected) in [
            (settings(), json!({"sub": "1"}), None),
            (settings(), json!({"sub": ""}), Some(No::Nameless)),
            (settings(), json!({"sub": "1\0"}), Some(No::Nameless)),
            (settings(), json!({"sub": 1}), Some(No::Nameless)),
            (domains.clone(), json!({"sub": "1", "email": "x@A.example", "email_verified": true}), None),
            (domains.clone(), json!({"sub": "1", "email": "x@a.example"}), Some(No::Domain)),
            (
                domains.clone(),
                json!({"sub": "1", "email": "x@a.example", "email_verified": "true"}),
                Some(No::Domain),
            ),
            (
                domains.clone(),
                json!({"sub": "1", "email": "x@b.a.example", "email_verified": true}),
                Some(No::Domain),
            ),
            (
                domains.clone(),
                json!({"sub": "1", "email": "a.example@evil", "email_verified": true}),
                Some(No::Domain),
            ),
            (domains, json!({"sub": "1", "email_verified": true}), Some(No::Domain)),
            (groups.clone(), json!({"sub": "1", "groups": ["x", "staff"]}), None),
            (groups.clone(), json!({"sub": "1", "groups": "staff"}), None),
            (groups.clone(), json!({"sub": "1", "groups": ["Staff", "staff2"]}), Some(No::Group)),
            (groups, json!({"sub": "1"}), Some(No::Group)),
        ] {
            assert_eq!(admitted(&settings, claims.clone()).err(), expected, "{claims}");
        }
    }

    #[test]
    fn the_highest_role_counts_and_without_any_one_is_a_user() {
        let role = |name: &str, role| (name.to_owned(), role);
        let settings = OidcSettings {
            roles: vec![role("ops", Role::Operator), role("boss", Role::Admin), role("look", Role::Auditor)],
            ..settings()
        };
        for (groups, expected) in [
            (json!(["look", "boss", "ops"]), Role::Admin),
            (json!(["look", "ops"]), Role::Operator),
            (json!(["Boss"]), Role::User),
            (json!(null), Role::User),
        ] {
            let person = admitted(&settings, json!({"sub": "1", "groups": groups})).unwrap();
            assert_eq!(person.role, Some(expected), "{groups}");
        }
        let theirs = OidcSettings { roles: Vec::new(), ..settings };
        assert_eq!(admitted(&theirs, json!({"sub": "1", "groups": ["boss"]})).unwrap().role, None);
    }

    #[test]
    fn a_name_is_taken_only_where_a_user_may_be_called_so() {
        let name = |claims: Value| admitted(&settings(), claims).unwrap().name;
        assert_eq!(name(json!({"sub": "1", "preferred_username": " anna "})).as_deref(), Some("anna"));
        assert_eq!(name(json!({"sub": "1", "email": "a@b.example"})).as_deref(), Some("a@b.example"));
        assert_eq!(name(json!({"sub": "1", "preferred_username": "a\nb"})), None);
        assert_eq!(name(json!({"sub": "1", "preferred_username": "a".repeat(65)})), None);
        assert_eq!(name(json!({"sub": "1"})), None);
    }
}
