//! What is going on right now: actors, breakers, sessions, and the decision that would be made.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::{
    dispatcher::{
        PROVIDER,
        decisions::Decision,
        messages::{Ask, CallerLimits},
    },
    ids::{KeyId, ProviderId, RequestId},
    ledger::claim::Estimate,
    provider::messages::SetBreaker,
    restrictions::{CallerRules, Restricted},
    session::{id::SessionId, messages::SessionView},
    supervisor::{Snapshot, Undelivered},
};
use percent_encoding::percent_decode_str;
use protocol::{Client, Format, Operation};
use serde::Serialize;
use serde_json::json;

use super::{
    Admin, Answer, Principal,
    author::Signed,
    body::{Body, Flaws, body},
    error::{Code, FlawCode, Problem},
    query::{Id, Listed, Query},
    schema::view,
    values::{Model, RowId, Text},
};
use crate::store::{Deed, Key, StoreError, User};

body! {
    /// What to do with a breaker.
    struct BreakerBody {
        /// `closed` or `open`.
        state: SetBreaker = required,
    }
}

body! {
    /// A request that could be made. Only `session` and `operation` may be left out.
    struct SimulateBody {
        /// The wire format.
        format: Format = required,
        /// What is asked of the API; a model's answer unless told.
        operation: Operation,
        /// The model.
        model: Model = required,
        /// The api key.
        key_id: RowId = required,
        /// A conversation: its id as sessions and requests show it, or the name the client gives it.
        session: Text,
        /// How the client names itself; without it, rules about clients are left out.
        user_agent: Text,
    }
}

view! {
    /// An actor as shown.
    #[derive(Serialize)]
    pub(super) struct ActorView {
        #[serde(flatten)]
        snapshot: Snapshot,
        /// Requests it is holding; none for those that hold none.
        in_flight: Option<u64>,
    }
}

view! {
    /// The decision that would be made.
    #[derive(Serialize)]
    pub(super) struct Simulated {
        #[serde(flatten)]
        decision: Decision,
        /// Why it would not come to a decision, where the caller's own restrictions stand in the way.
        refused: Option<String>,
    }
}

view! {
    /// A binding as shown.
    #[derive(Serialize)]
    pub(super) struct BindingView {
        #[serde(flatten)]
        binding: SessionView,
        /// The provider's name; none to who may not look at everything.
        provider: Option<String>,
    }
}

impl From<Snapshot> for ActorView {
    fn from(snapshot: Snapshot) -> Self {
        let in_flight = snapshot.detail.as_ref().and_then(|detail| detail.get("in_flight")?.as_u64());
        Self { snapshot, in_flight }
    }
}

impl From<Undelivered> for Problem {
    fn from(lost: Undelivered) -> Self {
        Self::new(Code::Overloaded, "the actors did not take the question; try again").because(lost)
    }
}

/// `GET /api/v1/actors`.
pub(super) async fn actors(admin: Data<Admin>, query: Query) -> Answer {
    query.finish()?;
    Listed::whole(admin.gateway.actors().await.into_iter().map(ActorView::from).collect())
}

/// `GET /api/v1/actors/{kind}/{name}`.
pub(super) async fn actor(admin: Data<Admin>, request: HttpRequest) -> Answer {
    let part = |name| percent_decode_str(request.match_info().query(name)).decode_utf8_lossy();
    let actor = admin.gateway.actor(&part("kind"), &part("name")).await;
    let actor = actor.ok_or_else(|| Problem::not_found("actor"))?;
    Ok(HttpResponse::Ok().json(ActorView::from(actor)))
}

/// `POST /api/v1/providers/{id}/breaker`; the answer is the provider's actor.
pub(super) async fn set_breaker(
    admin: Data<Admin>,
    Signed(author): Signed,
    id: Id,
    Body(body): Body<BreakerBody>,
) -> Answer {
    let mut flaws = Flaws::default();
    let wish = body.state.required("state", &mut flaws);
    flaws.check()?;
    let id = ProviderId(id.0);
    let card = admin.current.cards().iter().find(|card| card.id == id).cloned();
    let card = card.ok_or_else(|| Problem::not_found("provider"))?;
    if let Some(wish) = wish {
        if !admin.gateway.set_breaker(id, wish).await? {
            return Err(Undelivered::Lost.into());
        }
        let state = if wish == SetBreaker::Open { "open" } else { "closed" };
        let after = Some(json!({"state": state}));
        let subject = format!("provider/{}", id.0);
        let deed = Deed { author, action: "breaker.set", subject, before: None, after };
        admin.store.remember(deed, &[]).await?;
    }
    let actor = admin.gateway.actor(PROVIDER, &card.name).await;
    let actor = actor.ok_or_else(|| Problem::not_found("provider"))?;
    Ok(HttpResponse::Ok().json(ActorView::from(actor)))
}

