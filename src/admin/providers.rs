//! Providers: made, listed, changed, removed. A credential goes in and never comes out (C-05).

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use actors::{
    ids::ProviderId,
    ledger::limits::Limits,
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
    restrictions::{ProviderRestrictions, clients::ClientPattern},
};
use chrono::{DateTime, Utc};
use protocol::Format;
use serde::Serialize;

use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Body, Flaws, Given, body},
    change,
    error::{FlawCode, Problem},
    limits::{ProviderLimitsBody, ProviderLimitsView},
    query::{Id, Listed, Query},
    restrictions::{Clients, ScheduleBody, ScheduleView, patterns, provider_onto},
    schema::view,
    values::{Amount, Later, List, ModelPattern, Name, NotYet, Redirects, SecretText, Text, Whole, names},
    versions::{IfMatch, merged, told},
};
use crate::{
    store::{By, ListAsk, NewProvider, Provider, ProviderChange, ProviderFilter, Store},
    upstream::check_base_url,
};

/// The highest factor on prices.
const MAX_MULTIPLIER: u64 = 1_000;
/// A day, the longest that anything here may take.
const DAY_MS: i32 = 86_400_000;

body! {
    /// A provider to be made, or what to change about one. Making one takes the first four.
    struct ProviderBody {
        /// Unique.
        name: Name = required,
        /// The preset for authentication, paths and formats.
        kind: Kind = required,
        /// Scheme, host, port and path prefix of the upstream.
        base_url: Text = required,
        /// What authenticates us there.
        credential: SecretText = required,
        /// The wire formats it serves, where the kind's own won't do.
        formats: List<Format>,
        /// Share of the choice among providers of equal priority.
        weight: Whole<0, 1_000>,
        /// Lower goes first.
        priority: Whole<-10_000, 10_000>,
        /// Factor on the price of everything that goes through it.
        cost_multiplier: Amount<MAX_MULTIPLIER>,
        /// Groups that may use it; none means everyone.
        groups: List<Name>,
        /// Models it may be asked for; none means all.
        allowed_models: List<ModelPattern>,
        /// Programs it serves; none means all.
        allowed_clients: Clients,
        /// Programs it does not serve, whatever is allowed.
        blocked_clients: Clients,
        /// The hours in which it is open; none means always.
        schedule: ScheduleBody,
        /// Asked-for model to the model that is sent instead.
        model_redirects: Redirects,
        /// Bounds on what is sent there.
        limits: ProviderLimitsBody,
        /// How its breaker behaves.
        breaker: BreakerBody,
        /// How long the stages of an attempt may take.
        timeouts: TimeoutsBody,
        /// The way to it.
        proxy: ProxyBody,
        /// Whether its host may be a private or loopback address.
        allow_private_network: bool,
        /// Whether it is in the running at all.
        enabled: bool,
        /// The operator's own words.
        notes: Text,
    }
}

body! {
    /// How a breaker behaves.
    struct BreakerBody {
        /// Failures in a row that open it.
        failure_threshold: Whole<1, 1_000>,
        /// How long it stays open the first time.
        open_ms: Whole<1, DAY_MS>,
        /// Good probes that close it again.
        half_open_successes: Whole<1, 100>,
    }
}

body! {
    /// How long the stages of an attempt may take.
    struct TimeoutsBody {
        /// Name resolution, TCP and TLS together.
        connect_ms: Whole<1, DAY_MS>,
        /// Until the first meaningful frame of a stream, or the head of a plain answer.
        first_byte_ms: Whole<1, DAY_MS>,
        /// Silence within an answer.
        idle_ms: Whole<1, DAY_MS>,
        /// The whole attempt.
        total_ms: Whole<1, DAY_MS>,
    }
}

body! {
    /// The way to an upstream.
    struct ProxyBody {
        /// The proxy.
        url: Later,
        /// Whether to go without it when it is away.
        fallback_direct: NotYet,
    }
}

