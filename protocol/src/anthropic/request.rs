//! The Messages request: which of its fields we act on.

use std::borrow::Cow;

use serde::Deserialize;

use crate::body::{self, Malformed, Table};
use crate::call::{Call, SessionMark, Streaming};
use crate::fingerprint::{self, Fingerprint};
use crate::format::{Format, Operation};

const FIELDS: Table = &[&["model"], &["stream"], &["max_tokens"], &["metadata"], &["system"], &["messages"]];

pub(crate) fn read<'h>(
    operation: Operation,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Call, Malformed> {
    let fields = body::read(body, FIELDS)?;
    let model = body::model_name(fields.string("model")?.ok_or(Malformed::Missing("model"))?)?;
    let streams = fields.boolean("stream")?.unwrap_or(false) && operation == Operation::Generate;

    let mut fingerprint = Fingerprint::new();
    if let Some(system) = fields.raw("system") {
        fingerprint.system(system);
    }
    if let Some(messages) = fields.raw("messages") {
        fingerprint::opening(&mut fingerprint, messages);
    }

    Ok(Call {
        format: Format::Anthropic,
        operation,
        model,
        model_span: fields.span("model"),
        stream: if streams { Streaming::Sse } else { Streaming::No },
        max_output_tokens: fields.count("max_tokens")?,
        answers: 1,
        session: SessionMark::from_headers(header, &["x-claude-code-session-id"])
            .or_else(|| session_of(fields.raw("metadata")?)),
        continues: None,
        goes_on: fingerprint.goes_on(),
        fingerprint: fingerprint.finish(body),
        usage_asked: true,
        usage_edit: None,
        body_bytes: body.len(),
    })
}

/// The session in `metadata.user_id`: a JSON text since Claude Code 2, a joined name before that.
fn session_of(metadata: &str) -> Option<SessionMark> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        user_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct User<'a> {
        #[serde(borrow)]
        session_id: Cow<'a, str>,
    }

    let Metadata { user_id } = serde_json::from_str(metadata).ok()?;
    if user_id.starts_with('{') {
        let user: User<'_> = serde_json::from_str(&user_id).ok()?;
        return SessionMark::new("metadata.user_id", &user.session_id);
    }
    let (_, session) = user_id.rsplit_once("_session_")?;
    SessionMark::new("metadata.user_id", session)
}
