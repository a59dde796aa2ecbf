//! The configuration in force: every setting with its value, where that came from, and whether it can change
//! while the server runs.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use serde_json::Value;

use super::{Admin, Answer, error::Problem, query::Query, schema::view, settings};
use crate::{
    config::{Effective, Origin},
    current::billing::Billing,
    store::SystemSettings,
};

view! {
    /// All of it.
    #[derive(Serialize)]
    pub(super) struct View<'a> {
        items: Vec<Setting<'a>>,
    }
}

view! {
    /// One setting.
    #[derive(Serialize)]
    pub(super) struct Setting<'a> {
        /// Its name: in the configuration file, or the member's in the settings.
        key: &'a str,
        /// Its value; none where it is unset, `…` where it is secret.
        value: Value,
        /// `default`, `file`, `environment`, `flag` or `database`.
        origin: &'static str,
        /// The variable or the flag that set it.
        set_by: Option<&'static str>,
        secret: bool,
        /// Where it can be changed while the server runs; none for what the process is started with.
        changed_at: Option<&'static str>,
    }
}

impl<'a> From<&'a Effective> for Setting<'a> {
    fn from(effective: &'a Effective) -> Self {
        let (origin, set_by) = match effective.origin {
            Origin::Default => ("default", None),
            Origin::File => ("file", None),
            Origin::Environment(name) => ("environment", Some(name)),
            Origin::Flag(name) => ("flag", Some(name)),
        };
        let value = effective.value.clone().map_or(Value::Null, Value::String);
        let (key, secret) = (effective.key, effective.secret);
        Self { key, value, origin, set_by, secret, changed_at: None }
    }
}

/// `GET /api/v1/config`.
pub(super) async fn show(admin: Data<Admin>, query: Query) -> Answer {
    query.finish()?;
    let version = admin.current.version();
    let has = members(&settings::view(&admin, &version.settings))?;
    let usual = members(&settings::view(&admin, &SystemSettings::default()))?;
    let billing = (members(version.prices.billing())?, members(&Billing::default())?);
    let mut items: Vec<_> = admin.process.iter().map(Setting::from).collect();
    items.extend(at_run_time("/api/v1/settings", &has, &usual));
    items.extend(at_run_time("/api/v1/settings/billing", &billing.0, &billing.1));
    Ok(HttpResponse::Ok().json(View { items }))
}

/// Settings that live in the database. One that was set to what it is without that counts as not set.
fn at_run_time<'a>(
    changed_at: &'static str,
    has: &'a serde_json::Map<String, Value>,
    usual: &'a serde_json::Map<String, Value>,
) -> impl Iterator<Item = Setting<'a>> {
    has.iter().map(move |(key, value)| {
        let origin = if usual.get(key) == Some(value) { "default" } else { "database" };
        let changed_at = Some(changed_at);
        Setting { key, value: value.clone(), origin, set_by: None, secret: false, changed_at }
    })
}

fn members(of: &impl Serialize) -> Result<serde_json::Map<String, Value>, Problem> {
    match serde_json::to_value(of) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Problem::internal("settings are not an object")),
    }
}
