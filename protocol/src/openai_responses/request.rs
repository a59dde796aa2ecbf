//! The Responses request: which of its fields we act on.

use std::borrow::Cow;

use serde::Deserialize;

use crate::body::{self, Malformed, Table};
use crate::call::{Call, SessionMark, Streaming, sound_id};
use crate::fingerprint::{self, Fingerprint};
use crate::format::{Format, Operation};

const FIELDS: Table = &[
    &["model"],
    &["stream"],
    &["max_output_tokens"],
    &["instructions"],
    &["input"],
    &["previous_response_id"],
    &["conversation"],
    &["client_metadata"],
    &["prompt_cache_key"],
];

/// What Codex calls the conversation, by age of the client; the newest first.
const SESSION_HEADERS: &[&str] = &["session-id", "session_id", "conversation_id", "thread-id"];

pub(crate) fn read<'h>(
    operation: Operation,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Call, Malformed> {
    let fields = body::read(body, FIELDS)?;
    let model = body::model_name(fields.string("model")?.ok_or(Malformed::Missing("model"))?)?;
    let streams = fields.boolean("stream")?.unwrap_or(false)
        && matches!(operation, Operation::Generate | Operation::Compact);

    let mut fingerprint = Fingerprint::new();
    if let Some(instructions) = fields.raw("instructions") {
        fingerprint.system(instructions);
    }
    match fields.raw("input") {
        Some(input) if input.starts_with('"') => fingerprint.user(input),
        Some(input) => fingerprint::opening(&mut fingerprint, input),
        None => {}
    }

    let previous = fields.string("previous_response_id")?.map(Cow::into_owned);
    let continues = previous.or_else(|| conversation_of(fields.raw("conversation")?));

    Ok(Call {
        format: Format::OpenaiResponses,
        operation,
        model,
        model_span: fields.span("model"),
        stream: if streams { Streaming::Sse } else { Streaming::No },
        max_output_tokens: fields.count("max_output_tokens")?,
        answers: 1,
        session: SessionMark::from_headers(header, SESSION_HEADERS)
            .or_else(|| session_of(fields.raw("client_metadata")?))
            .or_else(|| {
                let key = body::text_of(fields.raw("prompt_cache_key")?)?;
                SessionMark::new("prompt_cache_key", &key)
            }),
        continues: continues.filter(|id| sound_id(id)),
        goes_on: fingerprint.goes_on(),
        fingerprint: fingerprint.finish(body),
        usage_asked: true,
        usage_edit: None,
        body_bytes: body.len(),
    })
}

fn session_of(client_metadata: &str) -> Option<SessionMark> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        session_id: Cow<'a, str>,
    }
    let metadata: Metadata<'_> = serde_json::from_str(client_metadata).ok()?;
    SessionMark::new("client_metadata.session_id", &metadata.session_id)
}

/// A conversation comes as its id, or as an object that holds it.
fn conversation_of(conversation: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Conversation {
        id: String,
    }
    match body::text_of(conversation) {
        Some(id) => Some(id.into_owned()),
        None => serde_json::from_str::<Conversation>(conversation).ok().map(|found| found.id),
    }
}
