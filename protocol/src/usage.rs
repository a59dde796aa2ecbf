//! Token counts in one vocabulary, whatever the vendor calls them.

use serde::{Deserialize, Serialize};

/// What one answer consumed. The parts are disjoint: total input is the sum of the four input
/// fields, whichever way the vendor nests its own counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a prompt cache.
    pub input_tokens: u64,
    /// Input tokens read from a prompt cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to a cache that lives five minutes (or whose life the vendor leaves open).
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to a cache that lives an hour or longer.
    pub cache_write_1h_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// The part of `output_tokens` spent on reasoning, where the vendor tells.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// All input tokens, cached or not.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_5m_tokens)
            .saturating_add(self.cache_write_1h_tokens)
    }
}
