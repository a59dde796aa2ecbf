//! What callers may do apart from how much, and whom providers serve: which models, which programs, which hours.
//!
//! Plain values that are compiled when the configuration is read. A user's and a key's hold together: what either
//! forbids is forbidden.

pub mod clients;
pub mod schedule;

use protocol::Client;

use self::{
    clients::{ClientPattern, ClientRules},
    schedule::Schedule,
};

/// So many entries of a list are told to who is refused.
const TOLD: usize = 20;

/// What is set for a user, or for a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// Models that may be asked for; none means all. A trailing `*` matches any rest.
    pub allowed_models: Vec<String>,
    /// Programs that may be used.
    pub clients: ClientRules,
}

/// What is set for a provider, beside its models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderRestrictions {
    /// Programs it serves.
    pub clients: ClientRules,
    /// The hours it is open; none means always.
    pub schedule: Option<Schedule>,
}

/// Whether a list of models, where a trailing `*` matches any rest, holds this one. An empty list holds all.
#[must_use]
pub fn holds_model(list: &[String], model: &str) -> bool {
    list.is_empty()
        || list.iter().any(|entry| match entry.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => entry == model,
        })
}

/// What holds for whoever comes with a key: its user's restrictions and its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerRules {
    /// The user's.
    pub user: Restrictions,
    /// The key's.
    pub key: Restrictions,
}

/// Whose restriction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The user's, for all keys.
    User,
    /// The key's.
    Key,
}

/// Why a caller may not do this. Told to the caller, whose own rights these are; what is blocked is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Restricted {
    /// The model is not among those that may be asked for.
    #[error("{} may not ask for model `{model}`, only for {}", subject(*.whose), told(.allowed))]
    Model {
        /// Whose restriction it is.
        whose: Whose,
        /// What was asked for.
        model: String,
        /// What may be.
        allowed: Vec<String>,
    },
    /// The program may not be used.
    #[error("{} not open to this client{}", keys(*.whose), only_to(.allowed))]
    Client {
        /// Whose restriction it is.
        whose: Whose,
        /// What may be used; empty where it is all but what is blocked.
        allowed: Vec<String>,
    },
}

impl CallerRules {
    /// These together, where they restrict anything at all.
    #[must_use]
    pub fn of(user: &Restrictions, key: &Restrictions) -> Option<Self> {
        let rules = Self { user: user.clone(), key: key.clone() };
        (rules != Self::default()).then_some(rules)
    }

    /// Whether this program may be used.
    ///
    /// # Errors
    /// [`Restricted::Client`], by the user's rules before the key's.
    pub fn admit_client(&self, client: &Client) -> Result<(), Restricted> {
        let refuses = |of: &&(Whose, &Restrictions)| !of.1.clients.admit(client);
        let Some((whose, restrictions)) = self.both().iter().find(refuses).copied() else { return Ok(()) };
        let allowed = restrictions.clients.allowed.iter().map(ClientPattern::to_string).collect();
        Err(Restricted::Client { whose, allowed })
    }

    /// Whether this model may be asked for.
    ///
    /// # Errors
    /// [`Restricted::Model`], by the user's rules before the key's.
    pub fn admit_model(&self, model: &str) -> Result<(), Restricted> {
        let refuses = |of: &&(Whose, &Restrictions)| !holds_model(&of.1.allowed_models, model);
        let Some((whose, restrictions)) = self.both().iter().find(refuses).copied() else { return Ok(()) };
        let (model, allowed) = (model.to_owned(), restrictions.allowed_models.clone());
        Err(Restricted::Model { whose, model, allowed })
    }

    /// The models that are named one by one and may be asked for.
    pub fn named_models(&self) -> impl Iterator<Item = &str> {
        let named = self.user.allowed_models.iter().chain(&self.key.allowed_models).map(String::as_str);
        named.filter(|model| !model.ends_with('*') && self.admit_model(model).is_ok())
    }

    const fn both(&self) -> [(Whose, &Restrictions); 2] {
        [(Whose::User, &self.user), (Whose::Key, &self.key)]
    }
}

