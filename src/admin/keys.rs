//! Api keys of users. A key is in the answer that makes it, and nowhere else ever (C-02).

use actix_web::{HttpResponse, web::Data};
use actors::{
    ids::{KeyId, UserId},
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
use crate::{
    secrets::digest::NewApiKey,
    store::{By, Key, KeyChange, KeyFilter, ListAsk, NewKey, Status, Store},
};

body! {
    /// A key to be made, or what to change about one. Making one takes a name.
    struct KeyBody {
        /// What the operator calls it.
        name: Name = required,
        /// From then on it is refused.
        expires_at: Moment,
        /// Stand in place of the user's groups.
        groups: List<Name>,
        /// Bounds on what may be consumed with it.
        limits: LimitsBody,
        /// Models that may be asked for; none means all.
        allowed_models: List<ModelPattern>,
        /// Programs that may be used; none means all.
        allowed_clients: Clients,
        /// Programs that may not be used, whatever is allowed.
        blocked_clients: Clients,
        /// Whether it may log in to the console.
        web_login: bool,
        /// Whether it is accepted at all.
        enabled: bool,
    }
}

view! {
    /// A key as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: KeyId,
        /// Grows with every change.
        version: i64,
        user_id: UserId,
        name: String,
        /// Its first characters.
        prefix: String,
        last_four: String,
        groups: Vec<String>,
        limits: LimitsView,
        allowed_models: Vec<String>,
        allowed_clients: Vec<ClientPattern>,
        blocked_clients: Vec<ClientPattern>,
        expires_at: Option<DateTime<Utc>>,
        enabled: bool,
        web_login: bool,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        /// Until then the secret before the last rotation is accepted too.
        old_until: Option<DateTime<Utc>>,
    }
}

view! {
    /// A key that was just made.
    #[derive(Serialize)]
    pub(super) struct Made {
        #[serde(flatten)]
        view: View,
        /// The key itself.
        key: String,
    }
}

impl From<Key> for View {
    fn from(key: Key) -> Self {
        Self {
            id: key.id,
            version: key.version,
            user_id: key.user_id,
            name: key.name,
            prefix: key.prefix,
            last_four: key.last_four,
            groups: key.groups,
            limits: key.limits.into(),
            allowed_models: key.restrictions.allowed_models,
            allowed_clients: key.restrictions.clients.allowed,
            blocked_clients: key.restrictions.clients.blocked,
            expires_at: key.expires_at,
            enabled: key.enabled,
            web_login: key.web_login,
            created_at: key.created_at,
            updated_at: key.updated_at,
            old_until: key.old_until,
        }
    }
}

impl View {
    /// The version that is shown.
    pub(super) const fn version(&self) -> i64 {
        self.version
    }
}

impl Made {
    /// A key that was just made, with itself.
    pub(super) const fn new(view: View, key: String) -> Self {
        Self { view, key }
    }
}

/// `POST /api/v1/users/{id}/keys`.
pub(super) async fn create(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    user: Id,
    Body(body): Body<KeyBody>,
) -> Answer {
    me.change_of(UserId(user.0), "user")?;
    let mut flaws = Flaws::default();
    let name = body.name.required("name", &mut flaws);
    flaws.check()?;
    let new = NewKey {
        name: name.map(|name| name.0).unwrap_or_default(),
        groups: body.groups.map(names).or(Vec::new()),
        limits: body.limits.map(|limits| limits.onto(Limits::default())).or(Limits::default()),
        restrictions: onto(
            body.allowed_models,
            body.allowed_clients,
            body.blocked_clients,
            Restrictions::default(),
        ),
        expires_at: body.expires_at.map(|at| Some(at.0)).or(None),
        enabled: body.enabled.or(true),
        web_login: body.web_login.or(false),
    };
    let secret = NewApiKey::generate(&admin.digester);
    let key = secret.reveal().to_owned();
    let store = admin.store.signed(by);
    let write = async move {
        let user = store.user(UserId(user.0)).await?;
        me.bound_key(&user, &Limits::default(), Some(&new.groups), Some(&new.limits))?;
        Ok(store.create_key(user.id, &secret, new).await?)
    };
    let view: View = change(admin, Topic::Keys, write).await?.into();
    Ok(told(HttpResponse::Created(), view.version, &Made { view, key }))
}

