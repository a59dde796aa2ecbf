//! The gate before every handler: who is asking, and what is written down about the answer.
//!
//! It stands between the matched route and its handler, so what is allowed is decided on the route and on
//! nothing a request says about itself (C-03), before a byte of the body is read.

use std::{future::Future, panic::AssertUnwindSafe};

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
use crate::logging;

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
        Ok(()) => match logging::request::within(id, caught(next.call(request))).await {
            Ok(response) => response?,
            Err(problem) => ServiceResponse::from_err(problem, told),
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

/// What `work` comes to. A panic costs its caller the answer, which is still one, and nobody else anything
/// (C-25).
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
    let panicked = |_| Problem::internal("the handler panicked");
    AssertUnwindSafe(work).catch_unwind().await.map_err(panicked)
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

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, error::ResponseError as _};

    use super::*;

    #[actix::test]
    async fn c25_a_panic_becomes_an_answer_that_tells_nothing_of_it() {
        assert_eq!(caught(async { 7 }).await.unwrap(), 7);
        let problem = caught(async { panic!("canary") }).await.map(|()| 0).unwrap_err();
        assert_eq!(problem.code(), Code::Internal);
        let body = to_bytes(problem.error_response().into_body()).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("x-pointsman-request-id") && !body.contains("canary"), "{body}");
    }
}
