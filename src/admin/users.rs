//! Users: made, listed, changed, removed.

use actix_web::{HttpResponse, web::Data};
use actors::{
    ids::UserId,
    ledger::limits::Limits,
    restrictions::{Restrictions, clients::ClientPattern},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer, Principal, Topic,
    author::Signed,
    body::{Body, Flaws, body},
    change,
    error::Problem,
    limits::{LimitsBody, LimitsView},
    query::{Id, Listed, Query},
    restrictions::{Clients, onto},
    schema::view,
    values::{List, ModelPattern, Moment, Name, names},
    versions::{IfMatch, merged, told},
};
use crate::store::{By, ListAsk, NewUser, Role, Status, Store, User, UserChange, UserFilter};

body! {
    /// A user to be made, or what to change about one. Making one takes a name.
    struct UserBody {
        /// Unique.
        name: Name = required,
        /// What a console login may do.
        role: Role,
        /// Decides which providers may be used.
        groups: List<Name>,
        /// Free words for filtering and reports.
        tags: List<Name>,
        /// Bounds on what the user may consume.
        limits: LimitsBody,
        /// Models that may be asked for; none means all.
        allowed_models: List<ModelPattern>,
        /// Programs that may be used; none means all.
        allowed_clients: Clients,
        /// Programs that may not be used, whatever is allowed.
        blocked_clients: Clients,
        /// From then on all keys are refused.
        expires_at: Moment,
        /// Whether the keys are accepted at all.
        enabled: bool,
    }
}

view! {
    /// A user as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: UserId,
        /// Grows with every change.
        version: i64,
        name: String,
        role: &'static str,
        groups: Vec<String>,
        tags: Vec<String>,
        limits: LimitsView,
        allowed_models: Vec<String>,
        allowed_clients: Vec<ClientPattern>,
        blocked_clients: Vec<ClientPattern>,
        expires_at: Option<DateTime<Utc>>,
        enabled: bool,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

impl From<User> for View {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            version: user.version,
            name: user.name,
            role: user.role.name(),
            groups: user.groups,
            tags: user.tags,
            limits: user.limits.into(),
            allowed_models: user.restrictions.allowed_models,
            allowed_clients: user.restrictions.clients.allowed,
            blocked_clients: user.restrictions.clients.blocked,
            expires_at: user.expires_at,
            enabled: user.enabled,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// `POST /api/v1/users`.
pub(super) async fn create(admin: Data<Admin>, Signed(by): Signed, Body(body): Body<UserBody>) -> Answer {
    let mut flaws = Flaws::default();
    let name = body.name.required("name", &mut flaws);
    flaws.check()?;
    let new = NewUser {
        name: name.map(|name| name.0).unwrap_or_default(),
        role: body.role.or(Role::User),
        groups: body.groups.map(names).or(Vec::new()),
        tags: body.tags.map(names).or(Vec::new()),
        limits: body.limits.map(|limits| limits.onto(Limits::default())).or(Limits::default()),
        restrictions: onto(
            body.allowed_models,
            body.allowed_clients,
            body.blocked_clients,
            Restrictions::default(),
        ),
        expires_at: body.expires_at.map(|at| Some(at.0)).or(None),
        enabled: body.enabled.or(true),
    };
    let store = admin.store.signed(by);
    let made = change(admin, Topic::Keys, async move { Ok(store.create_user(new).await?) }).await?;
    Ok(told(HttpResponse::Created(), made.version, &View::from(made)))
}

/// `GET /api/v1/users`.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let filter = UserFilter {
        ids: None,
        q: query.take_words(),
        role: query.take_named("role", &Role::ALL, Role::name),
        group: query.take_text("group"),
        tag: query.take_text("tag"),
        enabled: query.take("enabled", "true or false"),
        status: query.take_named("status", &Status::ALL, Status::name),
    };
    let (start, limit) = (query.take_start(By::OF_USERS), query.take_limit());
    query.finish()?;
    let page = admin.store.users(ListAsk { filter, start, limit }).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next)
}

/// `GET /api/v1/users/{id}`.
pub(super) async fn show(admin: Data<Admin>, me: Principal, id: Id) -> Answer {
    me.look_at(UserId(id.0), "user")?;
    let user = admin.store.user(UserId(id.0)).await?;
    Ok(told(HttpResponse::Ok(), user.version, &View::from(user)))
}

/// `PATCH /api/v1/users/{id}`: what is given changes, `null` goes back to the default.
pub(super) async fn update(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<UserBody>,
) -> Answer {
    let (id, store) = (UserId(id.0), admin.store.signed(by).expecting(expected.clone()));
    let write = async move { merged(&expected, async || apply(&store, id, body.clone()).await).await };
    let changed = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), changed.version, &View::from(changed)))
}

/// Changes a user. What it has is read here and merged, so none is made where another change came between.
async fn apply(store: &Store, id: UserId, body: UserBody) -> Result<User, Problem> {
    let has = store.user(id).await?;
    Ok(store.changing(has.version)?.update_user(id, wish(body, &has)?).await?)
}

/// What the body changes about a user.
pub(super) fn wish(body: UserBody, has: &User) -> Result<UserChange, Problem> {
    let mut flaws = Flaws::default();
    let name = body.name.change_required("name", &mut flaws);
    flaws.check()?;
    Ok(UserChange {
        name: name.map(|name| name.0),
        role: body.role.change(Role::User),
        groups: body.groups.map(names).change(Vec::new()),
        tags: body.tags.map(names).change(Vec::new()),
        limits: body.limits.map(|limits| limits.onto(has.limits)).change(Limits::default()),
        restrictions: Some(onto(
            body.allowed_models,
            body.allowed_clients,
            body.blocked_clients,
            has.restrictions.clone(),
        ))
        .filter(|now| *now != has.restrictions),
        expires_at: body.expires_at.map(|at| Some(at.0)).change(None),
        enabled: body.enabled.change(true),
    })
}

/// `DELETE /api/v1/users/{id}`, with all the user's keys.
pub(super) async fn remove(
    admin: Data<Admin>,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    change(admin, Topic::Keys, async move { Ok(store.delete_user(UserId(id.0)).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}