/// `GET /api/v1/sessions`: the most recently used bindings; to who may not look at everything, the own ones (C-04).
pub(super) async fn sessions(admin: Data<Admin>, me: Principal, mut query: Query) -> Answer {
    let limit = query.take_limit();
    query.finish()?;
    let own = match me.scope() {
        (None, None) => None,
        (_, Some(key)) => Some(vec![key]),
        (Some(user), None) => Some(admin.current.keys().of_user(user).into_iter().collect()),
    };
    // What providers are called is the house's business.
    let cards = if own.is_none() { admin.current.cards() } else { Arc::default() };
    let bindings = admin.gateway.sessions(own, limit).await?;
    let view = |binding: SessionView| {
        let card = cards.iter().find(|card| card.id == binding.provider_id);
        BindingView { provider: card.map(|card| card.name.clone()), binding }
    };
    Listed::whole(bindings.into_iter().map(view).collect())
}

/// `DELETE /api/v1/sessions/{id}`: the next request of that conversation chooses anew.
pub(super) async fn unbind(admin: Data<Admin>, Signed(author): Signed, request: HttpRequest) -> Answer {
    let session: Result<SessionId, _> = request.match_info().query("id").parse();
    let session = session.map_err(|_| Problem::not_found("session"))?;
    if !admin.gateway.unbind(session).await? {
        return Err(Problem::not_found("session"));
    }
    let (action, subject) = ("session.unbind", format!("session/{session}"));
    let deed = Deed { author, action, subject, before: None, after: None };
    admin.store.remember(deed, &[]).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/route/simulate`: the decision that would be made, by the code that makes it.
pub(super) async fn simulate(admin: Data<Admin>, Body(body): Body<SimulateBody>) -> Answer {
    let mut flaws = Flaws::default();
    let format = body.format.required("format", &mut flaws);
    let model = body.model.required("model", &mut flaws);
    let key = body.key_id.required("key_id", &mut flaws);
    flaws.check()?;
    let (Some(format), Some(Model(model)), Some(RowId(key))) = (format, model, key) else {
        return Err(Problem::internal("a required member is missing and was not told"));
    };
    let (key, user) = owner(&admin, KeyId(key)).await?;
    let client = body.user_agent.map(|text| Some(Client::like(&text.0))).or(None);
    let closed_to_client = client.as_ref().map(|client| closed_to(&admin, client)).unwrap_or_default();
    if let Err(restricted) = admit(&key, &user, &model, client.as_ref()) {
        let decision = Decision { attempt: 1, ..Decision::default() };
        return Ok(HttpResponse::Ok().json(Simulated { decision, refused: Some(restricted.to_string()) }));
    }
    let groups = if key.groups.is_empty() { user.groups } else { key.groups };
    let (key, user) = (key.id, user.id);
    let operation = body.operation.or(Operation::Generate);
    let session = body.session.value().map(|text| text.0);
    // Like a real request: only what is a turn belongs to its conversation.
    let session = session.filter(|_| matches!(operation, Operation::Generate | Operation::Compact));
    let session = session.map(|text| session_of(key, format, &model, &text)).transpose()?;
    let ask = Ask {
        request: RequestId::new(),
        key,
        user,
        // Nothing is reserved for a request that is not sent.
        limits: CallerLimits::default(),
        estimate: Estimate::default(),
        groups: groups.into(),
        closed_to_client,
        format,
        operation,
        model,
        session,
        session_goes_on: true,
        session_is_marked: session.is_some(),
        continues: None,
    };
    let decision = admin.gateway.simulate(ask).await?;
    Ok(HttpResponse::Ok().json(Simulated { decision, refused: None }))
}

/// Whether the restrictions of both let this pass.
fn admit(key: &Key, user: &User, model: &str, client: Option<&Client>) -> Result<(), Restricted> {
    let Some(rules) = CallerRules::of(&user.restrictions, &key.restrictions) else { return Ok(()) };
    client.map_or(Ok(()), |client| rules.admit_client(client))?;
    rules.admit_model(model)
}

/// The providers that do not serve this program.
fn closed_to(admin: &Admin, client: &Client) -> Vec<ProviderId> {
    let cards = admin.current.cards();
    cards.iter().filter(|card| !card.restrictions.clients.admit(client)).map(|card| card.id).collect()
}

/// The key, and whose it is.
async fn owner(admin: &Admin, key: KeyId) -> Result<(Key, User), Problem> {
    let key = admin.store.key(key).await.map_err(|error| match error {
        StoreError::NotFound { .. } => {
            Problem::field("key_id", FlawCode::NotFound, "there is no such api key")
        }
        other => other.into(),
    })?;
    let user = admin.store.user(key.user_id).await?;
    Ok((key, user))
}

/// The session that is meant: by id, or by the name the client gives the conversation.
fn session_of(key: KeyId, format: Format, model: &str, text: &str) -> Result<SessionId, Problem> {
    match text.parse::<SessionId>() {
        Ok(session) if session.key() == key => Ok(session),
        Ok(_) => Err(Problem::field("session", FlawCode::NotFound, "belongs to another api key")),
        Err(_) => Ok(SessionId::new(key, format, protocol::family(model), text)),
    }
}
