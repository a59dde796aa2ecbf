//! The cookie that the token of a console session lives in (C-19).
//!
//! The prefix `__Host-` has browsers see to it that only this very host, over TLS, could have set it. Where
//! the operator does without TLS, the cookie has another name, so that neither is ever taken for the other.

use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::secrets::session_token::PREFIX;

const SECURE: &str = "__Host-pointsman";
const PLAIN: &str = "pointsman";
const SECURE_TICKET: &str = "__Host-pointsman-sign-in";
const PLAIN_TICKET: &str = "pointsman-sign-in";

/// What of a cookie is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Cookies {
    /// Whether they are only for connections that nobody can listen to.
    pub(in crate::admin) secure: bool,
}

/// What cookies a request came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::admin) enum Presented {
    /// None of ours.
    None,
    /// A token, good or not.
    Token(String),
    /// Two of ours: somebody else set one of them.
    Several,
}

impl Cookies {
    const fn name(self) -> &'static str {
        if self.secure { SECURE } else { PLAIN }
    }

    const fn ticket_name(self) -> &'static str {
        if self.secure { SECURE_TICKET } else { PLAIN_TICKET }
    }

    /// What a request came with.
    pub(in crate::admin) fn presented(self, headers: &HeaderMap) -> Presented {
        named(self.name(), headers)
    }

    /// With what ticket of a sign-in elsewhere a request came.
    pub(in crate::admin) fn presented_ticket(self, headers: &HeaderMap) -> Presented {
        named(self.ticket_name(), headers)
    }

    /// Has a browser keep a ticket until it comes back from elsewhere: then another site sends it here, and
    /// browsers add no cookie that is `Strict`.
    pub(in crate::admin) fn set_ticket(self, ticket: &str, lasts: Duration) -> HeaderValue {
        self.written(self.ticket_name(), ticket, lasts.as_secs(), "Lax")
    }

    /// Has a browser forget its ticket.
    pub(in crate::admin) fn forget_ticket(self) -> HeaderValue {
        self.written(self.ticket_name(), "", 0, "Lax")
    }

    /// Has a browser keep the token for as long as the session may last.
    pub(in crate::admin) fn set(self, token: &str, lasts: Duration) -> HeaderValue {
        debug_assert!(token.starts_with(PREFIX), "a token of ours");
        self.written(self.name(), token, lasts.as_secs(), "Strict")
    }

    /// What a browser sends that keeps this token; none of what no token can be.
    pub(in crate::admin) fn sent(self, token: &str) -> Option<HeaderValue> {
        let is_token = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        HeaderValue::try_from(format!("{}={token}", self.name())).ok().filter(|_| is_token)
    }

    /// Has a browser forget it.
    pub(in crate::admin) fn forget(self) -> HeaderValue {
        self.written(self.name(), "", 0, "Strict")
    }

    fn written(self, name: &str, value: &str, seconds: u64, same_site: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let line =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
        HeaderValue::try_from(line).expect("what is ours is letters, digits and a few signs")
    }
}

/// The only cookie of that name.
fn named(name: &str, headers: &HeaderMap) -> Presented {
    let lines = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    match (ours.next(), ours.next()) {
        (None, _) => Presented::None,
        (Some(value), None) => Presented::Token(value.to_owned()),
        (Some(_), Some(_)) => Presented::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(secure: bool, lines: &[&str]) -> Presented {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        Cookies { secure }.presented(&headers)
    }

    #[test]
    fn c19_a_cookie_is_for_this_host_alone_and_not_for_scripts() {
        let set = |secure| {
            let cookies = Cookies { secure };
            cookies.set("sid_a1", Duration::from_secs(7)).to_str().unwrap().to_owned()
        };
        let most = "sid_a1; Path=/; Max-Age=7; HttpOnly; SameSite=Strict";
        assert_eq!(set(true), format!("__Host-pointsman={most}; Secure"));
        assert_eq!(set(false), format!("pointsman={most}"));
        let gone = "__Host-pointsman=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(Cookies { secure: true }.forget(), gone);
    }

    #[test]
    fn c19_a_cookie_that_another_host_may_have_set_is_not_taken_for_ours() {
        let token = |token: &str| Presented::Token(token.to_owned());
        assert_eq!(presented(true, &["a=b; __Host-pointsman=x;c=d"]), token("x"));
        assert_eq!(presented(true, &["pointsman=x"]), Presented::None);
        assert_eq!(presented(false, &["pointsman=x"]), token("x"));
        assert_eq!(presented(false, &["__Host-pointsman=x"]), Presented::None);
        assert_eq!(presented(true, &["__Host-Pointsman=x", "x__Host-pointsman=x"]), Presented::None);
        assert_eq!(presented(true, &["__Host-pointsman=x; __Host-pointsman=y"]), Presented::Several);
        assert_eq!(presented(true, &["__Host-pointsman=x", "__Host-pointsman=x"]), Presented::Several);
        assert_eq!(presented(true, &[]), Presented::None);
    }
}
