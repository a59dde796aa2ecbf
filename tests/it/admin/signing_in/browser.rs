//! A browser: keeps the cookie it is given, and sends along what the page was told.

use actix_web::{http::Method, test::TestRequest};
use serde_json::Value;

use crate::admin::api::{Api, Reply};

const COOKIE: &str = "__Host-pointsman";

/// One browser. A clone has the same cookie and goes its own way from there.
#[derive(Clone)]
pub(super) struct Browser<'a> {
    pub(super) api: &'a Api,
    pub(super) cookie: Option<String>,
    pub(super) csrf: String,
    pub(super) from: u8,
}

impl<'a> Browser<'a> {
    pub(super) fn new(api: &'a Api) -> Self {
        Self::at(api, 9)
    }

    /// One at another address.
    pub(super) fn at(api: &'a Api, from: u8) -> Self {
        Self { api, cookie: None, csrf: String::new(), from }
    }

    /// A request with what a browser adds by itself.
    pub(super) fn request(&self, method: Method, path: &str) -> TestRequest {
        let request = TestRequest::default()
            .method(method)
            .uri(path)
            .peer_addr(([203, 0, 113, self.from], 4711).into())
            .insert_header(("user-agent", "a browser"));
        match &self.cookie {
            Some(cookie) => request.insert_header(("cookie", format!("a=b; {COOKIE}={cookie}"))),
            None => request,
        }
    }

    /// A change as a page of ours sends it.
    pub(super) fn changing(&self, method: Method, path: &str, body: &Value) -> TestRequest {
        let request = self.request(method, path).insert_header(("x-pointsman-csrf", self.csrf.clone()));
        if body.is_null() {
            return request;
        }
        request.insert_header(("content-type", "application/json")).set_payload(body.to_string())
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.api.send(self.request(Method::GET, path)).await
    }

    pub(super) async fn change(&mut self, method: Method, path: &str, body: Value) -> Reply {
        let reply = self.api.send(self.changing(method, path, &body)).await;
        self.keep(reply)
    }

    /// Signs in, and keeps what comes of it.
    pub(super) async fn login(&mut self, body: Value) -> Reply {
        self.login_through(body, "").await
    }

    /// The same with what somebody wrote into `x-forwarded-for`.
    pub(super) async fn login_through(&mut self, body: Value, forwarded: &str) -> Reply {
        let request = self.request(Method::POST, "/api/v1/auth/login");
        let json = request.insert_header(("content-type", "application/json"));
        let json =
            if forwarded.is_empty() { json } else { json.insert_header(("x-forwarded-for", forwarded)) };
        let reply = self.api.send(json.set_payload(body.to_string())).await;
        if reply.status == 200 {
            self.csrf = reply.ok(200)["csrf_token"].as_str().unwrap().to_owned();
        }
        self.keep(reply)
    }

    fn keep(&mut self, reply: Reply) -> Reply {
        if let Some(line) = reply.header("set-cookie") {
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, token) = pair.split_once('=').unwrap();
            assert_eq!(name, COOKIE);
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict"), "{line}");
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| token.to_owned());
        }
        reply
    }
}
