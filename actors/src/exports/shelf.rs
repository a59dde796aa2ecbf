//! Exports, as plain values: who may order one, whose turn it is, which have had their time.
//!
//! ```text
//! Waiting --its turn--> Running --written--> Done
//!    |                     '---it broke----> Failed
//!    '------cancelled------'---------------> Cancelled
//! ```
//!
//! Invariants
//! - At most [`Terms::at_once`] run. Nobody has more than [`Terms::of_one`], and all together not more than
//!   [`Terms::of_all`].
//! - All files together, those being written too, outgrow [`Terms::bytes`] by no more than one page each.
//! - What has ended stays what it is until it is taken off the shelf.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::ids::{ExportId, UserId};

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Exports that are written at the same time.
    pub at_once: usize,
    /// Exports of one user, in whatever stage.
    pub of_one: usize,
    /// Exports of all users together.
    pub of_all: usize,
    /// What all files together may take of the disk.
    pub bytes: u64,
    /// How long what has ended is kept.
    pub kept: TimeDelta,
}

impl Default for Terms {
    fn default() -> Self {
        Self { at_once: 2, of_one: 5, of_all: 100, bytes: 4 << 30, kept: TimeDelta::hours(24) }
    }
}

/// What sort of file it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Text with commas.
    Csv,
    /// A workbook.
    Xlsx,
}

impl FileFormat {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Xlsx];

    /// Its name, which is also how such files end.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Who; none for the holder of the admin token.
    pub owner: Option<UserId>,
    /// Whether it was ordered by one who may look at everything, so that others' rows may be in it.
    pub of_everyone: bool,
    /// As what.
    pub format: FileFormat,
    /// Which rows, as it was asked for; nothing here goes by it.
    pub filter: Value,
}

/// How far one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Others are before it.
    Waiting,
    /// It is being written.
    Running,
    /// There is a file.
    Done,
    /// It came to nothing, and why.
    Failed(String),
    /// Somebody did not want it any more.
    Cancelled,
}

impl Stage {
    /// The name used in the admin API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    const fn has_ended(&self) -> bool {
        matches!(self, Self::Done | Self::Failed(_) | Self::Cancelled)
    }
}

/// What has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows so far.
    pub rows: u64,
    /// Rows there were when it began; none before.
    pub expected: Option<u64>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// One export.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Which.
    pub id: ExportId,
    /// What was wanted.
    pub order: Order,
    /// How far it is.
    pub stage: Stage,
    /// How much there is.
    pub written: Written,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// From when on it is gone; none while it has not ended.
    pub kept_until: Option<DateTime<Utc>>,
}

/// Why no more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// This one has enough.
    #[error("there are {0} of yours already, which is the most; remove one first")]
    Own(usize),
    /// All together have.
    #[error("there are {0} already, which is the most; try again later")]
    All(usize),
    /// There is no room on the disk for more.
    #[error("the files of exports take all the room they may have; remove some first")]
    Disk,
}

/// Why a running one has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Nobody wants it any more.
    #[error("it was cancelled")]
    Cancelled,
    /// Together with the others it is too large.
    #[error("the files of exports take all the room they may have")]
    Disk,
}

/// All exports there are, in the order they were ordered in.
#[derive(Debug)]
pub struct Shelf {
    terms: Terms,
    exports: BTreeMap<ExportId, Export>,
}

impl Shelf {
    /// An empty one.
    #[must_use]
    pub const fn new(terms: Terms) -> Self {
        Self { terms, exports: BTreeMap::new() }
    }

