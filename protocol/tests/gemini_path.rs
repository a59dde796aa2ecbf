//! Gemini's path: read, redirected, and never a way around what was checked.

use protocol::gemini::path::{BadPath, Method, parse};
use protocol::{Malformed, Operation, Streaming};

#[test]
fn version_model_method_and_streaming_are_read() {
    let path = parse("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "alt=sse&key=AIza").unwrap();
    assert_eq!(
        (path.model.as_str(), path.method, path.stream),
        ("gemini-2.5-pro", Method::StreamGenerateContent, Streaming::Sse)
    );
    assert_eq!(path.for_upstream(None), "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    assert_eq!(
        path.for_upstream(Some("gemini-2.5-flash")),
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    );

    let array = parse("models/g:streamGenerateContent", "").unwrap();
    assert_eq!(
        (array.stream, array.for_upstream(None).as_str()),
        (Streaming::JsonArray, "models/g:streamGenerateContent")
    );
    assert_eq!(parse("/v1/models/g:generateContent", "alt=sse").unwrap().stream, Streaming::No);
    assert_eq!(parse("/v1/models/g:countTokens", "").unwrap().method.operation(), Operation::CountTokens);
    assert_eq!(parse("/v1/models/g:streamGenerateContent", "%24alt=ss%65").unwrap().stream, Streaming::Sse);
}

#[test]
fn escapes_are_resolved_for_us_and_kept_for_the_upstream() {
    let path = parse("/v1/models/tuned%2Fmy%20model%3AgenerateContent", "").unwrap();
    assert_eq!(path.model, "tuned/my model");
    assert_eq!(path.for_upstream(None), "/v1/models/tuned%2Fmy%20model:generateContent");
    assert_eq!(path.for_upstream(Some("a b?c#d%e:f")), "/v1/models/a%20b%3Fc%23d%25e%3Af:generateContent");

    let tuned = parse("/v1beta/tunedModels/mine:generateContent", "").unwrap();
    assert_eq!(tuned.model, "tunedModels/mine");
    assert_eq!(tuned.for_upstream(Some("gemini-x")), "/v1beta/models/gemini-x:generateContent");
    assert_eq!(path.for_upstream(Some("tunedModels/mine")), "/v1/tunedModels/mine:generateContent");
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in [
        "/v1beta/models",
        "/v1beta/models/",
        "/v1beta/models/g",
        "/v1beta/files/x:generateContent",
        "/v1beta/xmodels/g:generateContent",
    ] {
        assert_eq!(parse(path, "").unwrap_err(), BadPath::Shape, "{path}");
    }
    assert_eq!(parse("/v1beta/models/g:delete", "").unwrap_err(), BadPath::Method("delete".into()));
    for name in ["..", ".", "a/../b", "a%2f..%2Fb", "%2e%2e", "a//b", "/g", "", "a%00b", "a%0d%0ab", "%20a"] {
        let refused = parse(&format!("/v1beta/models/{name}:generateContent"), "").unwrap_err();
        assert_eq!(refused, BadPath::Model(Malformed::ModelName), "{name}");
    }
    assert_eq!(parse("/v1beta/models/a%ffb:generateContent", "").unwrap_err(), BadPath::Shape);
}

#[test]
fn parameters_that_would_hide_usage_are_refused() {
    for query in
        ["fields=candidates", "$fields=x", "%24fields=x", "f%69elds=x", "callback=f", "$httpMethod=DELETE"]
    {
        assert!(matches!(parse("models/g:generateContent", query), Err(BadPath::Query(_))), "{query}");
    }
    for query in ["alt=proto", "alt=sse&alt=json", "alt=sse&$alt=json", "alt=media"] {
        assert!(matches!(parse("models/g:streamGenerateContent", query), Err(BadPath::Query(_))), "{query}");
    }
    assert!(parse("models/g:streamGenerateContent", "alt=sse&alt=sse&prettyPrint=false").is_ok());
}
