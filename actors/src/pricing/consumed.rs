//! What one answer is charged for.

use protocol::{Reading, Usage};
use serde::{Deserialize, Serialize};

/// How urgently the upstream served a request; some vendors price that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The usual way.
    #[default]
    Standard,
    /// Ahead of others, for more.
    Priority,
    /// When there is room, for less.
    Flex,
}

impl Service {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Priority, Self::Flex];

    /// The name used in prices and in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Priority => "priority",
            Self::Flex => "flex",
        }
    }

    /// What an answer's own word for it means. A word nobody priced is the usual way.
    #[must_use]
    pub fn of_answer(service_tier: Option<&str>) -> Self {
        match service_tier {
            Some("priority") => Self::Priority,
            Some("flex") => Self::Flex,
            _ => Self::Standard,
        }
    }
}

/// What one answer is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consumed {
    /// Tokens.
    pub usage: Usage,
    /// Pictures made.
    pub images: u64,
    /// Searches made on the upstream's side.
    pub web_searches: u64,
    /// How urgently it was served.
    pub service: Service,
}

impl Consumed {
    /// Tokens, served the usual way, and nothing else.
    #[must_use]
    pub fn tokens(usage: Usage) -> Self {
        Self { usage, ..Self::default() }
    }

    /// These tokens, and of the rest what the answer told.
    #[must_use]
    pub fn read(usage: Usage, reading: &Reading) -> Self {
        Self {
            usage,
            images: reading.images,
            web_searches: reading.web_searches,
            service: Service::of_answer(reading.service_tier.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_nobody_priced_is_the_usual_way() {
        for (word, service) in [
            (Some("priority"), Service::Priority),
            (Some("flex"), Service::Flex),
            (Some("default"), Service::Standard),
            (Some("scale"), Service::Standard),
            (Some(""), Service::Standard),
            (None, Service::Standard),
        ] {
            assert_eq!(Service::of_answer(word), service, "{word:?}");
        }
    }
}
