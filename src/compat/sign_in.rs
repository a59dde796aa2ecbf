//! Signing in as the predecessor has it: `POST /api/auth/login` with `{"key": …}`, the cookie `auth-token`, and
//! `POST /api/auth/logout`.
//!
//! The session behind it is a console session like every other; only the cookie has the name that scripts
//! know. Such a script sends nothing that tells a page of ours from another's, so what a browser says of itself
//! decides that here, with `SameSite=Strict` behind it (C-21).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{COOKIE, HeaderMap, RETRY_AFTER, SET_COOKIE},
    },
    web::Payload,
};
use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    door::{Answer, Caller, Door},
    failure::Failure,
    receive,
};
use crate::secrets::session_token::PREFIX;

const NAME: &str = "auth-token";

/// `POST /api/auth/login`.
pub(super) async fn login(request: HttpRequest, payload: Payload) -> HttpResponse {
    match try_login(&request, payload).await {
        Ok(answer) => answer,
        Err(failure) => failure.answer(),
    }
}

async fn try_login(request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Failure> {
    let door = request.app_data::<Door>().ok_or_else(Failure::internal)?;
    let mut arguments = Arguments::read(&receive(payload).await?)?;
    let key = arguments.text("key").filter(|key| !key.trim().is_empty());
    let key = key.ok_or_else(|| Failure::invalid("KEY_REQUIRED", "key must be given"))?;
    let caller = Caller::visiting(request, door);
    let answer = door.call(&caller, Method::POST, "/auth/login", Some(&json!({"token": key.trim()}))).await?;
    if !answer.status.is_success() {
        return Ok(refused(&answer));
    }
    let line = answer.headers.get(SET_COOKIE).and_then(|line| line.to_str().ok());
    let (_, rest) = line.and_then(|line| line.split_once('=')).ok_or_else(Failure::internal)?;
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, format!("{NAME}={rest}"))).json(welcome(&answer.body)))
}

fn welcome(signed_in: &Value) -> Value {
    let kind = match (signed_in["read_only"].as_bool(), signed_in["role"].as_str()) {
        (Some(true), _) => "readonly_user",
        (_, Some("admin")) => "admin",
        _ => "dashboard_user",
    };
    let user = json!({
        // The admin token has no user; nothing else has this number.
        "id": signed_in["user_id"].as_i64().unwrap_or(-1),
        "name": signed_in["name"],
        "description": "",
        "role": if signed_in["role"] == "admin" { "admin" } else { "user" },
    });
    json!({"ok": true, "user": user, "redirectTo": "/console/", "loginType": kind})
}

/// A no, by the codes of this one route.
fn refused(answer: &Answer) -> HttpResponse {
    let (status, code) = match answer.body["code"].as_str().unwrap_or_default() {
        "sign_in_failed" | "invalid" => (StatusCode::UNAUTHORIZED, "KEY_INVALID"),
        "csrf_rejected" => (StatusCode::FORBIDDEN, "CSRF_REJECTED"),
        "too_many_attempts" => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
        "store_unavailable" | "overloaded" => (StatusCode::SERVICE_UNAVAILABLE, "SESSION_CREATE_FAILED"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "SERVER_ERROR"),
    };
    let text = answer.body["detail"].as_str().unwrap_or_default().to_owned();
    let mut response = Failure { status, code, text, field: None }.answer();
    if let Some(wait) = answer.headers.get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    response
}

/// `POST /api/auth/logout`: also where there is nothing to end any more, as there.
pub(super) async fn logout(request: HttpRequest) -> HttpResponse {
    let Some(door) = request.app_data::<Door>() else { return Failure::internal().answer() };
    let caller = Caller::visiting(&request, door);
    let mut response = match door.call(&caller, Method::POST, "/auth/logout", None).await {
        Ok(answer) if answer.status.is_server_error() || answer.body["code"] == "csrf_rejected" => {
            return refused(&answer);
        }
        Ok(_) => HttpResponse::Ok(),
        Err(failure) => return failure.answer(),
    };
    let secure = if door.has_secure_cookies() { "; Secure" } else { "" };
    let gone = format!("{NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}");
    response.insert_header((SET_COOKIE, gone)).json(json!({"ok": true}))
}

/// The token of a session in the cookie that scripts know. Two are none, as elsewhere.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut tokens = pairs.filter(|(name, _)| *name == NAME).map(|(_, token)| token);
    let token = tokens.next().filter(|token| token.starts_with(PREFIX))?;
    tokens.next().is_none().then(|| token.to_owned())
}
