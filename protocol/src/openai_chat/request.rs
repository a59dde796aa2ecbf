//! The Chat Completions request (and the embeddings one): which of its fields we act on.

use std::borrow::Cow;

use crate::body::{self, Fields, Malformed, Table};
use crate::call::{Call, SessionMark, Streaming};
use crate::edit::Edit;
use crate::fingerprint::{self, Fingerprint};
use crate::format::{Format, Operation};

const FIELDS: Table = &[
    &["model"],
    &["stream"],
    &["max_tokens"],
    &["max_completion_tokens"],
    &["n"],
    &["stream_options"],
    &["prompt_cache_key"],
    &["messages"],
];

const STREAM_OPTIONS: Table = &[&["include_usage"]];

pub(crate) fn read<'h>(
    operation: Operation,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Call, Malformed> {
    let fields = body::read(body, FIELDS)?;
    let model = body::model_name(fields.string("model")?.ok_or(Malformed::Missing("model"))?)?;
    let streams = fields.boolean("stream")?.unwrap_or(false) && operation == Operation::Generate;
    // Vendors differ in which of the two wins; the larger one is the bound that holds.
    let bound = fields.count("max_tokens")?.max(fields.count("max_completion_tokens")?);
    let asked = asks_for_usage(&fields)?;

    let mut fingerprint = Fingerprint::new();
    if let Some(messages) = fields.raw("messages") {
        fingerprint::opening(&mut fingerprint, messages);
    }

    Ok(Call {
        format: Format::OpenaiChat,
        operation,
        model,
        model_span: fields.span("model"),
        stream: if streams { Streaming::Sse } else { Streaming::No },
        max_output_tokens: bound,
        answers: fields.count("n")?.unwrap_or(1).max(1),
        session: fields
            .raw("prompt_cache_key")
            .and_then(body::text_of)
            .and_then(|key| SessionMark::new("prompt_cache_key", &key))
            .or_else(|| SessionMark::from_headers(header, &["session-id", "x-session-id"])),
        continues: None,
        goes_on: fingerprint.goes_on(),
        fingerprint: fingerprint.finish(body),
        usage_asked: asked || !streams,
        usage_edit: if streams && !asked { Some(ask_for_usage(body, &fields)?) } else { None },
        body_bytes: body.len(),
    })
}

fn asks_for_usage(fields: &Fields<'_>) -> Result<bool, Malformed> {
    match fields.object("stream_options", STREAM_OPTIONS)? {
        Some(options) => Ok(options.boolean("include_usage")?.unwrap_or(false)),
        None => Ok(false),
    }
}

/// The edit that sets `stream_options.include_usage`, wherever the body stands on that.
fn ask_for_usage(body: &[u8], fields: &Fields<'_>) -> Result<Edit, Malformed> {
    let edit = |at, with| Edit { at, with: Cow::Borrowed(with) };
    let Some(span) = fields.span("stream_options") else {
        // Behind the opening brace; the model follows, so a comma is right.
        let brace = body.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
        return Ok(edit(brace..brace, r#""stream_options":{"include_usage":true},"#));
    };
    let Some(options) = fields.object("stream_options", STREAM_OPTIONS)? else {
        return Ok(edit(span, r#"{"include_usage":true}"#));
    };
    if let Some(value) = options.span("include_usage") {
        return Ok(edit(value, "true"));
    }
    let inside = span.start + 1;
    let empty = body[inside..span.end - 1].iter().all(u8::is_ascii_whitespace);
    let with = if empty { r#""include_usage":true"# } else { r#""include_usage":true,"# };
    Ok(edit(inside..inside, with))
}