const fn subject(whose: Whose) -> &'static str {
    match whose {
        Whose::User => "your user",
        Whose::Key => "this api key",
    }
}

fn told(list: &[String]) -> String {
    let names = list.iter().take(TOLD).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(TOLD) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

const fn keys(whose: Whose) -> &'static str {
    match whose {
        Whose::User => "your api keys are",
        Whose::Key => "this api key is",
    }
}

fn only_to(allowed: &[String]) -> String {
    if allowed.is_empty() { String::new() } else { format!(", only to {}", told(allowed)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn restrictions(models: &[&str], allowed: &[&str], blocked: &[&str]) -> Restrictions {
        let patterns = |list: &[&str]| list.iter().map(|text| ClientPattern::parse(text).unwrap()).collect();
        let clients = ClientRules { allowed: patterns(allowed), blocked: patterns(blocked) };
        Restrictions { allowed_models: models.iter().map(|&model| model.to_owned()).collect(), clients }
    }

    #[test]
    fn who_is_refused_is_told_what_is_allowed_and_not_what_is_blocked() {
        let rules = CallerRules {
            user: restrictions(&["claude-*", "gpt-5"], &[], &["secret-tool"]),
            key: restrictions(&["claude-haiku"], &["codex-cli"], &[]),
        };
        let no = |model: &str| rules.admit_model(model).unwrap_err().to_string();
        assert_eq!(no("o3"), "your user may not ask for model `o3`, only for `claude-*`, `gpt-5`");
        assert_eq!(no("gpt-5"), "this api key may not ask for model `gpt-5`, only for `claude-haiku`");
        assert_eq!(rules.admit_model("claude-haiku"), Ok(()));
        assert_eq!(rules.named_models().collect::<Vec<_>>(), ["claude-haiku"]);
        let no = |agent: &str| rules.admit_client(&Client::like(agent)).unwrap_err().to_string();
        assert_eq!(no("Secret-Tool/1"), "your api keys are not open to this client");
        assert_eq!(no("curl/8"), "this api key is not open to this client, only to `codex-cli`");
        assert_eq!(rules.admit_client(&Client::like("codex_exec/0.9")), Ok(()));
    }

    #[test]
    fn a_long_list_is_told_in_part() {
        let models: Vec<_> = (0..25).map(|number| format!("m{number}")).collect();
        let user = Restrictions { allowed_models: models, ..Restrictions::default() };
        let told = CallerRules { user, ..CallerRules::default() }.admit_model("x").unwrap_err().to_string();
        assert!(told.ends_with("`m19` and 5 more"), "{told}");
    }

    /// Lists over few names, so that they often meet.
    fn any_restrictions() -> impl Strategy<Value = Restrictions> {
        let some = |names: &'static [&'static str]| prop::collection::vec(prop::sample::select(names), 0..3);
        (some(&["a", "ab", "a*", "b*"]), some(&["one", "two", "t*"]), some(&["one", "two", "three"]))
            .prop_map(|(models, allowed, blocked)| restrictions(&models, &allowed, &blocked))
    }

    proptest! {
        #[test]
        fn what_either_forbids_is_forbidden(user in any_restrictions(), key in any_restrictions()) {
            let alone = |user: &Restrictions| CallerRules { user: user.clone(), ..CallerRules::default() };
            let both = CallerRules { user: user.clone(), key: key.clone() };
            for model in ["a", "ab", "abc", "b", "c"] {
                let each = [&user, &key].map(|one| alone(one).admit_model(model).is_ok());
                prop_assert_eq!(both.admit_model(model).is_ok(), each[0] && each[1], "{}", model);
            }
            for agent in ["", "one/1", "two/2", "three", "four"] {
                let client = Client::like(agent);
                let each = [&user, &key].map(|one| alone(one).admit_client(&client).is_ok());
                prop_assert_eq!(both.admit_client(&client).is_ok(), each[0] && each[1], "{}", agent);
            }
        }
    }
}
