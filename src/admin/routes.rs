//! Every path of the control plane on one page, each with the right it takes. What is not here does not
//! exist; a path that is here answers nobody without that right.
//!
//! Paths are mounted one by one and not as a scope: some paths below `/api/v1` are the data plane's.

use actix_web::{
    Error, FromRequest, Handler, HttpRequest, Responder, ResponseError as _, Route,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{ALLOW, HeaderValue},
    },
    middleware::{Next, from_fn},
    web,
};

use super::{
    Right, audit, auth, batches, billing, configuration,
    error::{Code, Problem},
    events, exports, gate, identities, keys, ledger, lifecycle, live, me,
    openapi::{self, Asked, Asks},
    overview, price_import, prices, provider_prices, providers,
    query::Query,
    quotas, repricing, request_filters, requests, sealing_key, settings, statistics, trash, users,
};

use crate::metrics;

struct Entry {
    method: Method,
    path: &'static str,
    right: Right,
    route: Route,
    asked: Asked,
}

fn entry<F, Args>(method: Method, path: &'static str, right: Right, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + Asks + 'static,
    F::Output: Responder + 'static,
{
    let route = web::method(method.clone()).to(handler);
    Entry { method, path, right, route, asked: Asked::by::<F, Args>() }
}

/// The table. Entries of one path stand together; a literal path stands before a pattern that covers it.
#[rustfmt::skip]
fn table() -> Vec<Entry> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    use Right::{Admin, Operate, Own, Public, Read, SignedIn};
    vec![
        entry(POST,   "/api/v1/providers",               Admin,   providers::create),
        entry(GET,    "/api/v1/providers",               Read,    providers::list),
        entry(POST,   "/api/v1/providers/batch",         Admin,   batches::change_providers),
        entry(GET,    "/api/v1/providers/{id}",          Read,    providers::show),
        entry(PATCH,  "/api/v1/providers/{id}",          Admin,   providers::update),
        entry(DELETE, "/api/v1/providers/{id}",          Admin,   providers::remove),
        entry(POST,   "/api/v1/providers/{id}/enable",   Admin,   lifecycle::providers::enable),
        entry(POST,   "/api/v1/providers/{id}/disable",  Admin,   lifecycle::providers::disable),
        entry(POST,   "/api/v1/providers/{id}/clone",    Admin,   lifecycle::providers::copy),
        entry(POST,   "/api/v1/providers/{id}/restore",  Admin,   lifecycle::providers::restore),
        entry(POST,   "/api/v1/providers/{id}/breaker",  Operate, live::set_breaker),
        entry(GET,    "/api/v1/providers/{id}/prices",   Read,    provider_prices::list),
        entry(PUT,    "/api/v1/providers/{id}/prices/{model:.+}", Admin,   provider_prices::put),
        entry(DELETE, "/api/v1/providers/{id}/prices/{model:.+}", Admin,   provider_prices::remove),

        entry(POST,   "/api/v1/users",                   Admin,   users::create),
        entry(GET,    "/api/v1/users",                   Read,    users::list),
        entry(POST,   "/api/v1/users/batch",             Admin,   batches::change_users),
        entry(GET,    "/api/v1/users/{id}",              Own,     users::show),
        entry(PATCH,  "/api/v1/users/{id}",              Admin,   users::update),
        entry(DELETE, "/api/v1/users/{id}",              Admin,   users::remove),
        entry(PUT,    "/api/v1/users/{id}/password",     Admin,   auth::passwords::set),
        entry(DELETE, "/api/v1/users/{id}/password",     Admin,   auth::passwords::remove),
        entry(GET,    "/api/v1/users/{id}/identities",   Read,    identities::list),
        entry(POST,   "/api/v1/users/{id}/identities",   Admin,   identities::link),
        entry(DELETE, "/api/v1/identities/{id}",         Admin,   identities::unlink),
        entry(POST,   "/api/v1/users/{id}/keys",         Own,     keys::create),
        entry(GET,    "/api/v1/users/{id}/keys",         Own,     keys::list),
        entry(GET,    "/api/v1/keys",                    Read,    keys::everybodys),
        entry(POST,   "/api/v1/keys/batch",              Admin,   batches::change_keys),
        entry(PATCH,  "/api/v1/keys/{id}",               Own,     keys::update),
        entry(DELETE, "/api/v1/keys/{id}",               Own,     keys::remove),

        entry(POST,   "/api/v1/users/{id}/enable",       Admin,   lifecycle::users::enable),
        entry(POST,   "/api/v1/users/{id}/disable",      Admin,   lifecycle::users::disable),
        entry(POST,   "/api/v1/users/{id}/renew",        Admin,   lifecycle::users::renew),
        entry(POST,   "/api/v1/users/{id}/clone",        Admin,   lifecycle::users::copy),
        entry(POST,   "/api/v1/users/{id}/restore",      Admin,   lifecycle::users::restore),
        entry(POST,   "/api/v1/keys/{id}/enable",        Own,     lifecycle::keys::enable),
        entry(POST,   "/api/v1/keys/{id}/disable",       Own,     lifecycle::keys::disable),
        entry(POST,   "/api/v1/keys/{id}/renew",         Own,     lifecycle::keys::renew),
        entry(POST,   "/api/v1/keys/{id}/rotate",        Own,     lifecycle::keys::rotate),
        entry(POST,   "/api/v1/keys/{id}/clone",         Own,     lifecycle::keys::copy),
        entry(POST,   "/api/v1/keys/{id}/restore",       Admin,   lifecycle::keys::restore),

        entry(POST,   "/api/v1/batches/{id}/undo",       Admin,   batches::undo),

        entry(GET,    "/api/v1/trash",                   Read,    trash::list),
        entry(DELETE, "/api/v1/trash/{kind}/{id}",       Admin,   trash::purge),

        entry(GET,    "/api/v1/me",                      Own,     me::show),
        entry(PUT,    "/api/v1/me/password",             Own,     auth::passwords::change_own),

        entry(POST,   "/api/v1/auth/login",              Public,   auth::login),
        entry(GET,    "/api/v1/auth/ways",               Public,   auth::ways::list),
        entry(GET,    "/api/v1/auth/oidc/start",         Public,   auth::oidc::start),
        entry(GET,    "/api/v1/auth/oidc/callback",      Public,   auth::oidc::callback),
        entry(POST,   "/api/v1/auth/logout",             SignedIn, auth::logout),
        entry(GET,    "/api/v1/auth/sessions",           SignedIn, auth::sessions::list),
        entry(DELETE, "/api/v1/auth/sessions/{id}",      SignedIn, auth::sessions::end),

        entry(GET,    "/api/v1/settings",                Read,    settings::show),
        entry(PATCH,  "/api/v1/settings",                Admin,   settings::update),

        entry(GET,    "/api/v1/sealing-key",             Read,    sealing_key::show),
        entry(POST,   "/api/v1/sealing-key/change",      Admin,   sealing_key::change),

        entry(GET,    "/api/v1/config",                  Read,    configuration::show),
        entry(GET,    "/api/v1/events",                  Read,    events::listen),

        entry(GET,    "/api/v1/quotas/{kind}/{id}",       Own,     quotas::show),
        entry(POST,   "/api/v1/quotas/{kind}/{id}/reset", Operate, quotas::reset),
        entry(POST,   "/api/v1/quotas/{kind}/{id}/raise", Operate, quotas::raise),
        entry(GET,    "/api/v1/ledger/reservations",     Read,    ledger::reservations),
        entry(GET,    "/api/v1/ledger/drift",            Read,    ledger::drift),
        entry(GET,    "/api/v1/audit",                   Read,    audit::list),

        entry(GET,    "/api/v1/prices",                  Read,    prices::list),
        entry(POST,   "/api/v1/prices/import",           Admin,   price_import::upload),
        entry(POST,   "/api/v1/prices/import/source",    Admin,   price_import::fetch),
        entry(GET,    "/api/v1/prices/imports",          Read,    price_import::list),
        entry(GET,    "/api/v1/prices/unpriced",         Read,    prices::unpriced),
        // A model's name may hold slashes.
        entry(GET,    "/api/v1/prices/{model:.+}",       Read,    prices::show),
        entry(PUT,    "/api/v1/prices/{model:.+}",       Admin,   prices::put),
        entry(DELETE, "/api/v1/prices/{model:.+}",       Admin,   prices::remove),

        entry(GET,    "/api/v1/settings/billing",        Read,    billing::show),
        entry(PATCH,  "/api/v1/settings/billing",        Admin,   billing::update),

        entry(GET,    "/api/v1/statistics",              Own,     statistics::statistics),
        entry(GET,    "/api/v1/leaderboard",             Read,    statistics::leaderboard),
        entry(GET,    "/api/v1/overview",                Own,     overview::overview),
        entry(GET,    "/api/v1/availability",            Read,    overview::availability),

        entry(GET,    "/api/v1/requests",                Own,     requests::list),
        entry(GET,    "/api/v1/requests/totals",         Own,     request_filters::totals),
        entry(GET,    "/api/v1/requests/filters",        Own,     request_filters::choices),
        entry(POST,   "/api/v1/requests/reprice",        Admin,   repricing::reprice),
        entry(GET,    "/api/v1/requests/{id}",           Own,     requests::show),

        entry(POST,   "/api/v1/exports",                 Own,     exports::create),
        entry(GET,    "/api/v1/exports",                 Own,     exports::list),
        entry(GET,    "/api/v1/exports/{id}",            Own,     exports::show),
        entry(DELETE, "/api/v1/exports/{id}",            Own,     exports::remove),
        entry(GET,    "/api/v1/exports/{id}/file",       Own,     exports::file),

        entry(GET,    "/api/v1/sessions",                Own,     live::sessions),
        entry(DELETE, "/api/v1/sessions/{id}",           Operate, live::unbind),
        entry(GET,    "/api/v1/actors",                  Read,    live::actors),
        entry(GET,    "/api/v1/actors/{kind}/{name}",    Read,    live::actor),
        entry(POST,   "/api/v1/route/simulate",          Read,    live::simulate),

        entry(GET,    metrics::PATH,                     Read,    metrics::show),
    ]
}

