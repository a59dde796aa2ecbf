//! What is known about what an account has used before we woke, as a plain value.
//!
//! ```text
//! unknown --ask--> asked --answer--> known
//!    ^---- away, or counted anew ------'
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
    state: State,
    /// Counts the questions.
    round: u32,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unknown,
    /// What was settled since the question.
    Asked(Vec<Settled>),
    /// What has a number up to this was part of the answer.
    Known { includes: u64 },
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
    /// Whether all is known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Known { .. })
    }

    /// Whether a question is due.
    #[must_use]
    pub fn is_wanting(&self) -> bool {
        matches!(self.state, State::Unknown)
    }

    /// Whether that is the question that is out.
    #[must_use]
    pub fn awaits(&self, inquiry: &Inquiry) -> bool {
        matches!(self.state, State::Asked(_)) && self.round == inquiry.round
    }

    /// A question goes out. Answers its number.
    pub fn ask(&mut self) -> u32 {
        self.state = State::Asked(Vec::new());
        self.round += 1;
        self.round
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        self.state = State::Unknown;
    }

    /// Something is settled. Gives it back when it is to be booked now.
    pub fn settle(&mut self, settled: Settled) -> Option<Settled> {
        match &mut self.state {
            State::Unknown => None,
            State::Asked(since) => {
                since.push(settled);
                None
            }
            State::Known { includes } => (settled.sequence > *includes).then_some(settled),
        }
    }

    /// The answer is here. Gives back what was settled meanwhile and is not part of it.
    pub fn complete(&mut self, includes: u64) -> Vec<Settled> {
        match std::mem::replace(&mut self.state, State::Known { includes }) {
            State::Asked(mut since) => {
                since.retain(|settled| settled.sequence > includes);
                since
            }
            State::Unknown | State::Known { .. } => Vec::new(),
        }
    }
}
