//! What a browser is shown on its way back from a provider. No page here runs or loads anything.
//!
//! A session's cookie is `SameSite=Strict`, and a browser that comes from another site does not send such a
//! one even along a redirect. So it is welcomed with a page, from which it goes on by itself.

use actix_web::{
    HttpRequest, HttpResponse,
    body::BoxBody,
    http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE},
};

use super::START;
use crate::admin::{error::Problem, openapi::escaped};

const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The address of a callback holds a code, which is nobody else's business.
pub(super) const NO_REFERRER: (&str, &str) = ("referrer-policy", "no-referrer");

/// The page of somebody who is signed in.
pub(super) fn welcome(path: &str, cookie: &HeaderValue) -> HttpResponse {
    let path = escaped(path);
    let go_on = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
    let body = page("Signed in", &go_on, &format!("<p><a href=\"{path}\">Go on</a></p>"));
    dressed(HttpResponse::Ok().insert_header((SET_COOKIE, cookie.clone())).body(body))
}

/// A no: for people a page, for everybody else what all refusals are.
pub(super) fn refusal(request: &HttpRequest, problem: Problem) -> HttpResponse {
    let accepts = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let (code, detail) = (problem.code().name(), escaped(problem.detail()));
    let answer = HttpResponse::from_error(problem);
    if !accepts.is_some_and(|accepted| accepted.contains("text/html")) {
        return answer;
    }
    let said = format!(
        "<p>{detail}</p><p><code>{code}</code></p><p><a href=\"{START}\">Try again</a> <a href=\"/\">Back</a></p>"
    );
    dressed(answer.set_body(BoxBody::new(page("Not signed in", "", &said))))
}

fn dressed(mut page: HttpResponse) -> HttpResponse {
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    for (name, value) in
        [("content-security-policy", POLICY), ("x-content-type-options", "nosniff"), NO_REFERRER]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    page
}

fn page(title: &str, head: &str, said: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Pointsman: {title}</title>{head}</head><body><h1>{title}</h1>\
         {said}</body></html>"
    )
}
