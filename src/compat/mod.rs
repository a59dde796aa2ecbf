//! The admin API of the predecessor, for scripts that were written for it: `POST /api/actions/{module}/{action}`;
//! and what clients of the other predecessor read about their key ([`relay`]).
//!
//! Each action is a translation and nothing more: [`fields`] turns names and values, the [`door`] leads to
//! `/api/v1` inside of the process, and what comes back is turned again. So whoever calls has the rights it
//! has there, and nothing is decided here. `docs/compatibility.md` says what differs.

mod arguments;
mod audit;
mod days;
mod desk;
mod door;
mod endpoints;
mod failure;
mod fields;
mod keys;
mod log_filters;
mod logs;
mod mine;
mod prices;
mod providers;
mod quota;
mod relay;
mod sessions;
mod sign_in;
mod statistics;
mod users;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Bytes, Data, ServiceConfig},
};
use serde_json::{Value, json};

use self::{
    arguments::Arguments,
    desk::{Desk, Done},
    door::{Caller, Door},
    failure::Failure,
};
use crate::admin::Admin;

/// The largest body of an action; price tables are long.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Declares which function does which action.
macro_rules! actions {
    ($($module:literal { $($action:literal => $act:path,)+ })+) => {
        /// Every action there is, by module.
        pub const ACTIONS: &[(&str, &str)] = &[$($(($module, $action),)+)+];

        async fn act(desk: &Desk, module: &str, action: &str, arguments: Arguments) -> Done {
            match (module, action) {
                $($(($module, $action) => $act(desk, arguments).await,)+)+
                _ => Err(Failure::not_found(format!("there is no action {module}/{action} here"))),
            }
        }
    };
}

actions! {
    "users" {
        "getUsers" => users::list,
        "getUsersBatch" => users::batch,
        "searchUsers" => users::list,
        "addUser" => users::add,
        "editUser" => users::edit,
        "removeUser" => users::remove,
        "getUserLimitUsage" => quota::of_user,
    }
    "keys" {
        "getKeys" => keys::list,
        "addKey" => keys::add,
        "editKey" => keys::edit,
        "removeKey" => keys::remove,
        "getKeyLimitUsage" => quota::of_key,
        "resetKeyLimitsOnly" => quota::reset_key,
    }
    "providers" {
        "getProviders" => providers::list,
        "getProvidersHealthStatus" => providers::health,
        "addProvider" => providers::add,
        "editProvider" => providers::edit,
        "removeProvider" => providers::remove,
        "resetProviderCircuit" => providers::reset_breaker,
        "getProviderLimitUsage" => quota::of_provider,
    }
    "model-prices" {
        "getModelPrices" => prices::list,
        "hasPriceTable" => prices::has_table,
        "getAvailableModelsByProviderType" => prices::models,
        "uploadPriceTable" => prices::upload,
        "syncLiteLLMPrices" => prices::synchronise,
    }
    "statistics" {
        "getUserStatistics" => statistics::by_user,
    }
    "overview" {
        "getOverviewData" => statistics::overview,
    }
    "usage-logs" {
        "getUsageLogs" => logs::page,
        "getModelList" => logs::models,
        "getStatusCodeList" => logs::statuses,
    }
    "my-usage" {
        "getMyUsageMetadata" => mine::metadata,
        "getMyQuota" => mine::quota,
        "getMyTodayStats" => mine::today,
        "getMyStatsSummary" => mine::summary,
        "getMyAvailableModels" => mine::models,
        "getMyAvailableEndpoints" => mine::endpoints,
        "getMyUsageLogs" => logs::own_page,
        "getMyUsageLogsBatch" => logs::own_batch,
        "getMyUsageLogsBatchFull" => logs::own_batch,
    }
    "active-sessions" {
        "getActiveSessions" => sessions::list,
        "getSessionDetails" => sessions::details,
    }
    "audit-logs" {
        "getAuditLogsBatch" => audit::list,
        "getAuditLogDetail" => audit::show,
    }
}

/// Mounts the paths, over this control plane.
pub fn configure(admin: Data<Admin>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        relay::configure(app);
        app.app_data(Door::new(admin))
            .route("/api/actions/{module}/{action}", web::post().to(serve))
            .route("/api/auth/login", web::post().to(sign_in::login))
            .route("/api/auth/logout", web::post().to(sign_in::logout));
    }
}

/// Does one action.
async fn serve(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match attempt(&request, payload).await {
        Ok(data) => HttpResponse::Ok().json(json!({"ok": true, "data": data})),
        Err(failure) => failure.answer(),
    }
}

async fn attempt(request: &HttpRequest, payload: web::Payload) -> Done {
    let desk = desk(request)?;
    let arguments = Arguments::read(&receive(payload).await?)?;
    let part = |name: &str| request.match_info().query(name);
    act(&desk, part("module"), part("action"), arguments).await
}

fn desk(request: &HttpRequest) -> Result<Desk, Failure> {
    let door = request.app_data::<Door>().cloned().ok_or_else(Failure::internal)?;
    let caller = Caller::of(request, &door);
    Ok(Desk { door, caller })
}

async fn receive(payload: web::Payload) -> Result<Bytes, Failure> {
    let read = payload.to_bytes_limited(MOST_BYTES).await;
    let read = read.map_err(|_| Failure::invalid("MAX_LENGTH", "the body is too large"))?;
    read.map_err(|_| Failure::invalid("INVALID_FORMAT", "the body broke off"))
}

/// A value with a name.
fn with(mut value: Value, name: &str, member: impl Into<Value>) -> Value {
    value[name] = member.into();
    value
}