/// Every route with the right it takes, for those who check them all.
#[must_use]
pub fn listing() -> Vec<(Method, &'static str, Right)> {
    table().into_iter().map(|entry| (entry.method, entry.path, entry.right)).collect()
}

/// Every route with what its handler takes, for those who describe them.
pub(super) fn described() -> impl Iterator<Item = (Method, &'static str, Right, Asked)> {
    table().into_iter().map(|entry| (entry.method, entry.path, entry.right, entry.asked))
}

/// Mounts the control plane. The app needs a `web::Data<Admin>`.
pub fn configure(app: &mut web::ServiceConfig) {
    openapi::configure(app);
    let mut entries = table().into_iter().peekable();
    while let Some(path) = entries.peek().map(|entry| entry.path) {
        let mut resource = web::resource(path);
        let mut allowed = Vec::new();
        while let Some(Entry { method, right, route, asked, .. }) =
            entries.next_if(|entry| entry.path == path)
        {
            let gate = from_fn(move |request, next| gate::pass(right, request, next));
            // Whoever reads parameters refuses unknown ones by itself.
            let known = from_fn(move |request, next| parameters(asked.query, request, next));
            resource = resource.route(route.wrap(known).wrap(gate));
            allowed.push(method.to_string());
        }
        let allowed = allowed.join(", ");
        app.service(resource.default_service(web::to(move |request: HttpRequest| {
            let allowed = allowed.clone();
            async move { wrong_method(&request, &allowed) }
        })));
    }
}

/// Refuses parameters where the handler takes none.
async fn parameters(
    taken: bool,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !taken {
        let unread = request.extract::<Query>().await?;
        if let Err(problem) = unread.finish() {
            return Ok(request.error_response(problem));
        }
    }
    next.call(request).await
}

/// A path of ours, asked in a way it does not take. That much the documentation tells everyone.
fn wrong_method(request: &HttpRequest, allowed: &str) -> actix_web::HttpResponse {
    let detail = format!("{} is not among {allowed}", request.method());
    let mut answer = Problem::new(Code::MethodNotAllowed, detail).error_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    answer
}
