//! Usage as Chat Completions and embeddings count it: the prompt includes what was cached, the
//! completion includes reasoning.

use serde::Deserialize;

use crate::counts::{Count, lenient};
use crate::reading::Reading;
use crate::usage::Usage;

/// The `usage` object.
#[derive(Debug, Deserialize)]
pub(super) struct Wire {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens_details: Option<CompletionDetails>,
    /// What DeepSeek calls cached tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Count,
    /// Where Moonshot puts them.
    #[serde(default)]
    cached_tokens: Count,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    cache_write_tokens: Count,
}

#[derive(Debug, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Count,
}

/// Brings the reading up to date: usage that comes several times is cumulative.
pub(super) fn take(wire: &Wire, reading: &mut Reading) {
    let suspect = &mut reading.usage_suspect;
    let (prompt, completion) = (wire.prompt_tokens.get(suspect), wire.completion_tokens.get(suspect));
    if prompt.or(completion).is_none() {
        return;
    }
    let details = wire.prompt_tokens_details.as_ref();
    let cache_read = details
        .and_then(|details| details.cached_tokens.get(suspect))
        .or_else(|| wire.prompt_cache_hit_tokens.get(suspect))
        .or_else(|| wire.cached_tokens.get(suspect))
        .unwrap_or(0);
    let cache_write = details.and_then(|details| details.cache_write_tokens.get(suspect)).unwrap_or(0);
    let output_tokens = completion.unwrap_or(0);
    let reasoning =
        wire.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens.get(suspect));
    reading.usage = Some(Usage {
        input_tokens: prompt.unwrap_or(0).saturating_sub(cache_read).saturating_sub(cache_write),
        cache_read_tokens: cache_read,
        cache_write_5m_tokens: cache_write,
        cache_write_1h_tokens: 0,
        output_tokens,
        reasoning_tokens: reasoning.unwrap_or(0).min(output_tokens),
    });
}
