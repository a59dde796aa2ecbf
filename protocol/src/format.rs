//! Which API a request speaks, and what it asks of it.

use serde::{Deserialize, Serialize};

/// A wire format: one vendor API with its own bodies, streams and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Anthropic Messages (`/v1/messages`).
    Anthropic,
    /// OpenAI Chat Completions (`/v1/chat/completions`), and OpenAI's embeddings.
    OpenaiChat,
    /// OpenAI Responses (`/v1/responses`).
    OpenaiResponses,
    /// Gemini (`/v1beta/models/{model}:generateContent`).
    Gemini,
}

impl Format {
    /// Every format, in the order in which docs and listings name them.
    pub const ALL: [Self; 4] = [Self::Anthropic, Self::OpenaiChat, Self::OpenaiResponses, Self::Gemini];

    /// The name used in the admin API, in rows and in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::Gemini => "gemini",
        }
    }

    /// The format of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What a request asks of the API; decides whether it is a turn, and how its usage is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A model's answer: the only kind that streams and that counts as a turn.
    Generate,
    /// Counting tokens ahead of a turn; free of charge at the vendors.
    CountTokens,
    /// Embedding vectors.
    Embed,
    /// Shortening a conversation upstream (`/v1/responses/compact`).
    Compact,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 4] = [Self::Generate, Self::CountTokens, Self::Embed, Self::Compact];

    /// The name used in rows and in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::CountTokens => "count_tokens",
            Self::Embed => "embed",
            Self::Compact => "compact",
        }
    }

    /// The operation of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }
}
