//! The gate before every handler: who is asking, and what is written down about the answer.
//!
//! It stands between the matched route and its handler, so what is allowed is decided on the route and on
//! nothing a request says about itself (C-03), before a byte of the body is read.

use std::{future::Future, panic::AssertUnwindSafe};

use actix_web::{
    Error, HttpMessage as _,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{CACHE_CONTROL, HeaderName, HeaderValue, SET_COOKIE},
    },
    middleware::Next,
    web::Data,
};
use actors::ids::RequestId;
use futures_util::FutureExt as _;

use super::{
    Admin, Principal, Right,
    access::{Presented, identify, same_site, shows_more_than_cookies},
    error::{Code, Problem},
    once, refusals,
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
    let mut response = match check(right, &request).await {
        Err(problem) => {
            let forget = forgotten(&request, &problem);
            let mut response = request.error_response(problem);
            if let Some((name, cookie)) = forget {
                response.headers_mut().append(name, cookie);
            }
            response
        }
        Ok(()) => match logging::request::within(id, caught(once::serve(request, next))).await {
            Ok(response) => response?,
            Err(problem) => ServiceResponse::from_err(problem, told.clone()),
        },
    };
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    let cause = problem.and_then(Problem::cause);
    refusals::note(&told, response.status(), problem.map(Problem::code));
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

/// Finds out who is asking, and whether that one may.
async fn check(right: Right, request: &ServiceRequest) -> Result<(), Problem> {
    if right == Right::Public {
        // A page of another site must not sign anybody in either: as somebody else, unnoticed.
        return if request.method().is_safe() { Ok(()) } else { same_site(request.headers()) };
    }
    let admin = request.app_data::<Data<Admin>>();
    let admin = admin.ok_or_else(|| Problem::internal("the control plane was mounted without its state"))?;
    let principal = identify(admin, request.method(), request.headers()).await?;
    let may = may(&principal, right, request.method());
    request.extensions_mut().insert(principal);
    may
}

/// Takes the cookie of a session away that is over, so that a browser stops sending it.
fn forgotten(request: &ServiceRequest, problem: &Problem) -> Option<(HeaderName, HeaderValue)> {
    let cookies = request.app_data::<Data<Admin>>()?.cookies();
    let came_by_it = problem.code() == Code::Unauthorized
        && !shows_more_than_cookies(request.headers())
        && cookies.presented(request.headers()) != Presented::None;
    came_by_it.then(|| (SET_COOKIE, cookies.forget()))
}

fn may(principal: &Principal, right: Right, method: &Method) -> Result<(), Problem> {
    if !principal.has(right) {
        let detail = format!("this takes the right `{}`", right.name());
        return Err(Problem::new(Code::Forbidden, detail));
    }
    if principal.read_only && !method.is_safe() && right != Right::SignedIn {
        let detail = "this api key has no console rights (`web_login`); it can only look at its own usage";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
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
