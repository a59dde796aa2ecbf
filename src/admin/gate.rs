//! The gate before every handler: who is asking, and what is written down about the answer.
//!
//! It stands between the matched route and its handler, so what is allowed is decided on the route and on
//! nothing a request says about itself (C-03), before a byte of the body is read.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};
use actors::ids::RequestId;
use futures_util::FutureExt as _;

use super::{
    Admin, Right,
    error::{Code, Problem},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-pointsman-request-id");

/// Lets through who has `right`.
pub(super) async fn pass(
    right: Right,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::new();
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let told = request.request().clone();
    let mut response = match check(right, &request) {
        Err(problem) => request.error_response(problem),
        // A panic costs its caller a proper answer, and nobody else anything.
        Ok(()) => match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(response) => response?,
            Err(_) => ServiceResponse::from_err(Problem::internal("the handler panicked"), told),
        },
    };
    let cause = response.response().error().and_then(|error| error.as_error::<Problem>()?.cause());
    if let Some(cause) = cause {
        log::error!(request:% = id; "admin: {method} {path}: {cause}");
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(response)
}

fn check(right: Right, request: &ServiceRequest) -> Result<(), Problem> {
    let admin = request.app_data::<Data<Admin>>();
    let admin = admin.ok_or_else(|| Problem::internal("the control plane was mounted without its state"))?;
    match right {
        Right::Admin => match bearer(request.headers()) {
            Some(token) if admin.token.accepts(token) => Ok(()),
            Some(_) => Err(Problem::new(Code::Unauthorized, "this is not the admin token")),
            None => Err(Problem::new(Code::Unauthorized, "send `authorization: Bearer <admin token>`")),
        },
    }
}

/// The one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION);
    let (one, none) = (all.next()?, all.next());
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    (none.is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}
