//! Whether a change that a browser sends comes from a page of ours (C-21).
//!
//! A browser adds the cookie to whatever any page has it send. So a change that rests on the cookie needs a
//! header that only a page of ours can know, and none that tells of another site. Both are asked for: either
//! one would do alone, and each has had its holes.

use actix_web::http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::admin::{
    Admin,
    error::{Code, Problem},
};

/// Where a page says what proves it ours.
const CSRF: &str = "x-pointsman-csrf";

/// Refuses a change by the session with that token unless a page of ours asks for it.
pub(in crate::admin) fn proven(admin: &Admin, headers: &HeaderMap, token: &str) -> Result<(), Problem> {
    same_site(headers)?;
    let mut presented = headers.get_all(CSRF);
    let (Some(proof), None) = (presented.next(), presented.next()) else {
        return Err(refused(format!("a change by session needs the header `{CSRF}`, once")));
    };
    let is_right = proof.to_str().is_ok_and(|proof| admin.sessions.is_csrf(token, proof));
    if is_right { Ok(()) } else { Err(refused(format!("`{CSRF}` is not that of this session"))) }
}

/// What a page of ours sends for the session of that token.
pub(in crate::admin) fn headers(admin: &Admin, token: &str) -> Vec<(HeaderName, HeaderValue)> {
    let csrf = HeaderValue::try_from(admin.sessions.csrf(token));
    let all = [(COOKIE, admin.cookies().sent(token)), (HeaderName::from_static(CSRF), csrf.ok())];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Refuses what a browser says it sends for a page of another site.
pub(in crate::admin) fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    let mut fetch_site = headers.get_all("sec-fetch-site");
    match (fetch_site.next(), fetch_site.next()) {
        // No page can write this header; it is the browser's word.
        (Some(site), None) if site == "same-origin" || site == "none" => Ok(()),
        (Some(_), _) => Err(refused("a page of another site asks for this")),
        (None, _) => origin_is_host(headers),
    }
}

/// The same told by older browsers, and by all of them without TLS.
fn origin_is_host(headers: &HeaderMap) -> Result<(), Problem> {
    let mut origins = headers.get_all(ORIGIN);
    let origin = match (origins.next(), origins.next()) {
        (None, _) => return Ok(()), // no browser leaves it out when a page of another site changes something
        (Some(origin), None) => origin.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let from = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    match (from, host) {
        (Some(from), Some(host)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(refused("`origin` is not the host that was asked; a proxy in between must pass `host` on")),
    }
}

fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(Code::CsrfRejected, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_which_site_a_browser_speaks_for() {
        let host = ("host", "gate.example:8443");
        for (headers, ours) in [
            (&[host][..], true),
            (&[host, ("origin", "https://gate.example:8443")], true),
            (&[host, ("origin", "https://GATE.example:8443")], true),
            (&[host, ("origin", "https://gate.example")], false),
            (&[host, ("origin", "https://evil.example")], false),
            (&[host, ("origin", "https://gate.example:8443.evil.example")], false),
            (&[host, ("origin", "https://evil.example/gate.example:8443")], false),
            (&[host, ("origin", "null")], false),
            (&[host, ("origin", "")], false),
            (&[host, ("origin", "https://gate.example:8443"), ("origin", "https://evil.example")], false),
            (&[("origin", "https://gate.example:8443")], false),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "none")], true),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "Same-Origin")], false),
            (&[host, ("sec-fetch-site", "")], false),
            (&[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            // A proxy that does not pass the host on harms nobody whose browser tells.
            (
                &[
                    ("host", "127.0.0.1:23000"),
                    ("origin", "https://gate.example"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(same_site(&map).is_ok(), ours, "{headers:?}");
        }
    }
}