view! {
    /// A provider as it is shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: ProviderId,
        version: i64,
        name: String,
        kind: Kind,
        base_url: String,
        /// The last four characters; none of a short one.
        credential_hint: Option<String>,
        formats: Vec<Format>,
        weight: u32,
        priority: i32,
        cost_multiplier: Money,
        groups: Vec<String>,
        allowed_models: Vec<String>,
        allowed_clients: Vec<ClientPattern>,
        blocked_clients: Vec<ClientPattern>,
        schedule: Option<ScheduleView>,
        model_redirects: BTreeMap<String, String>,
        limits: ProviderLimitsView,
        breaker: BreakerSettings,
        timeouts: Timeouts,
        proxy: Option<String>,
        allow_private_network: bool,
        enabled: bool,
        notes: String,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

impl From<Provider> for View {
    fn from(provider: Provider) -> Self {
        let Provider { card, notes, created_at, updated_at } = provider;
        Self {
            credential_hint: hint(&card.credential),
            id: card.id,
            version: card.version,
            name: card.name,
            kind: card.kind,
            base_url: card.base_url,
            formats: card.formats,
            weight: card.weight,
            priority: card.priority,
            cost_multiplier: card.cost_multiplier,
            groups: card.groups,
            allowed_models: card.allowed_models,
            allowed_clients: card.restrictions.clients.allowed,
            blocked_clients: card.restrictions.clients.blocked,
            schedule: card.restrictions.schedule.as_ref().map(ScheduleView::from),
            model_redirects: card.model_redirects,
            limits: card.limits.into(),
            breaker: card.breaker,
            timeouts: card.timeouts,
            proxy: None,
            allow_private_network: card.allow_private_network,
            enabled: card.enabled,
            notes,
            created_at,
            updated_at,
        }
    }
}

/// Enough to tell one credential from another; nothing of one that is so short that it would help.
fn hint(credential: &Credential) -> Option<String> {
    let secret = credential.reveal();
    let (start, long) = (secret.len().saturating_sub(4), secret.len() >= 16);
    long.then(|| format!("…{}", &secret[start..]))
}

/// `POST /api/v1/providers`.
pub(super) async fn create(admin: Data<Admin>, Signed(by): Signed, body: Body<ProviderBody>) -> Answer {
    let new = new(body.0)?;
    let store = admin.store.signed(by);
    let made = change(admin, Topic::Providers, async move { Ok(store.create_provider(new).await?) }).await?;
    Ok(told(HttpResponse::Created(), made.card.version, &View::from(made)))
}

/// `GET /api/v1/providers`.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let filter = ProviderFilter {
        ids: None,
        q: query.take_words(),
        kind: query.take_named("kind", &Kind::ALL, Kind::name),
        group: query.take_text("group"),
        enabled: query.take("enabled", "true or false"),
        format: query.take_named("format", &Format::ALL, Format::name),
    };
    let (start, limit) = (query.take_start(By::OF_PROVIDERS), query.take_limit());
    query.finish()?;
    let page = admin.store.provider_list(ListAsk { filter, start, limit }).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next)
}

/// `GET /api/v1/providers/{id}`.
pub(super) async fn show(admin: Data<Admin>, id: Id) -> Answer {
    let provider = admin.store.provider(ProviderId(id.0)).await?;
    Ok(told(HttpResponse::Ok(), provider.card.version, &View::from(provider)))
}

/// `PATCH /api/v1/providers/{id}`: what is given changes, `null` goes back to the default.
pub(super) async fn update(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<ProviderBody>,
) -> Answer {
    let (id, store) = (ProviderId(id.0), admin.store.signed(by).expecting(expected.clone()));
    let write = async move { merged(&expected, async || apply(&store, id, body.clone()).await).await };
    let changed = change(admin, Topic::Providers, write).await?;
    Ok(told(HttpResponse::Ok(), changed.card.version, &View::from(changed)))
}

/// `DELETE /api/v1/providers/{id}`: what is under way there goes on.
pub(super) async fn remove(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    change(admin, Topic::Providers, async move { Ok(store.delete_provider(ProviderId(id.0)).await?) })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) fn new(body: ProviderBody) -> Result<NewProvider, Problem> {
    let mut flaws = Flaws::default();
    let name = body.name.required("name", &mut flaws);
    let kind = body.kind.required("kind", &mut flaws);
    let base_url = body.base_url.required("base_url", &mut flaws);
    let credential = body.credential.required("credential", &mut flaws);
    let allow_private_network = body.allow_private_network.or(false);
    let base_url = base_url.and_then(|url| fit_url(&url.0, allow_private_network, &mut flaws));
    let restrictions = provider_onto(
        body.allowed_clients,
        body.blocked_clients,
        body.schedule,
        ProviderRestrictions::default(),
        &mut flaws,
    );
    flaws.check()?;
    let (Some(name), Some(kind), Some(base_url), Some(credential)) = (name, kind, base_url, credential)
    else {
        return Err(Problem::internal("a required member is missing and was not told"));
    };
    Ok(NewProvider {
        name: name.0,
        kind,
        base_url,
        credential: Credential::new(credential.0),
        formats: body.formats.or(List(Vec::new())).0,
        weight: body.weight.map(Whole::unsigned).or(1),
        priority: body.priority.map(Whole::get).or(0),
        cost_multiplier: body.cost_multiplier.map(|factor| factor.0).or(Money::one()),
        groups: body.groups.map(names).or(Vec::new()),
        allowed_models: body.allowed_models.map(patterns).or(Vec::new()),
        restrictions,
        model_redirects: body.model_redirects.map(|redirects| redirects.0).or(BTreeMap::new()),
        limits: body.limits.map(|limits| limits.onto(Limits::default())).or(Limits::default()),
        breaker: body.breaker.map(|b| b.onto(BreakerSettings::default())).or(BreakerSettings::default()),
        timeouts: body.timeouts.map(|t| t.onto(Timeouts::default())).or(Timeouts::default()),
        allow_private_network,
        enabled: body.enabled.or(true),
        notes: body.notes.map(|text| text.0).or(String::new()),
    })
}

