//! Whether a provider still takes our credential, as a plain value.
//!
//! Rejections disable the credential and leave the endpoint's breaker alone (I-16). Disabling ends by
//! itself, doubling each time, so that a mended account comes back without anyone's help.

use std::time::{Duration, Instant};

/// Rejections in a row that disable a credential.
const REJECTIONS: u32 = 3;
/// How long it is disabled the first time.
const FIRST_REST: Duration = Duration::from_secs(60);
/// How long it is disabled at most.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// The standing of one credential.
#[derive(Debug, Clone, Copy, Default)]
pub struct CredentialState {
    rejections_in_a_row: u32,
    disabled_until: Option<Instant>,
}

impl CredentialState {
    /// Notes a rejection; says until when the credential is disabled, if this one did it.
    pub fn rejected(&mut self, now: Instant) -> Option<Instant> {
        self.rejections_in_a_row = self.rejections_in_a_row.saturating_add(1);
        let beyond = self.rejections_in_a_row.checked_sub(REJECTIONS)?;
        let until = now + (FIRST_REST * 2u32.pow(beyond.min(6))).min(LONGEST_REST);
        self.disabled_until = Some(until);
        Some(until)
    }

    /// Notes that it was accepted.
    pub fn accepted(&mut self) {
        *self = Self::default();
    }

    /// Until when it is disabled, if it is.
    #[must_use]
    pub fn disabled_until(&self, now: Instant) -> Option<Instant> {
        self.disabled_until.filter(|until| *until > now)
    }

    /// Rejections since it was last accepted.
    #[must_use]
    pub fn rejections_in_a_row(&self) -> u32 {
        self.rejections_in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_rejections_in_a_row_disable_it_for_longer_each_time() {
        let now = Instant::now();
        let mut state = CredentialState::default();
        assert_eq!([state.rejected(now), state.rejected(now)], [None, None]);
        assert_eq!(state.rejected(now), Some(now + Duration::from_secs(60)));
        assert_eq!(state.rejected(now), Some(now + Duration::from_secs(120)));
        for _ in 0..40 {
            state.rejected(now);
        }
        assert_eq!(state.disabled_until(now), Some(now + LONGEST_REST));
        assert_eq!(state.disabled_until(now + LONGEST_REST), None);
    }

    #[test]
    fn one_acceptance_forgives_all() {
        let now = Instant::now();
        let mut state = CredentialState::default();
        for _ in 0..5 {
            state.rejected(now);
        }
        state.accepted();
        assert_eq!(state.disabled_until(now), None);
        assert_eq!(state.rejected(now), None);
    }
}
