//! How a story asks: with the admin token, and with an eye on what must never be shown.

use std::{cell::RefCell, rc::Rc};

use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{Service, ServiceResponse},
    http::Method,
    test::{TestRequest, init_service, read_body},
    web,
};
use futures_util::future::LocalBoxFuture;
use pointsman::{admin, compat, ops};
use serde_json::Value;

use crate::admin::house::{ADMIN_TOKEN, TestHouse};

type Served = LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

/// Control plane and health of a house, without sockets in between.
pub(super) struct Api {
    serve: Box<dyn Fn(TestRequest) -> Served>,
    secrets: RefCell<Vec<String>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
    /// What `text` is made of, where it is none.
    pub(super) bytes: Vec<u8>,
}

impl Api {
    pub(super) async fn of(house: &TestHouse) -> Self {
        Self::with(house, house.admin()).await
    }

    /// The same with this control plane.
    pub(super) async fn with(house: &TestHouse, admin: web::Data<admin::Admin>) -> Self {
        let elsewhere = || async { "another plane's" };
        let app = App::new()
            .app_data(admin.clone())
            .app_data(house.ops())
            .app_data(house.metrics())
            .configure(admin::configure)
            .configure(compat::configure(admin))
            .configure(ops::configure)
            .default_service(web::to(elsewhere));
        let service = Rc::new(init_service(app).await);
        let serve = move |request: TestRequest| -> Served {
            let service = Rc::clone(&service);
            Box::pin(async move { service.call(request.to_request()).await })
        };
        Self { serve: Box::new(serve), secrets: RefCell::default() }
    }

    /// From now on a reply that holds `secret` fails the test.
    pub(super) fn never_show(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// Asks with the admin token.
    pub(super) fn request(method: Method, path: &str) -> TestRequest {
        let bearer = ("authorization", format!("Bearer {ADMIN_TOKEN}"));
        TestRequest::default().method(method).uri(path).insert_header(bearer)
    }

    pub(super) fn with_body(method: Method, path: &str, body: impl ToString) -> TestRequest {
        let json = ("content-type", "application/json");
        Self::request(method, path).insert_header(json).set_payload(body.to_string())
    }

    /// The call itself, to be awaited or dropped.
    pub(super) fn begin(&self, request: TestRequest) -> Served {
        (self.serve)(request)
    }

    pub(super) async fn send(&self, request: TestRequest) -> Reply {
        let response = self.begin(request).await.unwrap();
        let status = response.status().as_u16();
        let told =
            |(name, value): (&actix_web::http::header::HeaderName, &actix_web::http::header::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
        let headers: Vec<_> = response.headers().iter().map(told).collect();
        // A stream of events has no end to wait for.
        let is_endless = headers.contains(&("content-type".to_owned(), "text/event-stream".to_owned()));
        let body = if is_endless { Vec::new() } else { read_body(response).await.to_vec() };
        let text = String::from_utf8_lossy(&body).into_owned();
        for secret in &*self.secrets.borrow() {
            assert!(!text.contains(secret), "a secret was shown: {text}");
        }
        Reply { status, headers, text, bytes: body }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(Self::request(Method::GET, path)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Reply {
        self.send(Self::request(Method::DELETE, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: impl ToString) -> Reply {
        self.send(Self::with_body(Method::POST, path, body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: impl ToString) -> Reply {
        self.send(Self::with_body(Method::PATCH, path, body)).await
    }

    pub(super) async fn put(&self, path: &str, body: impl ToString) -> Reply {
        self.send(Self::with_body(Method::PUT, path, body)).await
    }
}

impl Reply {
    /// The body of an answer that must have had this status.
    #[track_caller]
    pub(super) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// Checks that this is a problem, and gives it back in short: `code` and `field: code: message` each.
    #[track_caller]
    pub(super) fn problem(&self, status: u16) -> Vec<String> {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let body = self.ok(status);
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:pointsman:problem:{}", body["code"].as_str().unwrap()));
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        let mut told = vec![body["code"].as_str().unwrap().to_owned()];
        for flaw in body["errors"].as_array().unwrap_or(&Vec::new()) {
            let part = |name: &str| flaw[name].as_str().unwrap().to_owned();
            told.push(format!("{}: {}: {}", part("field"), part("code"), part("message")));
        }
        told
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
