//! Every path of the data plane on one page, and what each of them speaks.
//!
//! The path as it was sent is compared, letter by letter: a path that only *means* one of these after some
//! normalising is not served (C-03).

use std::borrow::Cow;

use actix_web::http::Method;
use protocol::{
    Format, Operation,
    gemini::{self, Path},
};

use super::{refusal::Refused, relay::Entry};

use Format::{Anthropic, OpenaiChat, OpenaiResponses};
use Operation::{Compact, CountTokens, Embed, Generate};

/// Paths whose model is in the body. All are asked with POST.
const CALLS: [(&str, Format, Operation); 7] = [
    ("/v1/messages", Anthropic, Generate),
    ("/v1/messages/count_tokens", Anthropic, CountTokens),
    ("/v1/chat/completions", OpenaiChat, Generate),
    ("/v1/embeddings", OpenaiChat, Embed),
    ("/v1/responses", OpenaiResponses, Generate),
    ("/v1/responses/compact", OpenaiResponses, Compact),
    ("/v1/responses/input_tokens", OpenaiResponses, CountTokens),
];

/// Prefixes that clients of the predecessors have in their base URLs, and what they may be followed by.
const ALIASES: [(&str, &[Format]); 4] = [
    ("/api", &[Anthropic]),
    ("/claude", &[Anthropic]),
    ("/openai", &[OpenaiChat, OpenaiResponses]),
    ("/gemini", &[Format::Gemini]),
];

/// The lists of models. Asked with GET; a slash and a name behind it asks for one.
const MODELS: [&str; 2] = ["/v1/models", "/v1beta/models"];

/// Every path that leads to an upstream, aliases too, for those who check them all: Gemini's with that model.
pub fn listing(model: &str) -> impl Iterator<Item = (String, Format, Operation)> {
    let version = format!("/v1beta/models/{model}:");
    let gemini = gemini::path::Method::ALL.into_iter();
    let gemini =
        gemini.map(move |method| (format!("{version}{}", method.name()), Format::Gemini, method.operation()));
    let calls = CALLS.iter().map(|(path, format, operation)| ((*path).to_owned(), *format, *operation));
    calls.chain(gemini).flat_map(|(path, format, operation)| {
        let aliases = ALIASES.iter().filter(move |(_, formats)| formats.contains(&format));
        let prefixes = std::iter::once("").chain(aliases.map(|(alias, _)| *alias));
        prefixes.map(move |prefix| (format!("{prefix}{path}"), format, operation))
    })
}

/// The paths most requests come on.
pub(super) fn common() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|(path, ..)| *path)
}

/// The longest word of a path nobody knows that is repeated whole.
const LONGEST_WORD: usize = 24;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A request for a provider.
    Call(Entry),
    /// The list of models, or one of them by name.
    Models(Option<String>),
}

/// Finds what is served at a path.
///
/// # Errors
/// The refusal to answer with, and the format to word it in.
pub(super) fn find(method: &Method, path: &str, query: &str) -> Result<Found, (Refused, Option<Format>)> {
    let (path, allowed) = without_alias(path);
    let speaks = |format: &Format| allowed.is_none_or(|formats| formats.contains(format));
    let call = CALLS.iter().find(|(known, format, _)| *known == path && speaks(format));
    if let Some((path, format, operation)) = call {
        return match *method {
            Method::POST => Ok(Found::Call(Entry {
                format: *format,
                operation: *operation,
                path: (*path).to_owned(),
                gemini: None,
            })),
            // Codex asks for a websocket first, and takes only this answer for "plain HTTP, then".
            Method::GET if *path == "/v1/responses" => Err((Refused::NoWebsocket, Some(*format))),
            _ => Err((Refused::NoSuchMethod(method.to_string()), Some(*format))),
        };
    }
    if *method == Method::GET
        && let Some(model) = models(path)
    {
        return Ok(Found::Models(model));
    }
    if speaks(&Format::Gemini) && is_gemini(path) {
        return gemini_call(method, path, query).map_err(|refused| (refused, Some(Format::Gemini)));
    }
    Err((Refused::NoSuchPath(without_secrets(path)), allowed.map(|formats| formats[0])))
}

/// A path as it may be repeated and written down. People paste keys into base URLs, and no word of a path of
/// ours is as long as a key (C-08).
fn without_secrets(path: &str) -> String {
    let shown = path.split('/').map(|word| match word.char_indices().nth(LONGEST_WORD) {
        None => Cow::Borrowed(word),
        Some(_) => {
            let start = word.char_indices().nth(4).map_or(0, |(end, _)| end);
            Cow::Owned(format!("{}…", &word[..start]))
        }
    });
    shown.collect::<Vec<_>>().join("/").chars().take(200).collect()
}