/// `GET /api/v1/users/{id}/keys`.
pub(super) async fn list(admin: Data<Admin>, me: Principal, user: Id, query: Query) -> Answer {
    let ask = asked(query, |_| Some(UserId(user.0)))?;
    me.look_at(UserId(user.0), "user")?;
    admin.store.user(UserId(user.0)).await?; // none and one without keys are two things
    page(&admin, ask).await
}

/// `GET /api/v1/keys`: everybody's.
pub(super) async fn everybodys(admin: Data<Admin>, query: Query) -> Answer {
    page(&admin, asked(query, |query| query.take("user_id", "a number").map(UserId))?).await
}

fn asked(
    mut query: Query,
    user: impl FnOnce(&mut Query) -> Option<UserId>,
) -> Result<ListAsk<KeyFilter>, Problem> {
    let filter = KeyFilter {
        ids: None,
        q: query.take_words(),
        user_id: user(&mut query),
        group: query.take_text("group"),
        enabled: query.take("enabled", "true or false"),
        status: query.take_named("status", &Status::ALL, Status::name),
        web_login: query.take("web_login", "true or false"),
    };
    let (start, limit) = (query.take_start(By::OF_USERS), query.take_limit());
    query.finish()?;
    Ok(ListAsk { filter, start, limit })
}

async fn page(admin: &Admin, ask: ListAsk<KeyFilter>) -> Answer {
    let page = admin.store.keys(ask).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next)
}

/// `PATCH /api/v1/keys/{id}`: what is given changes, `null` goes back to the default.
pub(super) async fn update(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
    Body(body): Body<KeyBody>,
) -> Answer {
    let (id, store) = (KeyId(id.0), admin.store.signed(by).expecting(expected.clone()));
    let write = async move { merged(&expected, async || apply(&store, &me, id, body.clone()).await).await };
    let changed = change(admin, Topic::Keys, write).await?;
    Ok(told(HttpResponse::Ok(), changed.version, &View::from(changed)))
}

/// Changes a key. What it has is read here and merged, so none is made where another change came between.
async fn apply(store: &Store, me: &Principal, id: KeyId, body: KeyBody) -> Result<Key, Problem> {
    let has = store.key(id).await?;
    me.change_of(has.user_id, "api key")?;
    let change = wish(body, &has)?;
    let user = store.user(has.user_id).await?;
    me.bound_key(&user, &has.limits, change.groups.as_deref(), change.limits.as_ref())?;
    Ok(store.changing(has.version)?.update_key(id, change).await?)
}

/// What the body changes about a key.
pub(super) fn wish(body: KeyBody, has: &Key) -> Result<KeyChange, Problem> {
    let mut flaws = Flaws::default();
    let name = body.name.change_required("name", &mut flaws);
    flaws.check()?;
    Ok(KeyChange {
        name: name.map(|name| name.0),
        groups: body.groups.map(names).change(Vec::new()),
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
        web_login: body.web_login.change(false),
    })
}

/// `DELETE /api/v1/keys/{id}`: refused from the next request on.
pub(super) async fn remove(
    admin: Data<Admin>,
    me: Principal,
    Signed(by): Signed,
    IfMatch(expected): IfMatch,
    id: Id,
) -> Answer {
    let store = admin.store.signed(by).expecting(expected);
    let write = async move {
        me.change_of(store.key(KeyId(id.0)).await?.user_id, "api key")?;
        Ok(store.delete_key(KeyId(id.0)).await?)
    };
    change(admin, Topic::Keys, write).await?;
    Ok(HttpResponse::NoContent().finish())
}
