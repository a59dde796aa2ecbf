//! The Gemini request body: which of its fields we act on.
//!
//! Google's servers take field names in camelCase and in snake_case; so do we, but not both.

use serde_json::value::RawValue;

use super::path::{Method, Path};
use crate::body::{self, Fields, Malformed, Table};
use crate::call::{Call, sound_id};
use crate::edit::Edit;
use crate::fingerprint::{self, Fingerprint};
use crate::format::Format;

const FIELDS: Table = &[
    &["model"],
    &["contents"],
    &["systemInstruction", "system_instruction"],
    &["generationConfig", "generation_config"],
    &["cachedContent", "cached_content"],
    &["requests"],
    &["generateContentRequest", "generate_content_request"],
];

const GENERATION: Table =
    &[&["maxOutputTokens", "max_output_tokens"], &["candidateCount", "candidate_count"]];

/// A request inside a request (counting, batches of embeddings).
const INNER: Table = &[&["model"]];

pub(crate) fn read(path: &Path, body: &[u8]) -> Result<Call, Malformed> {
    let fields = body::read(body, FIELDS)?;
    for named in named_models(path.method, &fields)? {
        if !same_model(&named, &path.model) {
            return Err(Malformed::ModelMismatch);
        }
    }
    let config = fields.object("generationConfig", GENERATION)?;
    let counted = |name| config.as_ref().map_or(Ok(None), |config| config.count(name));

    let mut fingerprint = Fingerprint::new();
    if let Some(system) = fields.raw("systemInstruction") {
        fingerprint.system(system);
    }
    if let Some(contents) = fields.raw("contents") {
        opening(&mut fingerprint, contents);
    }

    Ok(Call {
        format: Format::Gemini,
        operation: path.method.operation(),
        model: path.model.clone(),
        model_span: fields.span("model"),
        stream: path.stream,
        max_output_tokens: counted("maxOutputTokens")?,
        answers: counted("candidateCount")?.unwrap_or(1).max(1),
        session: None,
        continues: fields.string("cachedContent")?.map(Into::into).filter(|id: &String| sound_id(id)),
        goes_on: fingerprint.goes_on(),
        fingerprint: fingerprint.finish(body),
        usage_asked: true,
        usage_edit: None,
        body_bytes: body.len(),
    })
}

/// The first entry of `contents`, whatever its role: clients leave the role out. Behind it, only what names
/// itself the model's is taken for an answer.
fn opening(fingerprint: &mut Fingerprint, contents: &str) {
    let mut first = true;
    fingerprint::each_message(contents, |content| {
        let role = if std::mem::take(&mut first) { None } else { content.role.as_deref() };
        let role = role.filter(|role| matches!(*role, "model" | "function")).unwrap_or("user");
        fingerprint.message(Some(role), content.parts.map(RawValue::get))
    });
}

/// The edits that carry a redirect into a body that names its model again.
pub(crate) fn redirect(body: &[u8], call: &Call, to: &str) -> Vec<Edit> {
    let Ok(fields) = body::read(body, FIELDS) else { return Vec::new() };
    let mut objects = vec![Ok(fields)];
    if let [Ok(fields)] = objects.as_slice() {
        let inner = inner_requests(fields);
        objects.extend(inner);
    }
    objects
        .iter()
        .flatten()
        .filter_map(|object| {
            let span = object.span("model")?;
            let named = object.string("model").ok()??;
            let to = if named == call.model { to.to_owned() } else { format!("models/{to}") };
            Some(Edit::model(span, &to))
        })
        .collect()
}

/// Every model the body names.
fn named_models(method: Method, fields: &Fields<'_>) -> Result<Vec<String>, Malformed> {
    let mut named: Vec<String> = fields.string("model")?.map(Into::into).into_iter().collect();
    if matches!(method, Method::CountTokens | Method::BatchEmbedContents) {
        for inner in inner_requests(fields) {
            named.extend(inner?.string("model")?.map(Into::into));
        }
    }
    Ok(named)
}

/// The requests inside this one.
fn inner_requests<'a>(fields: &Fields<'a>) -> Vec<Result<Fields<'a>, Malformed>> {
    let counted = fields.object("generateContentRequest", INNER).transpose();
    let batched = fields.objects("requests", INNER);
    counted.into_iter().chain(batched).collect()
}

/// Bodies name the resource (`models/x`), paths have the name behind that.
fn same_model(in_body: &str, in_path: &str) -> bool {
    in_body == in_path || in_body.strip_prefix("models/") == Some(in_path)
}
