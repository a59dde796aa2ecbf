//! Records on their way to the database, in the order in which they ended.
//!
//! ```text
//! front                                                                       back
//! Record  Record  Spilled(a stretch of the journal, 7,000 finals)  Ask  Record  Flush
//! ```
//!
//! Invariants
//! - The order of the queue is the order of the finals in the journal.
//! - At most [`KEPT`] records that stand in the journal are kept here as well; those behind them are only
//!   counted, and read back when their turn comes. So an outage costs disk, not memory (I-42).

use std::collections::VecDeque;

use super::{record::Record, segments::Place};

/// Records kept in memory.
pub(super) const KEPT: usize = 4_096;

/// What stands in the queue. `Q` is a question for the writer.
#[derive(Debug)]
pub(super) enum Entry<Q> {
    /// A record, and where its final stands in the journal; nowhere if that could not be written.
    Record(Box<Entered>),
    /// Records that are only in the journal.
    Spilled(Stretch),
    /// Answered when everything before it is out of the queue.
    Question(Q),
}

/// A record in the queue.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) record: Record,
    /// Counts up from 1; 0 for what was replayed.
    pub(super) number: u64,
    pub(super) place: Option<Place>,
}

/// A stretch of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its first final.
    pub(super) first: Place,
    /// Its last final.
    pub(super) last: Place,
    /// How many finals stand in it.
    pub(super) finals: usize,
    /// The number of the last.
    pub(super) number: u64,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue<Q> {
    entries: VecDeque<Entry<Q>>,
    kept: usize,
}

impl<Q> Default for Queue<Q> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), kept: 0 }
    }
}

impl<Q> Queue<Q> {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts a record at the end.
    pub(super) fn push(&mut self, record: Record, number: u64, place: Option<Place>) {
        match place {
            Some(place) if self.kept >= KEPT => self.spill(place, number),
            _ => {
                self.kept += 1;
                self.entries.push_back(Entry::Record(Box::new(Entered { record, number, place })));
            }
        }
    }

    fn spill(&mut self, place: Place, number: u64) {
        if let Some(Entry::Spilled(stretch)) = self.entries.back_mut() {
            *stretch = Stretch { last: place, finals: stretch.finals + 1, number, ..*stretch };
        } else {
            self.push_stretch(Stretch { first: place, last: place, finals: 1, number });
        }
    }

    /// Puts records at the end that are only in the journal.
    pub(super) fn push_stretch(&mut self, stretch: Stretch) {
        self.entries.push_back(Entry::Spilled(stretch));
    }

    /// Puts a question at the end.
    pub(super) fn ask(&mut self, question: Q) {
        self.entries.push_back(Entry::Question(question));
    }

    /// Takes the first, if `wanted` says so.
    pub(super) fn take_if(&mut self, wanted: impl FnOnce(&Entry<Q>) -> bool) -> Option<Entry<Q>> {
        self.entries.front().filter(|entry| wanted(entry))?;
        let taken = self.entries.pop_front();
        self.kept -= usize::from(matches!(taken, Some(Entry::Record(_))));
        taken
    }

    /// Takes out all questions of a kind, wherever they stand.
    pub(super) fn take_questions(&mut self, wanted: impl Fn(&Q) -> bool) -> Vec<Q> {
        let mut taken = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match entry {
                Entry::Question(question) if wanted(&question) => taken.push(question),
                other => self.entries.push_back(other),
            }
        }
        taken
    }

    /// Records that could not be written to the journal yet, in their order.
    pub(super) fn unwritten(&mut self) -> impl Iterator<Item = &mut Entered> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            Entry::Record(entered) if entered.place.is_none() => Some(&mut **entered),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn place(at: u64) -> Place {
        Place { segment: 1, at, bytes: 1 }
    }

    fn kinds(queue: &mut Queue<&'static str>) -> Vec<String> {
        std::iter::from_fn(|| queue.take_if(|_| true))
            .map(|entry| match entry {
                Entry::Record(entered) => entered.number.to_string(),
                Entry::Spilled(Stretch { first, last, finals, number }) => {
                    format!("{}-{} ({finals}) ..={number}", first.at, last.at)
                }
                Entry::Question(question) => question.to_owned(),
            })
            .collect()
    }

    #[test]
    fn i42_what_does_not_fit_is_counted_and_keeps_its_turn() {
        let mut queue = Queue::default();
        let record = || Record::plain(DateTime::UNIX_EPOCH);
        let kept = KEPT as u64;
        for number in 1..=kept + 3 {
            queue.push(record(), number, Some(place(number)));
        }
        queue.ask("question");
        queue.push(record(), kept + 4, Some(place(kept + 4)));
        queue.push(record(), kept + 5, None);
        for number in 1..=kept {
            let Some(Entry::Record(first)) = queue.take_if(|_| true) else { panic!("{number}") };
            assert_eq!(first.number, number);
        }
        queue.push(record(), kept + 6, Some(place(kept + 6)));
        assert_eq!(
            kinds(&mut queue),
            [
                format!("{}-{} (3) ..={}", kept + 1, kept + 3, kept + 3),
                "question".to_owned(),
                format!("{0}-{0} (1) ..={0}", kept + 4),
                (kept + 5).to_string(),
                (kept + 6).to_string(),
            ]
        );
        assert!(queue.is_empty());
    }
}
