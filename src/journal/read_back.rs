//! Reads the records of a stretch of the journal, in order, one segment in memory at a time.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    frame::{self, Found, Kind},
    queue::Stretch,
    record::Record,
    segments::{self, Place},
};

/// Reads one stretch.
pub(super) struct ReadBack {
    directory: PathBuf,
    pub(super) stretch: Stretch,
    segment: u64,
    /// Where in the segment `bytes` begin.
    base: u64,
    bytes: Vec<u8>,
    at: usize,
    /// Finals that were read.
    pub(super) read: usize,
}

impl ReadBack {
    pub(super) fn new(directory: &Path, stretch: Stretch) -> Self {
        let (directory, segment) = (directory.to_owned(), stretch.first.segment);
        let mut this = Self { directory, stretch, segment, base: 0, bytes: Vec::new(), at: 0, read: 0 };
        this.load(stretch.first.at);
        this
    }

    /// Reads what of the segment belongs to the stretch, from `base` on.
    fn load(&mut self, base: u64) {
        let path = segments::path(&self.directory, self.segment);
        let last = self.stretch.last;
        let end = if self.segment == last.segment { last.at + last.bytes } else { u64::MAX };
        let read = || -> io::Result<Vec<u8>> {
            let (mut file, mut bytes) = (File::open(&path)?, Vec::new());
            file.seek(SeekFrom::Start(base))?;
            file.take(end.saturating_sub(base)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        (self.base, self.at) = (base, 0);
        self.bytes = read().unwrap_or_else(|error| {
            log::error!("journal: cannot read {}: {error}", path.display());
            Vec::new()
        });
    }
}

impl Iterator for ReadBack {
    type Item = (Place, Record);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(found) = frame::scan(&self.bytes[self.at..]).next() else {
                if self.segment == self.stretch.last.segment {
                    return None;
                }
                self.segment += 1;
                self.load(0);
                continue;
            };
            let place = Place { segment: self.segment, at: self.base + self.at as u64, bytes: 0 };
            match found {
                Found::Sound(frame) => {
                    self.at += frame.bytes;
                    if frame.kind != Kind::Final {
                        continue;
                    }
                    if let Ok(record) = frame.read() {
                        self.read += 1;
                        return Some((Place { bytes: frame.bytes as u64, ..place }, record));
                    }
                }
                // Told when the journal was opened, or it is the disk's doing since: then the count tells.
                Found::Damaged { bytes, .. } => self.at += bytes,
            }
        }
    }
}
