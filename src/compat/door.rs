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
        Method, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
    },
    web::{Bytes, Data},
};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::failure::Failure;
use crate::admin::{self, Admin};

type Plane = BoxService<Request, ServiceResponse<BoxBody>, Error>;

/// The control plane as this worker reaches it; clones reach the same one.
#[derive(Clone)]
pub(super) struct Door {
    admin: Data<Admin>,
    plane: Rc<OnceCell<Plane>>,
}

/// What of a caller's request goes along: who it is, and from where.
const ALONG: [HeaderName; 4] = [
    AUTHORIZATION,
    USER_AGENT,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-forwarded-for"),
];

/// Who calls, as its request told.
#[derive(Clone)]
pub(super) struct Caller {
    headers: HeaderMap,
    peer: Option<SocketAddr>,
}

impl Caller {
    /// Whoever sent this request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let mut headers = HeaderMap::new();
        for name in ALONG {
            for value in request.headers().get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { headers, peer: request.peer_addr() }
    }
}

impl Door {
    /// A door to this control plane.
    pub(super) fn new(admin: Data<Admin>) -> Self {
        Self { admin, plane: Rc::default() }
    }

    /// Asks `/api/v1` and returns its answer, which may be a no.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
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
        let status = answer.status();
        let bytes = to_bytes(answer.into_body()).await.map_err(|_| Failure::internal())?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| Failure::internal())?
        };
        if status.is_success() { Ok(body) } else { Err(Failure::of(status, &body)) }
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
