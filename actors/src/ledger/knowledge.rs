//! What is known about what an account has used before we woke, as a plain value.
//!
//! ```text
//! unknown --ask--> asked --answer--> known --in doubt, ask--> known, and asked --answer--> known
//!    ^---- away, or counted anew ------'                          '- away -> known, in doubt
//! ```
//!
//! Everything is on record before it is settled here, and records are numbered. So what is settled while
//! nothing is known will be part of the next answer, and what is settled after a question is part of its
//! answer exactly when the answer includes its number.
//!
//! Invariants
//! - A settlement is booked by us or part of the answer, never both and never neither.
//! - An answer to any but the latest question changes nothing.

use super::{limits::Span, minutes::Minute};
use crate::{money::Pico, ports::BalancesAsk};

/// What is known of one account.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// What has a number up to this was part of an answer; none while there was none.
    includes: Option<u64>,
    /// What was settled since the question that is out.
    asked: Option<Vec<Settled>>,
    /// A settlement may have been lost: to be asked again, and good until then.
    in_doubt: bool,
    /// Counts the questions.
    round: u32,
}

/// A cost on its way into the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The number of its record.
    pub sequence: u64,
    /// The minute it belongs to.
    pub minute: Minute,
    /// The cost.
    pub cost: Pico,
}

/// A question about one account, and what is needed to make sense of the answer.
#[derive(Debug, Clone)]
pub struct Inquiry {
    pub(super) round: u32,
    /// The spans of the ranges asked for, in their order.
    pub(super) spans: Vec<Span>,
    /// The question.
    pub ask: BalancesAsk,
}

impl Knowledge {
    /// Whether there is an answer to go by.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.includes.is_some()
    }

    /// Whether a settlement may be missing.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Whether a question is due.
    #[must_use]
    pub fn is_wanting(&self) -> bool {
        self.asked.is_none() && (self.includes.is_none() || self.in_doubt)
    }

    /// Whether that is the question that is out.
    #[must_use]
    pub fn awaits(&self, inquiry: &Inquiry) -> bool {
        self.asked.is_some() && self.round == inquiry.round
    }

    /// A question goes out. Answers its number.
    pub fn ask(&mut self) -> u32 {
        self.asked = Some(Vec::new());
        self.round += 1;
        self.round
    }

    /// Nobody answered.
    pub fn unanswered(&mut self) {
        self.asked = None;
    }

    /// What is known may have a gap.
    pub fn doubt(&mut self) {
        self.asked = None;
        self.in_doubt = self.includes.is_some();
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = Self { round: self.round, ..Self::default() };
    }

    /// Something is settled. True when it is to be booked now.
    pub fn settle(&mut self, settled: Settled) -> bool {
        if let Some(since) = &mut self.asked {
            since.push(settled);
        }
        self.includes.is_some_and(|includes| settled.sequence > includes)
    }

    /// The answer is here. Gives back what was settled meanwhile and is not part of it.
    pub fn complete(&mut self, includes: u64) -> Vec<Settled> {
        self.includes = Some(includes);
        self.in_doubt = false;
        let mut since = self.asked.take().unwrap_or_default();
        since.retain(|settled| settled.sequence > includes);
        since
    }
}
