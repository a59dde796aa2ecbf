//! How a request ended, what it consumed, and what became of its money: three closed vocabularies.
//!
//! Ending and metering are facts; the settlement follows from them and from whether there was a price.
//!
//! | metering  | price | settlement                                              | cost   |
//! |-----------|-------|---------------------------------------------------------|--------|
//! | none      |       | `free`; `disputed` where nobody knows if a byte left     | none   |
//! | any other | no    | `unpriced`                                              | none   |
//! | exact     | yes   | `exact`, or `exact_client_gone` where the caller left    | posted |
//! | estimated | yes   | `estimated`                                             | posted |

use protocol::Usage;
use serde::{Deserialize, Serialize};

/// What a request consumed, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Metering {
    /// The upstream told.
    Exact(Usage),
    /// Derived by us, since the upstream could not tell any more.
    Estimated(Usage),
    /// Nothing was consumed.
    None,
}

impl Metering {
    /// The name used in documents and in the admin API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Estimated(_) => "estimated",
            Self::None => "none",
        }
    }

    /// The tokens; zeros when nothing was consumed.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match *self {
            Self::Exact(usage) | Self::Estimated(usage) => usage,
            Self::None => Usage::default(),
        }
    }

    /// Puts together what the name and the tokens of a row's document say.
    #[must_use]
    pub fn from_name(name: &str, usage: Usage) -> Option<Self> {
        match name {
            "exact" => Some(Self::Exact(usage)),
            "estimated" => Some(Self::Estimated(usage)),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// A closed vocabulary: names lead to values and back.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in rows and in the admin API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The one of that name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

pub(super) use named;

named! {
    /// How a request ended, seen from the caller.
    Ending {
        /// The whole answer was delivered.
        Complete = "complete",
        /// The answer had begun and could not be finished.
        Cut = "cut",
        /// The caller went away.
        CallerLeft = "caller_left",
        /// We said no before any upstream was asked.
        Refused = "refused",
        /// No upstream gave an answer that could be passed on.
        Failed = "failed",
        /// The deadline of the request passed.
        TimedOut = "timed_out",
        /// The server was stopping.
        Draining = "draining",
        /// The process died with it: neither we nor the caller saw its end.
        Incomplete = "incomplete",
    }
}

named! {
    /// What became of a request's money.
    Settlement {
        /// Posted, by the upstream's own count.
        Exact = "exact",
        /// The same, though the caller did not stay for the end.
        ExactClientGone = "exact_client_gone",
        /// Posted, by a count of ours.
        Estimated = "estimated",
        /// Nothing was consumed, so nothing is posted.
        Free = "free",
        /// Nobody knows whether anything was consumed; nothing is posted until somebody decides.
        Disputed = "disputed",
        /// Something was consumed that had no price; nothing is posted until it has one (I-07).
        Unpriced = "unpriced",
    }
}

impl Settlement {
    /// What follows for a request that consumed `metering`.
    #[must_use]
    pub const fn of(metering: Metering, priced: bool, caller_left: bool) -> Self {
        match (metering, priced) {
            (Metering::None, _) => Self::Free,
            (_, false) => Self::Unpriced,
            (Metering::Exact(_), true) if caller_left => Self::ExactClientGone,
            (Metering::Exact(_), true) => Self::Exact,
            (Metering::Estimated(_), true) => Self::Estimated,
        }
    }

    /// Whether a cost goes with it.
    #[must_use]
    pub const fn is_posted(self) -> bool {
        matches!(self, Self::Exact | Self::ExactClientGone | Self::Estimated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i07_what_has_no_price_is_never_a_zero() {
        let usage = Usage { output_tokens: 1, ..Usage::default() };
        for metering in [Metering::Exact(usage), Metering::Estimated(usage)] {
            for caller_left in [false, true] {
                assert_eq!(Settlement::of(metering, false, caller_left), Settlement::Unpriced);
            }
        }
        assert!(!Settlement::Unpriced.is_posted());
    }

    #[test]
    fn a_settlement_says_how_well_the_cost_is_known_and_who_saw_the_end() {
        let usage = Usage::default();
        assert_eq!(Settlement::of(Metering::Exact(usage), true, false), Settlement::Exact);
        assert_eq!(Settlement::of(Metering::Exact(usage), true, true), Settlement::ExactClientGone);
        assert_eq!(Settlement::of(Metering::Estimated(usage), true, true), Settlement::Estimated);
        assert_eq!(Settlement::of(Metering::None, true, false), Settlement::Free);
    }

    #[test]
    fn names_lead_back_and_are_what_the_journal_says() {
        for settlement in Settlement::ALL.iter().copied() {
            assert_eq!(Settlement::from_name(settlement.name()), Some(settlement));
            assert_eq!(serde_json::to_value(settlement).unwrap(), settlement.name());
        }
        for ending in Ending::ALL.iter().copied() {
            assert_eq!(Ending::from_name(ending.name()), Some(ending));
            assert_eq!(serde_json::to_value(ending).unwrap(), ending.name());
        }
    }
}
