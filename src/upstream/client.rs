//! One provider's way out on this worker: an awc client with its own pool, and the one retry.

use std::{error::Error as _, rc::Rc, sync::Arc, time::Duration};

use actors::provider::card::{Card, Timeouts};
use awc::{
    ClientResponse, Connector, FrozenClientRequest,
    error::{ConnectError, SendRequestError},
    http::{
        Method, Uri,
        header::{self, HeaderMap, HeaderValue},
        uri::{Authority, PathAndQuery, Scheme},
    },
};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{
    Incoming, Outgoing,
    base_url::{BaseUrl, UrlRefused, check_base_url},
    body::{Body, Slices},
    connector::Road,
    fault::{Fault, Malformed, Unsendable},
    guard::{Generation, Limits},
    instant_after,
    resolver::Resolver,
};

/// How long a connection may rest in the pool.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long a connection may live, so that a moved upstream is noticed by busy pools, too.
const LIFETIME: Duration = Duration::from_secs(3600);
/// awc's own limits end no attempt: every limit is ours and has a name.
const NEVER: Duration = Duration::from_secs(366 * 24 * 3600);

/// An awc client for one version of one provider's card.
pub(super) struct ProviderClient {
    awc: awc::Client,
    authority: Authority,
    host: HeaderValue,
    prefix: String,
    timeouts: Timeouts,
    generation: Generation,
}

impl ProviderClient {
    pub(super) fn new(
        card: &Card,
        tls: Arc<rustls::ClientConfig>,
        resolver: Rc<Resolver>,
    ) -> Result<Self, Fault> {
        let base = check_base_url(&card.base_url, card.allow_private_network)?;
        let (authority, host) = names(&base)?;
        let prefix = base.prefix.clone();
        let timeouts = card.timeouts;
        let generation = Generation::default();
        let limits = Limits { first_byte: timeouts.first_byte(), idle: timeouts.idle() };
        let road = Road::new(
            base,
            card.allow_private_network,
            timeouts.connect(),
            limits,
            generation.clone(),
            resolver,
            tls,
        );
        let connector = Connector::new()
            .connector(road)
            .timeout(NEVER)
            .limit(0) // bounded by our permits, not by a queue nobody sees
            .conn_keep_alive(KEEP_ALIVE)
            .conn_lifetime(LIFETIME);
        let awc = awc::Client::builder()
            .connector(connector)
            .no_default_headers()
            .disable_redirects()
            .disable_timeout()
            .finish();
        Ok(Self { awc, authority, host, prefix, timeouts, generation })
    }

    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Incoming, Fault> {
        let own = instant_after(Instant::now(), self.timeouts.total());
        let deadline = outgoing.deadline.map_or(own, |deadline| deadline.min(own));
        let expects_body = !matches!(outgoing.method, Method::GET | Method::HEAD);
        let body = outgoing.body;
        let request = self.request(outgoing.method, &outgoing.path_and_query, outgoing.headers)?;
        let attempt = self.attempt(&request, &body, expects_body);
        let (response, retried_stale) =
            timeout_at(deadline, attempt).await.map_err(|_| Fault::TotalTimeout)??;
        Ok(Incoming {
            status: response.status(),
            headers: response.headers().clone(),
            body: Body::new(Box::pin(response), deadline),
            retried_stale,
        })
    }

    /// Sends, and once more if the pooled connection turned out stale (I-24).
    async fn attempt(
        &self,
        request: &FrozenClientRequest,
        body: &Bytes,
        expects_body: bool,
    ) -> Result<(ClientResponse, bool), Fault> {
        let send = || request.send_body(Slices::new(body.clone(), expects_body));
        match send().await.map_err(fault) {
            Ok(response) => Ok((response, false)),
            Err(Fault::StaleReuse) => {
                // Its neighbours in the pool are as old: the second try gets a fresh connection.
                self.generation.retire_resting();
                match send().await.map_err(fault) {
                    Ok(response) => Ok((response, true)),
                    // Another request's connection came to rest in between; one retry is all there is.
                    Err(Fault::StaleReuse) => Err(Fault::NoAnswer),
                    Err(fault) => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    fn request(&self, method: Method, path: &str, headers: HeaderMap) -> Result<FrozenClientRequest, Fault> {
        let uri = self.uri(path).map_err(Fault::Unsendable)?;
        let mut request = self.awc.request(method, uri).no_decompress();
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        // What belongs to the connection, and what awc would read as an order to itself, is not the
        // caller's to say; awc writes the framing itself.
        for ours in [header::CONNECTION, header::EXPECT, header::UPGRADE, header::TE, header::TRAILER] {
            headers.remove(ours);
        }
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request.freeze().map_err(|_| Fault::Unsendable(Unsendable::Head))
    }

    /// Put together from parts, so that a path can never speak for the authority (C-07).
    fn uri(&self, path: &str) -> Result<Uri, Unsendable> {
        if !path.starts_with('/') {
            return Err(Unsendable::Path);
        }
        if has_dot_segments(path) {
            return Err(Unsendable::DotSegments);
        }
        let path = PathAndQuery::try_from(format!("{}{path}", self.prefix)).map_err(|_| Unsendable::Path)?;
        // Plain http even where TLS is spoken: the connector does TLS, above which the guard must sit.
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path);
        uri.build().map_err(|_| Unsendable::Path)
    }
}

fn names(base: &BaseUrl) -> Result<(Authority, HeaderValue), Fault> {
    let unusable = Fault::BaseUrl(UrlRefused::Host);
    let authority = Authority::try_from(base.to_string()).map_err(|_| unusable)?;
    let host = HeaderValue::try_from(base.host_header()).map_err(|_| unusable)?;
    Ok((authority, host))
}

/// Whether a segment climbs or stays, percent-encoded or not.
fn has_dot_segments(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

/// The fault inside of what awc reports.
fn fault(error: SendRequestError) -> Fault {
    match error {
        SendRequestError::Connect(ConnectError::Io(error)) | SendRequestError::Send(error) => {
            Fault::inside(&error).unwrap_or(Fault::Connect)
        }
        SendRequestError::Response(error) => {
            let cause = error.source().and_then(|cause| cause.downcast_ref());
            cause.and_then(Fault::inside).unwrap_or(Fault::Malformed(Malformed::Unreadable))
        }
        // "Disconnected" is awc's word for end-of-file where a head should be.
        SendRequestError::Connect(_) => Fault::NoAnswer,
        _ => Fault::Unsendable(Unsendable::Head),
    }
}

#[cfg(test)]
mod tests {
    use super::has_dot_segments;

    #[test]
    fn c07_a_path_that_climbs_is_recognised_in_every_spelling() {
        for climbing in ["/../x", "/v1/..", "/v1/%2e%2E/x", "/v1/.%2e/x", "/./x", "/a\\..\\b", "/v1/%2e"] {
            assert!(has_dot_segments(climbing), "{climbing}");
        }
        for level in ["/", "/v1/messages", "/v1/models/gpt-4.1", "/v1/...", "/a?b=../c", "/.well-known"] {
            assert!(!has_dot_segments(level), "{level}");
        }
    }
}
