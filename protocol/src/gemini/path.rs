//! Gemini's path, which says what other formats say in the body: model, method, streaming.
//!
//! `/{version}/models/{model}:{method}?alt=sse`. The client's version segment is kept, and where
//! nothing is redirected its own spelling of the model too.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::body::{self, Malformed};
use crate::call::Streaming;
use crate::format::Operation;
use crate::headers::strip_key_query;

/// What may stand bare in a model's name in a path.
const NAME: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'@');

/// Parameters that change what comes back into something whose usage could not be read, or that
/// change the request behind our back. Google knows them with and without the dollar sign.
const REFUSED: [&str; 5] = ["fields", "callback", "httpMethod", "httpHeaders", "req"];

/// The methods of a model that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A whole answer.
    GenerateContent,
    /// A streamed answer.
    StreamGenerateContent,
    /// Counting.
    CountTokens,
    /// One embedding.
    EmbedContent,
    /// Several embeddings.
    BatchEmbedContents,
}

impl Method {
    /// Every one of them.
    pub const ALL: [Self; 5] = [
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::CountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
    ];

    /// The name in the path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenerateContent => "generateContent",
            Self::StreamGenerateContent => "streamGenerateContent",
            Self::CountTokens => "countTokens",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
        }
    }

    /// What the method asks for, in the vocabulary of all formats.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::GenerateContent | Self::StreamGenerateContent => Operation::Generate,
            Self::CountTokens => Operation::CountTokens,
            Self::EmbedContent | Self::BatchEmbedContents => Operation::Embed,
        }
    }
}

/// Why a path is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPath {
    /// Not `models/{model}:{method}`.
    #[error("the path is not `models/{{model}}:{{method}}`")]
    Shape,
    /// A method that is not served.
    #[error("the method `{0}` is not served")]
    Method(String),
    /// A model name that cannot be one.
    #[error(transparent)]
    Model(Malformed),
    /// A query parameter that would hide usage or change the call.
    #[error("the query parameter `{0}` is not supported")]
    Query(String),
}

/// A Gemini path, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The model, percent-decoded; may contain `/`.
    pub model: String,
    /// The method behind the colon.
    pub method: Method,
    /// How the answer is wanted.
    pub stream: Streaming,
    /// All up to the model's name, as sent: `/v1beta/models/`.
    before: String,
    /// The model's name as sent.
    spelled: String,
    /// The query without keys; empty when nothing is left.
    query: String,
}

/// Reads a path, from its version segment or from `models/` on, and its query (without the `?`).
pub fn parse(path: &str, query: &str) -> Result<Path, BadPath> {
    let start = match path.find("models/") {
        Some(start) if start == 0 || path.as_bytes()[start - 1] == b'/' => start + "models/".len(),
        _ => return tuned(path, query),
    };
    finish(path, start, "", query)
}

/// Tuned models have a collection of their own, which is part of their name.
fn tuned(path: &str, query: &str) -> Result<Path, BadPath> {
    const COLLECTION: &str = "tunedModels/";
    match path.find(COLLECTION) {
        Some(start) if start == 0 || path.as_bytes()[start - 1] == b'/' => {
            finish(path, start + COLLECTION.len(), COLLECTION, query)
        }
        _ => Err(BadPath::Shape),
    }
}

fn finish(path: &str, start: usize, collection: &str, query: &str) -> Result<Path, BadPath> {
    let (before, tail) = path.split_at(start);
    let (spelled, method) = split_method(tail).ok_or(BadPath::Shape)?;
    let method = Method::ALL
        .into_iter()
        .find(|known| known.name() == method)
        .ok_or_else(|| BadPath::Method(method.chars().filter(|c| !c.is_control()).take(64).collect()))?;
    let name = percent_decode_str(spelled).decode_utf8().map_err(|_| BadPath::Shape)?;
    if name.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(BadPath::Model(Malformed::ModelName));
    }
    let model = body::model_name(name).map_err(BadPath::Model)?;
    let sse = asks_for_sse(query)?;
    Ok(Path {
        model: format!("{collection}{model}"),
        method,
        stream: match (method, sse) {
            (Method::StreamGenerateContent, true) => Streaming::Sse,
            (Method::StreamGenerateContent, false) => Streaming::JsonArray,
            _ => Streaming::No,
        },
        before: before.to_owned(),
        spelled: spelled.to_owned(),
        query: strip_key_query(query),
    })
}

/// The last colon divides, escaped or not: some HTTP libraries escape it.
fn split_method(tail: &str) -> Option<(&str, &str)> {
    let escaped = tail.rfind("%3A").or_else(|| tail.rfind("%3a"));
    match (tail.rfind(':'), escaped) {
        (Some(colon), escaped) if escaped.is_none_or(|at| at < colon) => {
            Some((&tail[..colon], &tail[colon + 1..]))
        }
        (_, Some(at)) => Some((&tail[..at], &tail[at + 3..])),
        _ => None,
    }
}

/// Whether `alt=sse` is asked for; refuses what would make the answer unreadable.
fn asks_for_sse(query: &str) -> Result<bool, BadPath> {
    let mut alt: Option<String> = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        let bare = name.strip_prefix('$').unwrap_or(&name);
        if REFUSED.contains(&bare) {
            return Err(BadPath::Query(bare.to_owned()));
        }
        if bare == "alt" {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            let readable = value == "sse" || value == "json";
            if !readable || alt.as_ref().is_some_and(|first| *first != value) {
                return Err(BadPath::Query("alt".to_owned()));
            }
            alt = Some(value);
        }
    }
    Ok(alt.as_deref() == Some("sse"))
}

impl Path {
    /// The path to ask at the upstream, with query and without keys: for `model` if that is another
    /// than the one asked for, in the client's own spelling otherwise.
    #[must_use]
    pub fn for_upstream(&self, model: Option<&str>) -> String {
        let method = self.method.name();
        let mut path = match model.filter(|to| *to != self.model) {
            None => format!("{}{}:{method}", self.before, self.spelled),
            Some(to) => {
                let root = self.before.trim_end_matches("tunedModels/").trim_end_matches("models/");
                let (collection, name) = match to.strip_prefix("tunedModels/") {
                    Some(name) => ("tunedModels/", name),
                    None => ("models/", to),
                };
                format!("{root}{collection}{}:{method}", utf8_percent_encode(name, NAME))
            }
        };
        if !self.query.is_empty() {
            path.push('?');
            path.push_str(&self.query);
        }
        path
    }

    /// The query as it goes up: the client's, without keys.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }
}