/// Changes a provider. What it has is read here and merged, so none is made where another change came between.
async fn apply(store: &Store, id: ProviderId, body: ProviderBody) -> Result<Provider, Problem> {
    let has = store.provider(id).await?;
    Ok(store.changing(has.card.version)?.update_provider(id, wish(body, &has)?).await?)
}

/// What the body changes about a provider.
pub(super) fn wish(body: ProviderBody, has: &Provider) -> Result<ProviderChange, Problem> {
    let has: &Card = &has.card;
    let mut flaws = Flaws::default();
    let url_or_rule_changes = body.base_url != Given::Absent || body.allow_private_network != Given::Absent;
    let allow_private_network = body.allow_private_network.change(false);
    let name = body.name.change_required("name", &mut flaws);
    let kind = body.kind.change_required("kind", &mut flaws);
    let base_url = body.base_url.change_required("base_url", &mut flaws);
    let credential = body.credential.change_required("credential", &mut flaws);
    // The two decide together, so each is checked with what the other is or becomes.
    let base_url = base_url.map_or_else(|| has.base_url.clone(), |url| url.0);
    let fit = fit_url(&base_url, allow_private_network.unwrap_or(has.allow_private_network), &mut flaws)
        .filter(|_| url_or_rule_changes);
    let restrictions = provider_onto(
        body.allowed_clients,
        body.blocked_clients,
        body.schedule,
        has.restrictions.clone(),
        &mut flaws,
    );
    flaws.check()?;
    Ok(ProviderChange {
        name: name.map(|name| name.0),
        kind,
        base_url: fit,
        credential: credential.map(|secret| Credential::new(secret.0)),
        formats: body.formats.map(|formats| formats.0).change(Vec::new()),
        weight: body.weight.map(Whole::unsigned).change(1),
        priority: body.priority.map(Whole::get).change(0),
        cost_multiplier: body.cost_multiplier.map(|factor| factor.0).change(Money::one()),
        groups: body.groups.map(names).change(Vec::new()),
        allowed_models: body.allowed_models.map(patterns).change(Vec::new()),
        restrictions: Some(restrictions).filter(|now| *now != has.restrictions),
        model_redirects: body.model_redirects.map(|redirects| redirects.0).change(BTreeMap::new()),
        limits: body.limits.map(|limits| limits.onto(has.limits)).change(Limits::default()),
        breaker: body.breaker.map(|breaker| breaker.onto(has.breaker)).change(BreakerSettings::default()),
        timeouts: body.timeouts.map(|timeouts| timeouts.onto(has.timeouts)).change(Timeouts::default()),
        allow_private_network,
        enabled: body.enabled.change(true),
        notes: body.notes.map(|text| text.0).change(String::new()),
    })
}

/// The url as it is kept, if it may be gone to (C-06).
fn fit_url(url: &str, allow_private: bool, flaws: &mut Flaws) -> Option<String> {
    match check_base_url(url, allow_private) {
        Ok(_) => Some(url.trim_end_matches('/').to_owned()),
        Err(why) => {
            let would_do = !allow_private && check_base_url(url, true).is_ok();
            let hint = if would_do { "; if it is meant, set allow_private_network to true" } else { "" };
            flaws.add("base_url", FlawCode::Malformed, format!("{why}{hint}"));
            None
        }
    }
}

impl BreakerBody {
    fn onto(self, has: BreakerSettings) -> BreakerSettings {
        let default = BreakerSettings::default();
        let threshold = self.failure_threshold.map(Whole::unsigned);
        let successes = self.half_open_successes.map(Whole::unsigned);
        BreakerSettings {
            failure_threshold: threshold.onto(has.failure_threshold, default.failure_threshold),
            open_ms: millis(self.open_ms).onto(has.open_ms, default.open_ms),
            half_open_successes: successes.onto(has.half_open_successes, default.half_open_successes),
        }
    }
}

impl TimeoutsBody {
    fn onto(self, has: Timeouts) -> Timeouts {
        let default = Timeouts::default();
        Timeouts {
            connect_ms: millis(self.connect_ms).onto(has.connect_ms, default.connect_ms),
            first_byte_ms: millis(self.first_byte_ms).onto(has.first_byte_ms, default.first_byte_ms),
            idle_ms: millis(self.idle_ms).onto(has.idle_ms, default.idle_ms),
            total_ms: millis(self.total_ms).onto(has.total_ms, default.total_ms),
        }
    }
}

fn millis(given: Given<Whole<1, DAY_MS>>) -> Given<u64> {
    given.map(|span| u64::from(span.unsigned()))
}
