//! Which headers pass, and which do not (I-31).
//!
//! Everything passes but what belongs to one connection, what carries a credential, and what tells
//! where a caller comes from: headers appear as often as fields, and clients and vendors act on them.
//! Names are in lower case throughout.

use percent_encoding::percent_decode_str;

/// The headers a key may come in; none of them ever goes up as the caller sent it.
pub const CREDENTIALS: [&str; 6] =
    ["authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "proxy-authorization"];

/// The query parameters a key may come in.
const CREDENTIAL_PARAMETERS: [&str; 5] = ["key", "api_key", "access_token", "oauth_token", "token"];

/// Whether this header belongs to one connection, or to the framing of one message.
#[must_use]
pub fn is_hop_by_hop(name: &str) -> bool {
    name.starts_with("proxy-")
        || name.starts_with("sec-websocket-")
        || matches!(
            name,
            "connection"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "http2-settings"
                | "content-length"
        )
}

/// Whether a request header goes up to the provider. What `Connection` names is for
/// [`named_by_connection`] to drop.
#[must_use]
pub fn goes_up(name: &str) -> bool {
    let of_the_message = is_hop_by_hop(name) || matches!(name, "host" | "expect");
    let tells_whence = name.starts_with("x-forwarded-")
        || name.starts_with("cf-")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "via"
                | "true-client-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "traceparent"
                | "tracestate"
        );
    // Ours to choose, or apt to change what is asked behind our back.
    let ours = matches!(
        name,
        "accept-encoding" | "x-http-method-override" | "x-goog-fieldmask" | "x-goog-user-project"
    ) || name.starts_with("x-pointsman-");
    !(of_the_message || tells_whence || ours || CREDENTIALS.contains(&name))
}

/// Whether a response header comes down to the caller. A `content-encoding` that was undone is for
/// whoever undid it to drop.
#[must_use]
pub fn comes_down(name: &str) -> bool {
    !is_hop_by_hop(name)
        && !name.starts_with("x-pointsman-")
        && !CREDENTIALS.contains(&name)
        // These speak about the host they come from, and the caller would take them for ours.
        && !matches!(name, "set-cookie" | "set-cookie2" | "alt-svc" | "strict-transport-security")
}

/// The further headers that a `Connection` header declares to belong to this connection only.
///
/// Nobody can have headers dropped that we rely on: names that frame the message are dropped
/// anyway, and ours are set after this.
pub fn named_by_connection(value: &str) -> impl Iterator<Item = String> + '_ {
    value.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
}

/// Whether a caller may have this header dropped by naming it in `Connection`. Not those that
/// decide what a request means: a hop in front of us would then read another request than we do.
#[must_use]
pub fn may_be_dropped(name: &str) -> bool {
    !matches!(name, "content-type" | "content-encoding" | "cache-control" | "host")
        && !name.starts_with("anthropic-")
        && !CREDENTIALS.contains(&name)
}

/// A query without the parameters a key may come in, however they are spelled.
#[must_use]
pub fn strip_key_query(query: &str) -> String {
    let kept = query.split('&').filter(|pair| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
        !pair.is_empty() && !CREDENTIAL_PARAMETERS.contains(&name.strip_prefix('$').unwrap_or(&name))
    });
    kept.collect::<Vec<_>>().join("&")
}
