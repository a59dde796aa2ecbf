//! What the operator configured for one provider, as a plain value.
//!
//! A card is immutable: a change makes a new card with a higher version, so that whoever holds the
//! old one (a running stream, a pooled client) goes on undisturbed.

use std::{collections::BTreeMap, fmt, time::Duration};

use protocol::Format;
use serde::{Deserialize, Serialize};

use crate::{
    ids::ProviderId,
    ledger::limits::Limits,
    money::Money,
    restrictions::{ProviderRestrictions, holds_model},
};

/// The group of callers and providers for whom no group was named.
const DEFAULT_GROUP: &str = "default";
/// In a caller's groups: every provider.
const EVERY_GROUP: &str = "*";

/// A provider's configuration.
#[derive(Debug, Clone)]
pub struct Card {
    /// The provider's row.
    pub id: ProviderId,
    /// Grows with every change of the row.
    pub version: i64,
    /// Unique, shown everywhere.
    pub name: String,
    /// The preset for authentication, paths and formats.
    pub kind: Kind,
    /// Scheme, host, port and path prefix of the upstream, without a trailing slash.
    pub base_url: String,
    /// What authenticates us there.
    pub credential: Credential,
    /// The wire formats it serves natively; the preset's unless the operator said otherwise.
    pub formats: Vec<Format>,
    /// Share of the choice among providers of equal priority.
    pub weight: u32,
    /// Lower goes first.
    pub priority: i32,
    /// Factor on the price of everything that goes through this provider.
    pub cost_multiplier: Money,
    /// Groups that may use it; none means everyone.
    pub groups: Vec<String>,
    /// Models it may be asked for; none means all. A trailing `*` matches any rest.
    pub allowed_models: Vec<String>,
    /// Whom it serves, and when.
    pub restrictions: ProviderRestrictions,
    /// Asked-for model to the model that is sent instead.
    pub model_redirects: BTreeMap<String, String>,
    /// Bounds on what is sent there: requests in flight, and dollars.
    pub limits: Limits,
    /// How its breaker behaves.
    pub breaker: BreakerSettings,
    /// How long the stages of one attempt may take.
    pub timeouts: Timeouts,
    /// Whether its host may be a private or loopback address.
    pub allow_private_network: bool,
    /// Whether it is in the running at all.
    pub enabled: bool,
}

impl Card {
    /// Whether this provider may be asked for `model`.
    #[must_use]
    pub fn serves_model(&self, model: &str) -> bool {
        holds_model(&self.allowed_models, model)
    }

    /// Whether callers of these groups may use this provider. Whoever names no group is in the default
    /// group; a caller's `*` stands for every group.
    #[must_use]
    pub fn open_to(&self, callers: &[String]) -> bool {
        let callers_default = callers.is_empty() || callers.iter().any(|group| group == DEFAULT_GROUP);
        let of_mine = |group: &String| {
            if group == DEFAULT_GROUP { callers_default } else { callers.contains(group) }
        };
        callers.iter().any(|group| group == EVERY_GROUP)
            || (self.groups.is_empty() && callers_default)
            || self.groups.iter().any(of_mine)
    }

    /// The model to send upstream when a caller asks for `model`.
    #[must_use]
    pub fn upstream_model<'a>(&'a self, model: &'a str) -> &'a str {
        self.model_redirects.get(model).map_or(model, String::as_str)
    }
}

/// A secret that authenticates us to an upstream. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for the one place that puts it into a header.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// A preset for authentication, paths and wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Anthropic: the credential goes in both `authorization: Bearer` and `x-api-key`.
    Claude,
    /// An Anthropic relay that takes only `authorization: Bearer`.
    ClaudeAuth,
    /// OpenAI Responses, as Codex speaks it.
    Codex,
    /// OpenAI: Chat Completions, Responses, embeddings.
    Openai,
    /// Anything that speaks Chat Completions.
    OpenaiCompatible,
    /// Gemini with `x-goog-api-key`.
    Gemini,
    /// Gemini as its command line speaks it, with `authorization: Bearer`.
    GeminiCli,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Claude,
        Self::ClaudeAuth,
        Self::Codex,
        Self::Openai,
        Self::OpenaiCompatible,
        Self::Gemini,
        Self::GeminiCli,
    ];

    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::ClaudeAuth => "claude-auth",
            Self::Codex => "codex",
            Self::Openai => "openai",
            Self::OpenaiCompatible => "openai-compatible",
            Self::Gemini => "gemini",
            Self::GeminiCli => "gemini-cli",
        }
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The formats a provider of this kind serves unless told otherwise.
    #[must_use]
    pub const fn formats(self) -> &'static [Format] {
        match self {
            Self::Claude | Self::ClaudeAuth => &[Format::Anthropic],
            Self::Codex => &[Format::OpenaiResponses],
            Self::Openai => &[Format::OpenaiChat, Format::OpenaiResponses],
            Self::OpenaiCompatible => &[Format::OpenaiChat],
            Self::Gemini | Self::GeminiCli => &[Format::Gemini],
        }
    }
}

/// How a breaker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// How long it stays open the first time, in milliseconds.
    pub open_ms: u64,
    /// Good probes that close it again.
    pub half_open_successes: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failure_threshold: 5, open_ms: 1_800_000, half_open_successes: 2 }
    }
}

/// How long the stages of one attempt may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS together.
    pub connect_ms: u64,
    /// From the request sent to the first meaningful frame of a stream, or to the head of a plain answer.
    pub first_byte_ms: u64,
    /// Silence within an answer. Below the 300 s after which clients give up.
    pub idle_ms: u64,
    /// The whole attempt.
    pub total_ms: u64,
}

impl Timeouts {
    /// Name resolution, TCP and TLS together.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    /// Until the first meaningful frame.
    #[must_use]
    pub const fn first_byte(&self) -> Duration {
        Duration::from_millis(self.first_byte_ms)
    }

    /// Silence within an answer.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// The whole attempt.
    #[must_use]
    pub const fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 10_000, first_byte_ms: 180_000, idle_ms: 240_000, total_ms: 3_600_000 }
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::cards;

    #[test]
    fn groups_meet_by_name_and_no_name_means_the_default_group() {
        let check = |callers: &[&str], providers: &[&str], expected: bool| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let card = cards::with(1, |card| card.groups = own(providers));
            assert_eq!(card.open_to(&own(callers)), expected, "{callers:?} {providers:?}");
        };
        check(&[], &[], true);
        check(&[], &["default"], true);
        check(&["default"], &[], true);
        check(&[], &["vip"], false);
        check(&["vip"], &[], false);
        check(&["vip"], &["vip", "x"], true);
        check(&["*"], &["vip"], true);
    }
}
