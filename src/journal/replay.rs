//! What an earlier process left in the journal: finals to post once more, and requests without an end.
//!
//! Read from the oldest frame to the newest. Posting what was posted already changes nothing (I-40), so nobody
//! has to know how far the earlier process had come. Damage is set aside beside its segment and told (I-43).

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use actors::ids::RequestId;
use serde::Deserialize;

use super::{
    frame::{self, Found, Frame, Kind},
    intent::{Intent, Progress, incomplete},
    queue::Stretch,
    record::Record,
    segments::{self, Place, Segment},
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The files, oldest first.
    pub(super) segments: Vec<Segment>,
    /// The finals in them.
    pub(super) finals: Option<Stretch>,
    /// Records of the requests that have none.
    pub(super) incomplete: Vec<Record>,
    /// Bytes that were no frame.
    pub(super) damaged: u64,
}

/// A request that has no final yet.
#[derive(Default)]
struct Open {
    intents: Vec<Intent>,
    progress: Option<Progress>,
}

/// As much of a record as is needed to know whose it is.
#[derive(Deserialize)]
struct Whose {
    id: RequestId,
}

/// Reads everything in `directory`.
pub(super) fn look(directory: &Path) -> io::Result<Left> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| segments::number(&entry.path())).collect();
    numbers.sort_unstable();
    let mut left = Left::default();
    let mut open: HashMap<RequestId, Open> = HashMap::new();
    for number in numbers {
        let bytes = fs::read(segments::path(directory, number))?;
        left.read(directory, number, &bytes, &mut open)?;
    }
    let unended = open.values().filter_map(|open| incomplete(&open.intents, open.progress.as_ref()));
    left.incomplete = unended.collect();
    left.incomplete.sort_by_key(|record| record.id);
    Ok(left)
}

impl Left {
    fn read(
        &mut self,
        directory: &Path,
        number: u64,
        bytes: &[u8],
        open: &mut HashMap<RequestId, Open>,
    ) -> io::Result<()> {
        let mut segment = Segment { number, bytes: bytes.len() as u64, last_final: None, open: 0 };
        let mut aside = Vec::new();
        for found in frame::scan(bytes) {
            let damage = match found {
                Found::Sound(frame) => match note(&frame, open) {
                    Ok(false) => continue,
                    Ok(true) => {
                        let place = Place { segment: number, at: frame.at as u64, bytes: frame.bytes as u64 };
                        segment.last_final = Some(place.at);
                        self.finals = Some(match self.finals {
                            Some(stretch) => Stretch { last: place, finals: stretch.finals + 1, ..stretch },
                            None => Stretch { first: place, last: place, finals: 1, number: 0 },
                        });
                        continue;
                    }
                    Err(_) => frame.at..frame.at + frame.bytes,
                },
                Found::Damaged { at, bytes } => at..at + bytes,
            };
            log::error!(
                "journal: {} bytes at {} of segment {number} are damaged and set aside",
                damage.len(),
                damage.start
            );
            aside.extend_from_slice(&bytes[damage]);
        }
        if !aside.is_empty() {
            self.damaged += aside.len() as u64;
            set_aside(directory, number, &aside)?;
        }
        self.segments.push(segment);
        Ok(())
    }
}

/// Takes note of a frame; says whether it is a final.
fn note(frame: &Frame<'_>, open: &mut HashMap<RequestId, Open>) -> serde_json::Result<bool> {
    match frame.kind {
        Kind::Blank => {}
        Kind::Intent => {
            let intent: Intent = frame.read()?;
            let intents = &mut open.entry(intent.request).or_default().intents;
            // Carried over by a process that died before it deleted the first copy.
            if intents.iter().all(|known| known.attempt != intent.attempt) {
                intents.push(intent);
            }
        }
        Kind::Progress => {
            let progress: Progress = frame.read()?;
            // One without an intent belongs to a damaged frame, or to a request that has ended.
            if let Some(open) = open.get_mut(&progress.request) {
                open.progress = Some(progress);
            }
        }
        Kind::Final => {
            let Whose { id } = frame.read()?;
            open.remove(&id);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps damaged bytes for whoever wants to look at them.
fn set_aside(directory: &Path, number: u64, bytes: &[u8]) -> io::Result<()> {
    let path = segments::path(directory, number).with_extension("damaged");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