    /// Takes an order. What came to nothing makes room for it.
    ///
    /// # Errors
    /// When there is enough already.
    pub fn order(&mut self, id: ExportId, order: Order, now: DateTime<Utc>) -> Result<Export, Full> {
        let own = |export: &&Export| export.order.owner == order.owner;
        if self.exports.values().filter(own).count() >= self.terms.of_one {
            let spare = self.exports.values().filter(own).find(|export| is_spare(export));
            let spare = spare.map(|export| export.id).ok_or(Full::Own(self.terms.of_one))?;
            self.exports.remove(&spare);
        }
        if self.exports.len() >= self.terms.of_all {
            let spare = self.exports.values().find(|export| is_spare(export));
            let spare = spare.map(|export| export.id).ok_or(Full::All(self.terms.of_all))?;
            self.exports.remove(&spare);
        }
        if self.bytes() >= self.terms.bytes {
            return Err(Full::Disk);
        }
        let written = Written::default();
        let export = Export { id, order, stage: Stage::Waiting, written, ordered_at: now, kept_until: None };
        self.exports.insert(id, export.clone());
        Ok(export)
    }

    /// Lets the next one run, if one waits that `is_there` and there is a place for it.
    pub fn next(&mut self, is_there: impl Fn(ExportId) -> bool) -> Option<ExportId> {
        if self.exports.values().filter(|export| export.stage == Stage::Running).count() >= self.terms.at_once
        {
            return None;
        }
        let next =
            self.exports.values_mut().find(|export| export.stage == Stage::Waiting && is_there(export.id))?;
        next.stage = Stage::Running;
        Some(next.id)
    }

    /// A running one has come so far.
    ///
    /// # Errors
    /// When it has to stop.
    pub fn went(&mut self, id: ExportId, written: Written) -> Result<(), Halt> {
        let export = self.exports.get_mut(&id).filter(|export| export.stage == Stage::Running);
        export.ok_or(Halt::Cancelled)?.written = written;
        if self.bytes() > self.terms.bytes { Err(Halt::Disk) } else { Ok(()) }
    }

    /// A waiting or running one has ended. False when that is no news, as after it was cancelled.
    pub fn ended(&mut self, id: ExportId, end: Result<Written, String>, now: DateTime<Utc>) -> bool {
        let Some(export) = self.exports.get_mut(&id).filter(|export| !export.stage.has_ended()) else {
            return false;
        };
        match end {
            Ok(written) => (export.stage, export.written) = (Stage::Done, written),
            Err(why) => (export.stage, export.written.bytes) = (Stage::Failed(why), 0),
        }
        export.kept_until = Some(now + self.terms.kept);
        true
    }

    /// Cancels one that has not ended, and takes one that has off the shelf. False when there is none.
    pub fn remove(&mut self, id: ExportId, now: DateTime<Utc>) -> bool {
        let Some(export) = self.exports.get_mut(&id) else { return false };
        if export.stage.has_ended() {
            self.exports.remove(&id);
        } else {
            (export.stage, export.written.bytes) = (Stage::Cancelled, 0);
            export.kept_until = Some(now + self.terms.kept);
        }
        true
    }

    /// Takes those off the shelf whose time is over.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Vec<Export> {
        let over = |export: &Export| export.kept_until.is_some_and(|until| until <= now);
        self.exports.extract_if(.., |_, export| over(export)).map(|(_, export)| export).collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: ExportId) -> Option<&Export> {
        self.exports.get(&id)
    }

    /// All of them, the latest first.
    pub fn all(&self) -> impl Iterator<Item = &Export> {
        self.exports.values().rev()
    }

    /// What all of them take of the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.exports.values().map(|export| export.written.bytes).sum()
    }
}