fn gemini_call(method: &Method, path: &str, query: &str) -> Result<Found, Refused> {
    if *method != Method::POST {
        return Err(Refused::NoSuchMethod(method.to_string()));
    }
    let read: Path = gemini::path::parse(path, query)?;
    let (format, operation) = (Format::Gemini, read.method.operation());
    Ok(Found::Call(Entry { format, operation, path: path.to_owned(), gemini: Some(read) }))
}

/// The path behind an alias, and the formats that alias stands for.
fn without_alias(path: &str) -> (&str, Option<&'static [Format]>) {
    ALIASES
        .iter()
        .find_map(|(alias, formats)| {
            let rest = path.strip_prefix(alias)?;
            rest.starts_with("/v1").then_some((rest, Some(*formats)))
        })
        .unwrap_or((path, None))
}

/// `Some(None)` for a list of models, `Some(Some(name))` for one of them.
fn models(path: &str) -> Option<Option<String>> {
    MODELS.iter().find_map(|list| match path.strip_prefix(list)? {
        "" => Some(None),
        rest => {
            let name = rest.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains(':'))?;
            let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
            Some(Some(name.into_owned()))
        }
    })
}

/// Whether the path is `/{version}/models/…` or `/{version}/tunedModels/…`.
fn is_gemini(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    matches!(segments.next(), Some("v1" | "v1beta" | "v1alpha"))
        && matches!(segments.next(), Some("models" | "tunedModels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Result<(Format, Operation, String), String> {
        match find(method, path, "") {
            Ok(Found::Call(entry)) => Ok((entry.format, entry.operation, entry.path)),
            Ok(Found::Models(model)) => Err(format!("models {}", model.unwrap_or_default())),
            Err((refused, _)) => Err(refused.kind().to_owned()),
        }
    }

    #[test]
    fn every_path_and_alias_leads_to_its_format() {
        let check = |path: &str, format, operation, upstream: &str| {
            assert_eq!(found(&Method::POST, path), Ok((format, operation, upstream.to_owned())), "{path}");
        };
        check("/v1/messages", Anthropic, Generate, "/v1/messages");
        check("/api/v1/messages", Anthropic, Generate, "/v1/messages");
        check("/claude/v1/messages/count_tokens", Anthropic, CountTokens, "/v1/messages/count_tokens");
        check("/v1/chat/completions", OpenaiChat, Generate, "/v1/chat/completions");
        check("/openai/v1/responses", OpenaiResponses, Generate, "/v1/responses");
        check("/openai/v1/embeddings", OpenaiChat, Embed, "/v1/embeddings");
        let gemini = "/v1beta/models/gemini-3-pro:streamGenerateContent";
        check(gemini, Format::Gemini, Generate, gemini);
        check(&format!("/gemini{gemini}"), Format::Gemini, Generate, gemini);
        check("/v1/models/m:countTokens", Format::Gemini, CountTokens, "/v1/models/m:countTokens");
    }

    #[test]
    fn c03_what_only_means_a_path_after_normalising_is_not_served() {
        for path in [
            "/v1//messages",
            "//v1/messages",
            "/v1/messages/",
            "/V1/messages",
            "/v1/%6dessages",
            "/v1/./messages",
            "/v1/x/../messages",
            "/v1/messages;x=1",
            "/openai/v1/messages",
            "/gemini/v1/messages",
            "/api/api/v1/messages",
            "/v1",
        ] {
            assert_eq!(found(&Method::POST, path), Err("no_such_path".to_owned()), "{path}");
        }
    }

    #[test]
    fn c08_a_key_in_an_unknown_path_is_not_repeated() {
        let key = format!("sk-{}", "aB3".repeat(14));
        let said = |path: &str| find(&Method::POST, path, "").unwrap_err().0.to_string();
        assert_eq!(said(&format!("/{key}/v1/messages")), "there is no `/sk-a…/v1/messages` here");
        assert_eq!(said("/v1/chat/complétions"), "there is no `/v1/chat/complétions` here");
    }

    #[test]
    fn methods_models_and_websockets_are_told_apart() {
        let check = |method: Method, path: &str, expected: &str| {
            assert_eq!(found(&method, path), Err(expected.to_owned()), "{method} {path}");
        };
        check(Method::GET, "/v1/messages", "no_such_method");
        check(Method::GET, "/v1/responses", "no_websocket");
        check(Method::GET, "/v1/models", "models ");
        check(Method::GET, "/api/v1/models", "models ");
        check(Method::GET, "/v1beta/models/gemini%2Dpro", "models gemini-pro");
        check(Method::GET, "/v1beta/models/m:generateContent", "no_such_method");
        check(Method::POST, "/v1beta/models/m:fly", "no_such_path");
        check(Method::POST, "/v1/models", "no_such_path");
    }
}
