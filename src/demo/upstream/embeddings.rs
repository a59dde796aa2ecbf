//! OpenAI embeddings: `POST /v1/embeddings`. A vector is the digest of its text, so equal texts have equal vectors.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Asked, count_words};

/// Numbers of a vector when the caller names no other count.
const DIMENSIONS: usize = 8;
/// As many as the widest of the vendor's models has.
const MOST_DIMENSIONS: u64 = 3_072;

/// Reads a request; the prompt is all its texts.
pub(super) fn read(body: &Value) -> Result<Asked, String> {
    let model = body["model"].as_str().ok_or("you must provide a model parameter")?;
    if texts(body).is_empty() {
        return Err("Missing required parameter: 'input'.".into());
    }
    Ok(Asked { model: model.into(), prompt: texts(body).join("\n"), ..Asked::default() })
}

/// One vector per text, as floats or as base64 of little-endian 32-bit floats.
pub(super) fn whole(asked: &Asked, body: &Value) -> Value {
    let dimensions =
        body["dimensions"].as_u64().map_or(DIMENSIONS, |asked| asked.clamp(1, MOST_DIMENSIONS) as usize);
    let data = texts(body).into_iter().enumerate().map(|(index, text)| {
        let vector = vector(text, dimensions);
        let embedding = if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let tokens = count_words(&asked.prompt);
    json!({
        "object": "list", "data": data.collect::<Vec<_>>(), "model": asked.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

fn texts(body: &Value) -> Vec<&str> {
    match &body["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Numbers from -1 to 1 that a 32-bit float holds exactly.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let digest = Sha256::digest(text);
    digest.iter().cycle().take(dimensions).map(|byte| (f32::from(*byte) - 128.0) / 128.0).collect()
}