/// Whether nothing is lost with it.
const fn is_spare(export: &Export) -> bool {
    matches!(export.stage, Stage::Failed(_) | Stage::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { at_once: 2, of_one: 3, of_all: 4, bytes: 100, kept: TimeDelta::hours(24) };

    fn order(owner: i64) -> Order {
        let (owner, filter) = (Some(UserId(owner)), Value::Null);
        Order { owner, of_everyone: false, format: FileFormat::Csv, filter }
    }

    fn put(shelf: &mut Shelf, owner: i64) -> Result<ExportId, Full> {
        shelf.order(ExportId::new(), order(owner), DateTime::UNIX_EPOCH).map(|export| export.id)
    }

    fn written(rows: u64, bytes: u64) -> Written {
        Written { rows, expected: Some(9), bytes }
    }

    #[test]
    fn they_run_in_the_order_they_came_and_not_more_than_may() {
        let mut shelf = Shelf::new(TERMS);
        let ids: Vec<_> = (1..=3).map(|owner| put(&mut shelf, owner).unwrap()).collect();
        let there = |id| id != ids[0];
        assert_eq!(shelf.next(there), Some(ids[1]), "nobody is there for the first yet");
        assert_eq!([shelf.next(|_| true), shelf.next(|_| true)], [Some(ids[0]), None]);
        assert!(shelf.ended(ids[1], Ok(written(9, 5)), DateTime::UNIX_EPOCH));
        assert_eq!(shelf.next(|_| true), Some(ids[2]));
    }

    #[test]
    fn nobody_and_all_together_have_no_more_than_may_be() {
        let mut shelf = Shelf::new(TERMS);
        let ids: Vec<_> = (0..3).map(|_| put(&mut shelf, 1).unwrap()).collect();
        assert_eq!(put(&mut shelf, 1), Err(Full::Own(3)));
        put(&mut shelf, 2).unwrap();
        assert_eq!(put(&mut shelf, 3), Err(Full::All(4)));
        // What came to nothing makes room, what can be fetched does not.
        shelf.ended(ids[1], Ok(written(1, 1)), DateTime::UNIX_EPOCH);
        assert_eq!(put(&mut shelf, 3), Err(Full::All(4)));
        shelf.ended(ids[0], Err("no luck".to_owned()), DateTime::UNIX_EPOCH);
        put(&mut shelf, 3).unwrap();
        assert_eq!(shelf.get(ids[0]), None);
        assert!(shelf.get(ids[1]).is_some());
    }

    #[test]
    fn the_disk_is_shared_and_what_is_gone_gives_its_part_back() {
        let mut shelf = Shelf::new(TERMS);
        let (one, two) = (put(&mut shelf, 1).unwrap(), put(&mut shelf, 2).unwrap());
        assert_eq!([shelf.next(|_| true), shelf.next(|_| true)], [Some(one), Some(two)]);
        assert_eq!(shelf.went(one, written(1, 60)), Ok(()));
        assert_eq!(shelf.went(two, written(1, 41)), Err(Halt::Disk));
        assert!(shelf.ended(two, Err(Halt::Disk.to_string()), DateTime::UNIX_EPOCH));
        assert_eq!(shelf.went(one, written(2, 100)), Ok(()));
        assert_eq!(put(&mut shelf, 3), Err(Full::Disk));
        assert!(shelf.remove(one, DateTime::UNIX_EPOCH), "it is cancelled");
        assert_eq!((shelf.bytes(), put(&mut shelf, 3).is_ok()), (0, true));
    }

    #[test]
    fn what_has_ended_stays_so_and_goes_when_its_time_is_over() {
        let mut shelf = Shelf::new(TERMS);
        let id = put(&mut shelf, 1).unwrap();
        shelf.next(|_| true);
        let (day, now) = (TimeDelta::hours(24), DateTime::UNIX_EPOCH);
        assert!(shelf.remove(id, now));
        assert_eq!(shelf.went(id, written(1, 1)), Err(Halt::Cancelled));
        assert!(!shelf.ended(id, Ok(written(1, 1)), now), "it is cancelled, whatever its writer came to");
        assert_eq!(shelf.get(id).unwrap().stage, Stage::Cancelled);
        assert_eq!(shelf.expire(now + day - TimeDelta::milliseconds(1)), []);
        assert_eq!(shelf.expire(now + day).iter().map(|export| export.id).collect::<Vec<_>>(), [id]);
        assert!(!shelf.remove(id, now));
        let waiting = put(&mut shelf, 1).unwrap();
        assert_eq!(shelf.expire(now + day * 9), [], "what has not ended does not expire");
        assert_eq!(shelf.all().map(|export| export.id).collect::<Vec<_>>(), [waiting]);
    }
}
