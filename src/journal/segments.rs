//! The journal's files: a row of segments, the last of which is written to.
//!
//! ```text
//! 1.journal  2.journal  3.journal ◀── append
//!  │ nothing in it is needed: deleted, oldest first
//!  └ only requests that still run need it, and others follow: their frames are carried over to the end
//! ```
//!
//! A frame is needed until it is told elsewhere: intents and progress until the final is written, a final
//! until its record is posted or set aside.
//!
//! Invariants
//! - Segments go in their order, so a request's final never goes before its intents: nothing that was posted
//!   comes back as incomplete (I-40).
//! - A failed append leaves no torn frame in front of the next one.
//! - Work is admitted below nine tenths of the bound; the rest is for what runs already (I-42).

use std::{
    collections::{HashMap, VecDeque},
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use actors::ids::RequestId;

use super::frame::{self, Kind};

/// A segment that has this much is followed by another.
const SEGMENT_BYTES: u64 = 16 << 20;
/// A segment this far behind the end is not kept for requests that still run.
const CARRY_BEHIND: usize = 3;
/// When nothing is needed any more, a segment of this size is given up for a fresh one.
const IDLE_BYTES: u64 = 1 << 20;

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// One file, and what in it may still be needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// Where its last final stands.
    pub(super) last_final: Option<u64>,
    /// How many of its frames are needed by requests that still run.
    pub(super) open: usize,
}

/// The frames of a request that has not ended.
#[derive(Debug, Default)]
struct Open {
    intents: Vec<Place>,
    progress: Option<Place>,
}

/// How bytes get into a file.
pub(super) type Write = fn(&File, &[u8], u64) -> io::Result<()>;

/// All segments.
pub(super) struct Segments {
    directory: PathBuf,
    row: VecDeque<Segment>,
    active: Arc<File>,
    bytes: u64,
    max_bytes: u64,
    /// The last final that is posted or set aside, by segment and place in it; so are all before it.
    low_mark: (u64, u64),
    open: HashMap<RequestId, Open>,
    unsynced: Vec<Arc<File>>,
    /// What the last append failed with.
    trouble: Option<String>,
    pub(super) write: Write,
}

impl Segments {
    /// The segments that were `found` in `directory`, oldest first, and a fresh one behind them.
    pub(super) fn follow(directory: &Path, found: Vec<Segment>, max_bytes: u64) -> io::Result<Self> {
        let number = found.last().map_or(1, |last| last.number + 1);
        let bytes = found.iter().map(|segment| segment.bytes).sum();
        let mut row = VecDeque::from(found);
        row.push_back(fresh(number));
        let active = create(directory, number)?;
        let unsynced = vec![Arc::new(File::open(directory)?)];
        let (directory, open) = (directory.to_owned(), HashMap::new());
        let write = File::write_all_at;
        let (low_mark, trouble) = ((0, 0), None);
        Ok(Self { directory, row, active, bytes, max_bytes, low_mark, open, unsynced, trouble, write })
    }

    /// Bytes in all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the last append failed with; none when it did not.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether new work may be admitted.
    pub(super) fn has_room(&self) -> bool {
        self.trouble.is_none() && self.bytes < self.max_bytes / 10 * 9
    }

    /// How many files there are.
    pub(super) fn count(&self) -> usize {
        self.row.len()
    }

    /// Writes an intent.
    pub(super) fn intent(&mut self, request: RequestId, frame: &[u8]) -> io::Result<()> {
        let place = self.append(frame)?;
        self.last().open += 1;
        self.open.entry(request).or_default().intents.push(place);
        Ok(())
    }

    /// Writes how far an answer has come, in place of what was said before. Left out where there is no room:
    /// it makes an estimate better, and nothing depends on it.
    pub(super) fn progress(&mut self, request: RequestId, frame: &[u8]) -> io::Result<()> {
        if self.bytes >= self.max_bytes || !self.open.contains_key(&request) {
            return Ok(());
        }
        let place = self.append(frame)?;
        self.last().open += 1;
        let before = self.open.entry(request).or_default().progress.replace(place);
        before.into_iter().for_each(|place| self.unneeded(place));
        Ok(())
    }

    /// Writes the final of a request; what was written of it before is not needed any more.
    pub(super) fn finish(&mut self, request: RequestId, frame: &[u8]) -> io::Result<Place> {
        let place = self.append(frame)?;
        self.last().last_final = Some(place.at);
        self.forget(request);
        Ok(place)
    }

    /// The intents of this request are not needed any more: its record is in the database, or its final here.
    pub(super) fn forget(&mut self, request: RequestId) {
        let Some(Open { intents, progress }) = self.open.remove(&request) else { return };
        intents.into_iter().chain(progress).for_each(|place| self.unneeded(place));
    }

    fn unneeded(&mut self, place: Place) {
        if let Some(segment) = self.segment(place.segment) {
            segment.open -= 1;
        }
    }

    /// Every final up to this one is posted, or set aside.
    pub(super) fn posted(&mut self, last: Place) {
        self.low_mark = self.low_mark.max((last.segment, last.at));
    }

    fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        let first = self.row.front()?.number;
        self.row.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    fn last(&mut self) -> &mut Segment {
        self.row.back_mut().expect("there is always one to write to")
    }

    fn append(&mut self, frame: &[u8]) -> io::Result<Place> {
        let written = self.try_append(frame);
        self.trouble = written.as_ref().err().map(ToString::to_string);
        written
    }

    fn try_append(&mut self, frame: &[u8]) -> io::Result<Place> {
        let length = frame.len() as u64;
        if self.last().bytes > 0 && self.last().bytes + length > SEGMENT_BYTES {
            self.rotate()?;
        }
        let (write, active) = (self.write, Arc::clone(&self.active));
        let segment = self.last();
        if let Err(error) = write(&active, frame, segment.bytes) {
            // The next frame is written over what there is of this one; its end must not stick out behind.
            // Where not even this is possible, a scan passes over it.
            let _ = active.set_len(segment.bytes);
            return Err(error);
        }
        let place = Place { segment: segment.number, at: segment.bytes, bytes: length };
        segment.bytes += length;
        self.bytes += length;
        Ok(place)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.last().number + 1;
        let next = create(&self.directory, number)?;
        self.unsynced.push(std::mem::replace(&mut self.active, next));
        self.unsynced.extend(File::open(&self.directory).map(Arc::new));
        self.row.push_back(fresh(number));
        Ok(())
    }

    /// The files that must be synced for everything written so far to outlast a power cut.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        let mut files = std::mem::take(&mut self.unsynced);
        files.push(Arc::clone(&self.active));
        files
    }

    /// Writes a frame that says nothing, to see whether that can be done again.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        let mut blank = Vec::new();
        frame::encode(Kind::Blank, &(), &mut blank)?;
        self.append(&blank).map(|_| ())
    }

    /// Takes segments that nobody needs out of the row; they are the caller's to delete, in this order.
    pub(super) fn take_unneeded(&mut self) -> Vec<PathBuf> {
        let mut unneeded = Vec::new();
        if self.row.len() == 1 && self.is_unneeded() && self.last().bytes >= IDLE_BYTES {
            // Where there is no room for a fresh one, this one stays for a while.
            let _ = self.rotate();
        }
        while self.row.len() > 1 {
            let first = self.row[0];
            if self.awaits_posting(&first) || (first.open > 0 && self.row.len() <= CARRY_BEHIND) {
                break;
            }
            if first.open > 0
                && let Err(error) = self.carry_over()
            {
                log::warn!("journal: segment {} can't be given up yet: {error}", first.number);
                break;
            }
            self.row.pop_front();
            self.bytes -= first.bytes;
            unneeded.push(path(&self.directory, first.number));
        }
        unneeded
    }

    fn awaits_posting(&self, segment: &Segment) -> bool {
        segment.last_final.is_some_and(|at| (segment.number, at) > self.low_mark)
    }

    /// Writes those frames of the first segment once more that running requests need.
    fn carry_over(&mut self) -> io::Result<()> {
        let number = self.row[0].number;
        let file = File::open(path(&self.directory, number))?;
        let mut open = std::mem::take(&mut self.open);
        let needed = open.values_mut().flat_map(|open| open.intents.iter_mut().chain(&mut open.progress));
        let mut outcome = Ok(());
        for place in needed.filter(|place| place.segment == number) {
            outcome = self.carry(&file, place);
            if outcome.is_err() {
                break;
            }
        }
        self.open = open;
        outcome
    }

    fn carry(&mut self, file: &File, place: &mut Place) -> io::Result<()> {
        let mut frame = vec![0; usize::try_from(place.bytes).map_err(io::Error::other)?];
        file.read_exact_at(&mut frame, place.at)?;
        let there = self.append(&frame)?;
        self.last().open += 1;
        self.unneeded(std::mem::replace(place, there));
        Ok(())
    }

    fn is_unneeded(&self) -> bool {
        self.open.is_empty() && !self.row.iter().any(|segment| self.awaits_posting(segment))
    }
}

impl Drop for Segments {
    /// An orderly end, after which there is nothing to replay, leaves nothing behind.
    fn drop(&mut self) {
        if self.is_unneeded() {
            for segment in &self.row {
                delete(&path(&self.directory, segment.number));
            }
        }
    }
}

fn fresh(number: u64) -> Segment {
    Segment { number, bytes: 0, last_final: None, open: 0 }
}

/// Deletes the file of a segment. One that is gone already, as with the whole directory of a demo, is as it should be.
pub(super) fn delete(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warn!("journal: cannot delete {}: {error}", path.display());
        }
        _ => {}
    }
}

/// The file of a segment.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:012}.{EXTENSION}"))
}

const EXTENSION: &str = "journal";

/// The number of a segment's file; none for other files.
pub(super) fn number(path: &Path) -> Option<u64> {
    let stem = path.file_stem().filter(|_| path.extension().is_some_and(|extension| extension == EXTENSION));
    stem?.to_str()?.parse().ok()
}

fn create(directory: &Path, number: u64) -> io::Result<Arc<File>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path(directory, number))?;
    Ok(Arc::new(file))
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
