//! A browser on its way to a provider and back.

use actix_web::http::Method;
use serde_json::{Value, json};
use url::Url;

use super::provider::Provider;
use crate::admin::{
    api::{Api, Reply},
    house::TestHouse,
    signing_in::browser::Browser,
};

pub(super) const TICKET: &str = "__Host-pointsman-sign-in";

/// The control plane of a house that is set up for a provider.
pub(super) async fn set_up(house: &TestHouse, provider: &Provider, more: &[(&str, &str)]) -> Api {
    let set = provider.settings(more);
    let set: Vec<_> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let api = Api::with(house, house.admin_with_oidc(&set)).await;
    for secret in ["canary-code", "canary-access", super::provider::SECRET] {
        api.never_show(secret);
    }
    api
}

/// Makes a user who is known by that subject.
pub(super) async fn known(api: &Api, name: &str, subject: &str, more: Value) -> i64 {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = api.post("/api/v1/users", body).await.ok(201)["id"].as_i64().unwrap();
    api.post(&format!("/api/v1/users/{id}/identities"), json!({"subject": subject})).await.ok(201);
    id
}

/// One browser.
pub(super) struct Visit<'a> {
    pub(super) browser: Browser<'a>,
    pub(super) ticket: Option<String>,
}

impl<'a> Visit<'a> {
    pub(super) fn at(api: &'a Api, from: u8) -> Self {
        Self { browser: Browser::at(api, from), ticket: None }
    }

    /// To the provider; where exactly.
    pub(super) async fn leave(&mut self, return_to: &str) -> Url {
        let path = format!("/api/v1/auth/oidc/start{return_to}");
        let reply = self.browser.get(&path).await;
        assert_eq!(reply.status, 302, "{}", reply.text);
        let line = reply.header("set-cookie").unwrap();
        let (pair, attributes) = line.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        self.ticket = Some(pair.strip_prefix(&format!("{TICKET}=")).unwrap().to_owned());
        reply.header("location").unwrap().parse().unwrap()
    }

    /// And back. What comes from another site comes without the session's cookie.
    pub(super) async fn arrive(&mut self, path: &str) -> Reply {
        let stranger = Browser { cookie: None, ..self.browser.clone() };
        let mut request = stranger.request(Method::GET, path);
        if let Some(ticket) = &self.ticket {
            request = request.insert_header(("cookie", format!("a=b; {TICKET}={ticket}")));
        }
        let reply = self.browser.api.send(request).await;
        let lines: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        let forget = format!("{TICKET}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
        assert!(lines.iter().any(|(_, line)| *line == forget), "{lines:?}");
        let session = lines.iter().find_map(|(_, line)| line.strip_prefix("__Host-pointsman="));
        assert_eq!(session.is_some(), reply.status == 200, "{lines:?}");
        if let Some((token, attributes)) = session.and_then(|line| line.split_once("; ")) {
            assert!(attributes.contains("HttpOnly; SameSite=Strict; Secure"), "{attributes}");
            self.browser.cookie = Some(token.to_owned());
        }
        reply
    }

    /// All the way, as somebody of whom the provider claims this.
    pub(super) async fn sign_in(&mut self, provider: &Provider, claims: Value) -> Reply {
        let address = self.leave("").await;
        let back = provider.signs_in(&address, claims);
        self.arrive(&back).await
    }

    pub(super) async fn me(&self) -> Reply {
        self.browser.get("/api/v1/me").await
    }
}
