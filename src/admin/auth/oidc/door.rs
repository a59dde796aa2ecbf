//! How the provider is asked: by the house's own client, with a look at each address it is led to (C-06).

use actors::provider::card::Timeouts;
use awc::http::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use futures_util::future::LocalBoxFuture;
use openidconnect::{
    AsyncHttpClient, DiscoveryError, HttpRequest, HttpResponse,
    http::{Response, header::CONTENT_TYPE},
};
use url::Url;

use super::provider::Fault;
use crate::{
    config::oidc::OidcSettings,
    upstream::{
        self, Fault as Unsent, UrlRefused,
        ask::Ask,
        fetch::{FetchFault, spells_this_machine},
    },
};

/// Somebody waits in front of a browser.
const TIMEOUTS: Timeouts =
    Timeouts { connect_ms: 5_000, first_byte_ms: 10_000, idle_ms: 5_000, total_ms: 15_000 };
/// What a provider tells of itself, its keys and its tokens are a few kilobytes each.
const MOST_BYTES: usize = 256 << 10;

/// The way to the provider.
pub(super) struct Door {
    upstream: upstream::Settings,
    allow_private_network: bool,
}

impl Door {
    pub(super) fn new(upstream: &upstream::Settings, settings: &OidcSettings) -> Self {
        let here = Url::parse(&settings.issuer).is_ok_and(|issuer| spells_this_machine(&issuer));
        Self { upstream: upstream.clone(), allow_private_network: settings.allow_private_network || here }
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, FetchFault> {
        let (parts, body) = request.into_parts();
        let no_url = |_| FetchFault::Fault(Unsent::BaseUrl(UrlRefused::NotAUrl));
        let url = Url::parse(&parts.uri.to_string()).map_err(no_url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &parts.headers {
            // Both crates speak of the same headers, in types of two versions.
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        }
        let ask = Ask {
            url: &url,
            allow_private_network: self.allow_private_network,
            method: if parts.method.as_str() == "POST" { Method::POST } else { Method::GET },
            headers,
            body: body.into(),
            timeouts: TIMEOUTS,
            limit: MOST_BYTES,
        };
        let told = ask.ask(&self.upstream).await?;
        let mut response = Response::builder().status(told.status);
        if let Some(kind) = told.headers.get("content-type") {
            response = response.header(CONTENT_TYPE, kind.as_bytes());
        }
        response.body(told.body.to_vec()).map_err(|_| FetchFault::Status(told.status))
    }
}

impl<'c> AsyncHttpClient<'c> for Door {
    type Error = FetchFault;
    type Future = LocalBoxFuture<'c, Result<HttpResponse, FetchFault>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// What an error of reading means, without what was read.
pub(super) fn fault(error: &DiscoveryError<FetchFault>) -> Fault {
    Fault::Provider(match error {
        DiscoveryError::Request(fault) => format!("can't be asked: {fault}"),
        DiscoveryError::Response(status, ..) => format!("answers {}", status.as_u16()),
        DiscoveryError::Validation(_) => "calls itself otherwise than `oidc.issuer`".to_owned(),
        _ => "answers what makes no sense".to_owned(),
    })
}
