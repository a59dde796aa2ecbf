//! How one attempt at a provider ended, and what follows from it.
//!
//! One table answers the three questions everybody asks: whose fault it was, whether another provider
//! may be tried, and whether the breaker counts it (I-16).

use serde::{Deserialize, Serialize};

/// The end of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A sound answer, whole.
    Answered,
    /// The provider refused the request as the caller wrote it.
    CallersFault,
    /// The provider does not know the model.
    ModelUnknown,
    /// 429: asked too much of it.
    RateLimited,
    /// 529, or its words for it: too much asked of it by everyone.
    Overloaded,
    /// It no longer accepts our credential.
    CredentialRejected,
    /// A failure of its own, told by status.
    ProviderFailed,
    /// A good status with an error inside.
    ErrorInside,
    /// It pointed elsewhere; we do not follow.
    Redirected,
    /// Not the protocol it should speak.
    Garbage,
    /// Name, TCP or TLS: no connection.
    ConnectFailed,
    /// The operator did not allow the address it resolved to.
    AddressRefused,
    /// Nothing meaningful came in time.
    FirstByteTimeout,
    /// It fell silent within its answer.
    IdleTimeout,
    /// The attempt as a whole took too long.
    TotalTimeout,
    /// The answer broke off.
    Cut,
    /// The caller went away.
    CallerLeft,
    /// We are shutting down and the drain limit is over.
    Drained,
    /// Nobody said: our own failure on the way.
    Abandoned,
}

/// What the breaker makes of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The provider works.
    Success,
    /// The provider failed on its own account.
    Failure,
    /// Says nothing about the provider's health.
    Neutral,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 19] = [
        Self::Answered,
        Self::CallersFault,
        Self::ModelUnknown,
        Self::RateLimited,
        Self::Overloaded,
        Self::CredentialRejected,
        Self::ProviderFailed,
        Self::ErrorInside,
        Self::Redirected,
        Self::Garbage,
        Self::ConnectFailed,
        Self::AddressRefused,
        Self::FirstByteTimeout,
        Self::IdleTimeout,
        Self::TotalTimeout,
        Self::Cut,
        Self::CallerLeft,
        Self::Drained,
        Self::Abandoned,
    ];

    /// The name used in rows, decision chains and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::CallersFault => "callers_fault",
            Self::ModelUnknown => "model_unknown",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::CredentialRejected => "credential_rejected",
            Self::ProviderFailed => "provider_failed",
            Self::ErrorInside => "error_inside",
            Self::Redirected => "redirected",
            Self::Garbage => "garbage",
            Self::ConnectFailed => "connect_failed",
            Self::AddressRefused => "address_refused",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::Cut => "cut",
            Self::CallerLeft => "caller_left",
            Self::Drained => "drained",
            Self::Abandoned => "abandoned",
        }
    }

    /// The outcome of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// What the breaker makes of it.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Answered => Verdict::Success,
            Self::ProviderFailed
            | Self::ErrorInside
            | Self::Redirected
            | Self::Garbage
            | Self::ConnectFailed
            | Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::Cut => Verdict::Failure,
            // Limits feed the cool-down, credentials their own count; the rest is not the provider's doing.
            Self::CallersFault
            | Self::ModelUnknown
            | Self::RateLimited
            | Self::Overloaded
            | Self::CredentialRejected
            | Self::AddressRefused
            | Self::TotalTimeout
            | Self::CallerLeft
            | Self::Drained
            | Self::Abandoned => Verdict::Neutral,
        }
    }

    /// Whether a limit on time ended it.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout)
    }

    /// Whether the provider may have worked, and been paid, without our knowing: it had the request, did not
    /// refuse it, and never came to an answer.
    #[must_use]
    pub const fn leaves_cost_unknown(self) -> bool {
        matches!(self, Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout | Self::Cut)
    }

    /// Whether another provider may be tried, as long as nothing went to the caller.
    #[must_use]
    pub const fn may_try_another(self) -> bool {
        match self {
            Self::ModelUnknown
            | Self::RateLimited
            | Self::Overloaded
            | Self::CredentialRejected
            | Self::ProviderFailed
            | Self::ErrorInside
            | Self::Redirected
            | Self::Garbage
            | Self::ConnectFailed
            | Self::AddressRefused
            | Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::Cut => true,
            Self::Answered
            | Self::CallersFault
            | Self::TotalTimeout
            | Self::CallerLeft
            | Self::Drained
            | Self::Abandoned => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i16_only_the_providers_own_failures_count() {
        let counted: Vec<_> =
            Outcome::ALL.into_iter().filter(|outcome| outcome.verdict() == Verdict::Failure).collect();
        assert_eq!(
            counted,
            [
                Outcome::ProviderFailed,
                Outcome::ErrorInside,
                Outcome::Redirected,
                Outcome::Garbage,
                Outcome::ConnectFailed,
                Outcome::FirstByteTimeout,
                Outcome::IdleTimeout,
                Outcome::Cut,
            ]
        );
    }

    #[test]
    fn every_name_leads_back_to_its_outcome() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_name(outcome.name()), Some(outcome));
        }
    }
}
