//! Usage as Anthropic counts it: input excludes cache reads and writes, output includes thinking.
//!
//! Counts come several times in a stream, each time cumulative: the last one seen holds, and one
//! that does not come again keeps its value. The split of cache writes by lifetime comes only once,
//! in `message_start` or the plain body.

use std::borrow::Cow;

use serde::Deserialize;

use crate::counts::{Count, lenient};
use crate::reading::{Reading, renote};
use crate::usage::Usage;

/// The `usage` object.
#[derive(Debug, Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    cache_creation: Option<Lifetimes>,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default, deserialize_with = "lenient")]
    server_tool_use: Option<ServerTools>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    service_tier: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    iterations: Option<Vec<Iteration<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Lifetimes {
    #[serde(default)]
    ephemeral_5m_input_tokens: Count,
    #[serde(default)]
    ephemeral_1h_input_tokens: Count,
}

#[derive(Debug, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Count,
}

#[derive(Debug, Deserialize)]
struct ServerTools {
    #[serde(default)]
    web_search_requests: Count,
}

/// A sub-step; those of type `compaction` are not contained in the top-level counts.
#[derive(Debug, Deserialize)]
struct Iteration<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default, deserialize_with = "lenient")]
    cache_creation: Option<Lifetimes>,
    #[serde(default)]
    output_tokens: Count,
}

/// The last seen count of each kind.
#[derive(Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    write_5m: Option<u64>,
    write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    compaction: Usage,
}

impl Counts {
    /// Takes in a `usage` object and brings the reading up to date.
    pub(super) fn take(&mut self, wire: &Wire<'_>, reading: &mut Reading) {
        let suspect = &mut reading.usage_suspect;
        let newer = |slot: &mut Option<u64>, count: Option<u64>| *slot = count.or(*slot);
        newer(&mut self.input, wire.input_tokens.get(suspect));
        newer(&mut self.cache_read, wire.cache_read_input_tokens.get(suspect));
        newer(&mut self.cache_write, wire.cache_creation_input_tokens.get(suspect));
        newer(&mut self.output, wire.output_tokens.get(suspect));
        if let Some(split) = &wire.cache_creation {
            newer(&mut self.write_5m, split.ephemeral_5m_input_tokens.get(suspect));
            newer(&mut self.write_1h, split.ephemeral_1h_input_tokens.get(suspect));
        }
        if let Some(details) = &wire.output_tokens_details {
            newer(&mut self.thinking, details.thinking_tokens.get(suspect));
        }
        if let Some(iterations) = &wire.iterations {
            self.compaction = compaction(iterations, suspect);
        }
        if let Some(tools) = &wire.server_tool_use {
            let searches = tools.web_search_requests.get(suspect);
            reading.web_searches = searches.unwrap_or(reading.web_searches);
        }
        renote(&mut reading.service_tier, wire.service_tier.clone());
        if self.told() {
            reading.usage = Some(self.usage());
        }
    }

    fn told(&self) -> bool {
        self.input.or(self.output).or(self.cache_read).or(self.cache_write).is_some()
    }

    fn usage(&self) -> Usage {
        let (write_5m, write_1h) = by_lifetime(self.cache_write, self.write_5m, self.write_1h);
        let more = &self.compaction;
        let output = self.output.unwrap_or(0);
        Usage {
            input_tokens: self.input.unwrap_or(0).saturating_add(more.input_tokens),
            cache_read_tokens: self.cache_read.unwrap_or(0).saturating_add(more.cache_read_tokens),
            cache_write_5m_tokens: write_5m.saturating_add(more.cache_write_5m_tokens),
            cache_write_1h_tokens: write_1h.saturating_add(more.cache_write_1h_tokens),
            output_tokens: output.saturating_add(more.output_tokens),
            reasoning_tokens: self.thinking.unwrap_or(0).min(output),
        }
    }
}

/// Cache writes by lifetime. The total is the later word where both are told: what the split does
/// not explain has the default lifetime.
fn by_lifetime(total: Option<u64>, five_minutes: Option<u64>, hour: Option<u64>) -> (u64, u64) {
    let hour = hour.unwrap_or(0);
    match total {
        Some(total) => (total.saturating_sub(hour), hour.min(total)),
        None => (five_minutes.unwrap_or(0), hour),
    }
}

fn compaction(iterations: &[Iteration<'_>], suspect: &mut bool) -> Usage {
    let mut sum = Usage::default();
    for step in iterations.iter().filter(|step| step.kind.as_deref() == Some("compaction")) {
        let (mut five_minutes, mut hour) = (None, None);
        if let Some(split) = &step.cache_creation {
            five_minutes = split.ephemeral_5m_input_tokens.get(suspect);
            hour = split.ephemeral_1h_input_tokens.get(suspect);
        }
        let total = step.cache_creation_input_tokens.get(suspect);
        let (write_5m, write_1h) = by_lifetime(total, five_minutes, hour);
        let add = |slot: &mut u64, count: u64| *slot = slot.saturating_add(count);
        add(&mut sum.input_tokens, step.input_tokens.get(suspect).unwrap_or(0));
        add(&mut sum.cache_read_tokens, step.cache_read_input_tokens.get(suspect).unwrap_or(0));
        add(&mut sum.cache_write_5m_tokens, write_5m);
        add(&mut sum.cache_write_1h_tokens, write_1h);
        add(&mut sum.output_tokens, step.output_tokens.get(suspect).unwrap_or(0));
    }
    sum
}
