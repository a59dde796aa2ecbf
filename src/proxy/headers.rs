//! Headers on their way through: what goes up, what comes down, and whose credential goes with it.

use actix_web::http::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use actors::provider::card::{Card, Kind};
use protocol::{
    Format,
    headers::{comes_down, goes_up, may_be_dropped, named_by_connection},
};

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// Routes a Codex turn to one host of one provider; means nothing elsewhere.
const CODEX_TURN_STATE: &str = "x-codex-turn-state";

/// The caller's headers as they go to `card`'s upstream, with that provider's credential.
///
/// `same_home` says that the conversation was with this provider before.
///
/// # Errors
/// When the operator's credential can't stand in a header.
pub(super) fn upward(
    from: &HeaderMap,
    card: &Card,
    format: Format,
    same_home: bool,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let named = named(from);
    let mut up = HeaderMap::with_capacity(from.len() + 2);
    for (name, value) in from {
        let text = name.as_str();
        let of_the_connection = named.iter().any(|named| named == text) && may_be_dropped(text);
        let of_another_home = text == CODEX_TURN_STATE && !same_home;
        if goes_up(text) && !of_the_connection && !of_another_home {
            up.append(name.clone(), value.clone());
        }
    }
    if format == Format::Anthropic && !up.contains_key(ANTHROPIC_VERSION) {
        up.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
    }
    for (name, value) in credential(card)? {
        up.insert(name, value);
    }
    Ok(up)
}

/// The provider's credential, in the places its kind wants it.
fn credential(card: &Card) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
    let secret = card.credential.reveal();
    let bearer = || HeaderValue::from_str(&format!("Bearer {secret}")).map(|value| (AUTHORIZATION, value));
    let plain = |name| HeaderValue::from_str(secret).map(|value| (name, value));
    Ok(match card.kind {
        Kind::Claude => vec![bearer()?, plain(X_API_KEY)?],
        Kind::ClaudeAuth | Kind::Codex | Kind::Openai | Kind::OpenaiCompatible | Kind::GeminiCli => {
            vec![bearer()?]
        }
        Kind::Gemini => vec![plain(X_GOOG_API_KEY)?],
    })
}

/// The upstream's headers that are passed on to the caller.
pub(super) fn downward(from: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let named = named(from);
    from.iter().filter(move |(name, _)| {
        comes_down(name.as_str()) && !named.iter().any(|named| named == name.as_str())
    })
}

/// What the `Connection` headers declare to belong to one connection only.
fn named(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).filter_map(|value| value.to_str().ok());
    values.flat_map(named_by_connection).collect()
}
