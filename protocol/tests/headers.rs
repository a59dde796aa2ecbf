//! I-31: what passes, what never does, and what a `Connection` header can and cannot do.

use protocol::headers::{
    CREDENTIALS, comes_down, goes_up, may_be_dropped, named_by_connection, strip_key_query,
};

#[test]
fn i31_credentials_framing_and_origin_never_go_up() {
    // By name, not by the list under test.
    for name in ["authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "proxy-authorization"] {
        assert!(!goes_up(name) && !comes_down(name) && CREDENTIALS.contains(&name), "{name}");
    }
    for name in [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
        "host",
        "content-length",
        "expect",
        "http2-settings",
        "sec-websocket-key",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
        "cf-connecting-ip",
        "cf-ray",
        "accept-encoding",
        "x-goog-fieldmask",
        "x-http-method-override",
        "x-pointsman-provider",
    ] {
        assert!(!goes_up(name), "{name}");
    }
}

#[test]
fn i31_what_clients_and_vendors_act_on_passes() {
    for name in [
        "anthropic-version",
        "anthropic-beta",
        "user-agent",
        "x-app",
        "x-stainless-timeout",
        "content-type",
        "x-claude-code-session-id",
        "session-id",
        "x-codex-turn-state",
        "originator",
        "x-goog-api-client",
        "x-server-timeout",
        "openai-organization",
        "accept",
        "a-header-from-tomorrow",
    ] {
        assert!(goes_up(name), "{name}");
    }
    for name in [
        "request-id",
        "x-request-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "cf-ray",
        "anthropic-ratelimit-unified-status",
        "x-codex-turn-state",
        "x-ratelimit-reset-tokens",
        "content-type",
        "openai-processing-ms",
        "date",
        "content-encoding",
    ] {
        assert!(comes_down(name), "{name}");
    }
    for name in ["set-cookie", "transfer-encoding", "content-length", "connection", "x-pointsman-request-id"]
    {
        assert!(!comes_down(name), "{name}");
    }
}

#[test]
fn i31_connection_names_more_headers_but_none_that_decide_what_a_request_means() {
    let named: Vec<String> =
        named_by_connection("keep-alive, X-Trace ,, Authorization,Anthropic-Version").collect();
    assert_eq!(named, ["keep-alive", "x-trace", "authorization", "anthropic-version"]);
    let dropped: Vec<&String> = named.iter().filter(|name| may_be_dropped(name)).collect();
    assert_eq!(dropped, ["keep-alive", "x-trace"]);
    assert!(!may_be_dropped("content-type"));
}

#[test]
fn keys_leave_the_query_however_they_are_spelled() {
    for (query, expected) in [
        ("alt=sse&key=AIza", "alt=sse"),
        ("key=AIza", ""),
        ("key=a&key=b&alt=sse", "alt=sse"),
        ("k%65y=a&beta=true", "beta=true"),
        ("KEY=a", ""),
        ("$key=a", ""),
        ("access_token=a&x=1", "x=1"),
        ("key", ""),
        ("monkey=1&keys=2", "monkey=1&keys=2"),
        ("beta=true", "beta=true"),
        ("a=%26key%3Db", "a=%26key%3Db"),
        ("", ""),
    ] {
        assert_eq!(strip_key_query(query), expected, "{query:?}");
    }
}
