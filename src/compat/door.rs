//! The way from here to `/api/v1`, inside of the process: a request goes through the same routes, rights and
//! checks as one that comes over the wire, with the credential of whoever called.

use std::{net::SocketAddr, rc::Rc};

use actix_http::{Payload, Request};
use actix_service::{
    IntoServiceFactory, Service as _, ServiceFactory as _,
    boxed::{self, BoxService},
};
use actix_web::{
    App, Error, HttpRequest,
    body::{BoxBody, to_bytes},
    dev::{AppConfig, ServiceResponse},
    http::{
        Method, StatusCode, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, USER_AGENT},
    },
    web::{Bytes, Data},
};
use actors::ledger::calendar::Calendar;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{failure::Failure, sign_in};
use crate::{
    admin::{self, Admin},
    secrets::session_token::PREFIX,
};

type Plane = BoxService<Request, ServiceResponse<BoxBody>, Error>;

/// The control plane as this worker reaches it; clones reach the same one.
#[derive(Clone)]
pub(super) struct Door {
    admin: Data<Admin>,
    plane: Rc<OnceCell<Plane>>,
}

/// What of a caller's request goes along: who it is, from where, and for which page.
const ALONG: [HeaderName; 7] = [
    AUTHORIZATION,
    USER_AGENT,
    HOST,
    ORIGIN,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("sec-fetch-site"),
];

/// Who calls, as its request told.
#[derive(Clone)]
pub(super) struct Caller {
    headers: HeaderMap,
    peer: Option<SocketAddr>,
}

/// What `/api/v1` said.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Caller {
    /// Whoever sent this request: by a header, be it a session's token, or else by the cookie of a session.
    pub(super) fn of(request: &HttpRequest, door: &Door) -> Self {
        let mut caller = Self::stranger(request);
        let bearer = caller.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer =
            bearer.and_then(|value| value.strip_prefix("Bearer ")).filter(|it| it.starts_with(PREFIX));
        if let Some(token) = bearer.map(str::to_owned) {
            caller.headers.remove(AUTHORIZATION);
            // No browser adds it by itself, so no page of another site does.
            caller.headers.remove(ORIGIN);
            caller.headers.remove("sec-fetch-site");
            caller.come_by(door, &token);
        } else if !caller.headers.contains_key(AUTHORIZATION) && !caller.headers.contains_key("x-api-key") {
            caller.come_by_cookie(request, door);
        }
        caller
    }

    /// Whoever holds this api key, and nothing else that the request shows.
    pub(super) fn with_key(request: &HttpRequest, secret: &str) -> Result<Self, Failure> {
        let mut caller = Self::stranger(request);
        caller.headers.remove(AUTHORIZATION);
        let secret = HeaderValue::from_str(secret).map_err(|_| Failure::internal())?;
        caller.headers.insert(HeaderName::from_static("x-api-key"), secret);
        Ok(caller)
    }

    /// Whoever is at the door, by the cookie alone.
    pub(super) fn visiting(request: &HttpRequest, door: &Door) -> Self {
        let mut caller = Self::stranger(request);
        caller.headers.remove(AUTHORIZATION);
        caller.headers.remove("x-api-key");
        caller.come_by_cookie(request, door);
        caller
    }

    fn stranger(request: &HttpRequest) -> Self {
        let mut headers = HeaderMap::new();
        for name in ALONG {
            for value in request.headers().get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { headers, peer: request.peer_addr() }
    }

    fn come_by_cookie(&mut self, request: &HttpRequest, door: &Door) {
        if let Some(token) = sign_in::token(request.headers()) {
            self.come_by(door, &token);
        }
    }

    fn come_by(&mut self, door: &Door, token: &str) {
        for (name, value) in door.admin.by_session(token) {
            self.headers.insert(name, value);
        }
    }
}

impl Door {
    /// A door to this control plane.
    pub(super) fn new(admin: Data<Admin>) -> Self {
        Self { admin, plane: Rc::default() }
    }

    /// Whether cookies are only for connections that nobody can listen to.
    pub(super) fn has_secure_cookies(&self) -> bool {
        self.admin.has_secure_cookies()
    }

    /// What days and months go by.
    pub(super) fn calendar(&self) -> Calendar {
        self.admin.calendar()
    }

    /// Asks `/api/v1` for something; a no is a failure.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let Answer { status, body, .. } = self.call(caller, method, path, body).await?;
        if status.is_success() { Ok(body) } else { Err(Failure::of(status, &body)) }
    }

    /// Asks `/api/v1` and returns its answer, which may be a no.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new();
        let head = request.head_mut();
        head.method = method;
        head.uri = Uri::try_from(format!("/api/v1{path}")).map_err(|_| Failure::internal())?;
        head.peer_addr = caller.peer;
        head.headers = caller.headers.clone();
        let request = match body {
            None => request,
            Some(body) => {
                head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let bytes = Bytes::from(body.to_string());
                let payload = Payload::Stream { payload: Box::pin(stream::iter([Ok(bytes)])) as _ };
                request.replace_payload(payload).0
            }
        };
        let plane = self.plane().await?;
        let answer = match plane.call(request).await {
            Ok(answer) => answer.into_parts().1,
            Err(error) => error.as_response_error().error_response(),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = to_bytes(answer.into_body()).await.map_err(|_| Failure::internal())?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| Failure::internal())?
        };
        Ok(Answer { status, headers, body })
    }

    async fn plane(&self) -> Result<&Plane, Failure> {
        let open = async || {
            let app = App::new().app_data(self.admin.clone()).configure(admin::configure);
            let service = app.into_factory().new_service(AppConfig::default()).await?;
            Ok(boxed::service(service))
        };
        self.plane.get_or_try_init(open).await.map_err(|()| Failure::internal())
    }
}
