//! What users and keys may ask for and with which programs, and whom providers serve and when, as bodies tell it.

use actors::restrictions::{
    ProviderRestrictions, Restrictions,
    clients::{ClientPattern, ClientRules, LONGEST, MOST},
    schedule::{DayMinute, NoSchedule, Schedule},
};
use chrono::Weekday;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    body::{Flaws, FromJson, Given, body},
    error::FlawCode,
    schema::{Book, Schema, plain, view},
    times::{TimeOfDay, weekday},
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

body! {
    /// The hours of a provider, by the time zone of the settings. Both ends `null`: always.
    struct ScheduleBody {
        /// From then on it is open.
        from: TimeOfDay,
        /// Until then; the next day, if that is the earlier time.
        to: DayMinute,
        /// The days on which it opens; none means every day.
        days: List<Weekday, 7>,
    }
}

view! {
    /// The hours of a provider.
    #[derive(Debug, Serialize)]
    pub(super) struct ScheduleView {
        from: DayMinute,
        to: DayMinute,
        days: Vec<&'static str>,
    }
}

impl From<&Schedule> for ScheduleView {
    fn from(schedule: &Schedule) -> Self {
        let days = schedule.days().iter().copied().map(weekday).collect();
        Self { from: schedule.begins(), to: schedule.ends(), days }
    }
}

impl FromJson for DayMinute {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let text = text(raw, field, flaws)?;
        text.parse().map_err(|why| flaws.add(field, FlawCode::Malformed, format!("{why}"))).ok()
    }
}

plain! {
    DayMinute => {"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"};
}

impl ScheduleBody {
    /// The hours from now on, where those of `has` held before.
    fn onto(self, has: Option<&Schedule>, flaws: &mut Flaws) -> Option<Schedule> {
        let from = self.from.map(|time| Some(time.0.into())).onto(has.map(Schedule::begins), None);
        let to = self.to.map(Some).onto(has.map(Schedule::ends), None);
        let days = has.map(Schedule::days).unwrap_or_default().to_vec();
        let days = self.days.map(|days| days.0).onto(days, Vec::new());
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (None, None) if days.is_empty() => return None,
            (from, to) => {
                for (field, end) in [("schedule.from", from), ("schedule.to", to)] {
                    if end.is_none() {
                        flaws.add(field, FlawCode::Required, "must be given");
                    }
                }
                return None;
            }
        };
        let complain = |why: NoSchedule| flaws.add("schedule.to", FlawCode::OutOfRange, why.to_string());
        Schedule::new(from, to, days).map_err(complain).ok()
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

/// Whom a provider serves from now on, and when.
pub(super) fn provider_onto(
    allowed: Given<Clients>,
    blocked: Given<Clients>,
    schedule: Given<ScheduleBody>,
    has: ProviderRestrictions,
    flaws: &mut Flaws,
) -> ProviderRestrictions {
    let schedule = match schedule {
        Given::Absent => has.schedule,
        Given::Null => None,
        Given::Value(body) => body.onto(has.schedule.as_ref(), flaws),
    };
    ProviderRestrictions { clients: clients_onto(allowed, blocked, has.clients), schedule }
}

/// Which programs may be used from now on.
fn clients_onto(allowed: Given<Clients>, blocked: Given<Clients>, has: ClientRules) -> ClientRules {
    ClientRules {
        allowed: allowed.map(|list| list.0).onto(has.allowed, Vec::new()),
        blocked: blocked.map(|list| list.0).onto(has.blocked, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actors::ledger::limits::Limits;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        admin::{
            body::{Object, parse},
            keys, providers, users,
        },
        config::store::{StoreSettings, StoreUrl},
        secrets::{
            digest::{Digester, NewApiKey},
            digest_key::DigestKey,
            sealing::Sealer,
            sealing_key::SealingKey,
        },
        store::{NewKey, NewUser, Role, Store},
    };

    async fn store(directory: &TempDir) -> (Store, Digester) {
        let settings = StoreSettings {
            url: StoreUrl::Sqlite(directory.path().join("pointsman.db")),
            pool_size: 1,
            pool_wait: Duration::from_secs(5),
            query_deadline: Duration::from_secs(10),
            auto_migrate: true,
        };
        let key = SealingKey::parse(&"11".repeat(32)).unwrap();
        let store = Store::open(&settings, Sealer::new(&key)).unwrap();
        store.migrate().await.unwrap();
        (store, Digester::for_api_keys(&DigestKey::of_old(&key)))
    }

    fn body<T: Object>(json: &Value) -> T {
        parse(json.to_string().as_bytes()).unwrap()
    }

    /// In each case `has` is what one replica has read, and what it does with that comes after another's change.
    #[actix::test]
    async fn i52_a_change_that_says_nothing_of_restrictions_keeps_those_made_since_it_read() {
        let directory = tempfile::tempdir().unwrap();
        let (store, digester) = store(&directory).await;
        let (renames, restricts) = (json!({"name": "other"}), json!({"blocked_clients": ["curl"]}));
        let (limits, restrictions) = (Limits::default(), Restrictions::default);

        let (name, groups, tags) = ("ann".to_owned(), Vec::new(), Vec::new());
        let (role, expires_at, enabled) = (Role::User, None, true);
        let new =
            NewUser { name, role, groups, tags, limits, restrictions: restrictions(), expires_at, enabled };
        let has = store.create_user(new).await.unwrap();
        let user = has.id;
        for change in [&restricts, &renames] {
            store.update_user(user, users::wish(body(change), &has).unwrap()).await.unwrap();
        }
        let user_now = store.user(user).await.unwrap();
        assert_eq!((&*user_now.name, user_now.restrictions.clients.blocked.len()), ("other", 1));

        let (name, groups, web_login) = ("k".to_owned(), Vec::new(), false);
        let new =
            NewKey { name, groups, limits, restrictions: restrictions(), expires_at, enabled, web_login };
        let has = store.create_key(user, &NewApiKey::generate(&digester), new).await.unwrap();
        for change in [&restricts, &renames] {
            store.update_key(has.id, keys::wish(body(change), &has).unwrap()).await.unwrap();
        }
        let key_now = store.key(has.id).await.unwrap();
        assert_eq!((&*key_now.name, key_now.restrictions.clients.blocked.len()), ("other", 1));

        let one = json!({"name": "one", "kind": "claude", "base_url": "https://one.example", "credential": "secret"});
        let has = store.create_provider(providers::new(body(&one)).unwrap()).await.unwrap();
        for change in [&restricts, &renames] {
            store.update_provider(has.card.id, providers::wish(body(change), &has).unwrap()).await.unwrap();
        }
        let provider_now = store.provider(has.card.id).await.unwrap();
        assert_eq!(
            (&*provider_now.card.name, provider_now.card.restrictions.clients.blocked.len()),
            ("other", 1)
        );
    }
}
