//! Usage as Gemini counts it: the prompt includes what was cached, but not what tools brought in;
//! candidates exclude thoughts, and both are output.

use serde::Deserialize;

use crate::counts::Count;
use crate::reading::Reading;
use crate::usage::Usage;

/// The `usageMetadata` object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(default)]
    prompt_token_count: Count,
    #[serde(default)]
    cached_content_token_count: Count,
    #[serde(default)]
    tool_use_prompt_token_count: Count,
    #[serde(default)]
    candidates_token_count: Count,
    #[serde(default)]
    thoughts_token_count: Count,
}

/// Brings the reading up to date: usage comes on every chunk, cumulative.
pub(super) fn take(wire: &Wire, reading: &mut Reading) {
    let suspect = &mut reading.usage_suspect;
    let prompt = wire.prompt_token_count.get(suspect);
    let candidates = wire.candidates_token_count.get(suspect);
    let thoughts = wire.thoughts_token_count.get(suspect);
    if prompt.or(candidates).or(thoughts).is_none() {
        return;
    }
    let cached = wire.cached_content_token_count.get(suspect).unwrap_or(0);
    let tools = wire.tool_use_prompt_token_count.get(suspect).unwrap_or(0);
    let thoughts = thoughts.unwrap_or(0);
    reading.usage = Some(Usage {
        input_tokens: prompt.unwrap_or(0).saturating_sub(cached).saturating_add(tools),
        cache_read_tokens: cached,
        cache_write_5m_tokens: 0,
        cache_write_1h_tokens: 0,
        output_tokens: candidates.unwrap_or(0).saturating_add(thoughts),
        reasoning_tokens: thoughts,
    });
}
