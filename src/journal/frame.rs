//! The journal's codec: how one frame stands in a file, and how frames are found again in a damaged one.
//!
//! ```text
//! F5 'P' 'M' 01 | length: u32 | crc32: u32 | kind: u8 | payload: JSON
//! ```
//!
//! Numbers are little-endian; the checksum covers length, kind and payload. The mark begins with a byte that
//! never occurs in UTF-8, and so in no payload: after damage, the next mark with a right checksum is a frame.
//!
//! Invariants (I-43)
//! - A frame that was read was written so, byte for byte.
//! - Damage costs the frames it touches and none before or behind them.

use serde::{Serialize, de::DeserializeOwned};

/// What every frame begins with; its last byte is the version of this layout.
const MARK: [u8; 4] = [0xF5, b'P', b'M', 1];
/// Bytes before the payload.
pub(super) const HEAD: usize = 13;
/// Longest payload. What is kept of a request is far shorter; a length beyond this is damage.
const LONGEST: usize = 8 << 20;

/// What a frame tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: that the file can be written.
    Blank,
    /// An attempt is about to be sent.
    Intent,
    /// How far an answer has come.
    Progress,
    /// A request is over.
    Final,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Blank => 0,
            Self::Intent => 1,
            Self::Progress => 2,
            Self::Final => 3,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Blank, Self::Intent, Self::Progress, Self::Final].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Writes one frame into `out`, which is emptied first.
///
/// # Errors
/// When the value has no JSON form or is absurdly large.
pub(super) fn encode(kind: Kind, value: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.clear();
    out.resize(HEAD, 0);
    serde_json::to_writer(&mut *out, value)?;
    let length = out.len() - HEAD;
    let counted = u32::try_from(length).ok().filter(|_| length <= LONGEST);
    let counted = counted.ok_or_else(|| serde::ser::Error::custom("too long for the journal"))?;
    let counted = counted.to_le_bytes();
    let sum = checksum(counted, kind.byte(), &out[HEAD..]);
    out[..4].copy_from_slice(&MARK);
    out[4..8].copy_from_slice(&counted);
    out[8..12].copy_from_slice(&sum.to_le_bytes());
    out[12] = kind.byte();
    Ok(())
}

fn checksum(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(&[kind]);
    sum.update(payload);
    sum.finalize()
}

/// One frame in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Where it begins.
    pub(super) at: usize,
    /// How long it is, head included.
    pub(super) bytes: usize,
    pub(super) kind: Kind,
    payload: &'a [u8],
}

impl Frame<'_> {
    /// What it says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(self.payload)
    }
}

/// What stands next in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A sound frame.
    Sound(Frame<'a>),
    /// Bytes that are no frame, up to the next one or to the end.
    Damaged {
        /// Where they begin.
        at: usize,
        /// How many there are.
        bytes: usize,
    },
}

/// Everything in the bytes of a file, in order.
pub(super) fn scan(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        let found = match frame_at(bytes, at) {
            Some(frame) => Found::Sound(frame),
            None => Found::Damaged { at, bytes: next_frame(bytes, at + 1) - at },
        };
        at += match found {
            Found::Sound(frame) => frame.bytes,
            Found::Damaged { bytes, .. } => bytes,
        };
        Some(found)
    })
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<HEAD>()?;
    let (mark, length, sum, kind) = (&head[..4], head[4..8].try_into().ok()?, &head[8..12], head[12]);
    let payload = rest.get(..usize::try_from(u32::from_le_bytes(length)).ok()?)?;
    if mark != MARK || payload.len() > LONGEST || checksum(length, kind, payload).to_le_bytes() != sum {
        return None;
    }
    Some(Frame { at, bytes: HEAD + payload.len(), kind: Kind::of(kind)?, payload })
}

/// Where the next sound frame begins at or behind `from`; the end when there is none.
fn next_frame(bytes: &[u8], from: usize) -> usize {
    let marks = memchr::memmem::find_iter(&bytes[from..], &MARK).map(|found| from + found);
    marks.into_iter().find(|at| frame_at(bytes, *at).is_some()).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal of so many frames, and where each ends.
    fn journal(frames: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends, mut frame) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..frames {
            let kind = [Kind::Intent, Kind::Progress, Kind::Final, Kind::Blank][number % 4];
            let text = "é\u{1F980}\"".repeat(number % 5);
            encode(kind, &(number, text), &mut frame).unwrap();
            bytes.extend_from_slice(&frame);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// The numbers of the frames that are found, and how many bytes are damaged.
    fn read(bytes: &[u8]) -> (Vec<usize>, usize) {
        let (mut numbers, mut damaged) = (Vec::new(), 0);
        for found in scan(bytes) {
            match found {
                Found::Sound(frame) => {
                    let (number, text): (usize, String) = frame.read().unwrap();
                    assert_eq!(text, "é\u{1F980}\"".repeat(number % 5));
                    numbers.push(number);
                }
                Found::Damaged { bytes, .. } => damaged += bytes,
            }
        }
        (numbers, damaged)
    }

    #[test]
    fn what_is_written_is_read() {
        let (bytes, _) = journal(1_000);
        assert_eq!(read(&bytes), ((0..1_000).collect(), 0));
    }

    #[test]
    fn i43_cut_off_at_any_byte_every_whole_frame_is_still_read() {
        let (bytes, ends) = journal(80);
        for length in 0..bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count();
            let left = length - whole.checked_sub(1).map_or(0, |last| ends[last]);
            assert_eq!(read(&bytes[..length]), ((0..whole).collect(), left), "cut off at {length}");
        }
    }

    #[test]
    fn i43_a_flipped_byte_costs_its_own_frame_and_no_other() {
        let (mut bytes, ends) = journal(80);
        for at in 0..bytes.len() {
            let hit = ends.iter().filter(|end| **end <= at).count();
            let start = hit.checked_sub(1).map_or(0, |before| ends[before]);
            let expected: Vec<usize> = (0..80).filter(|number| *number != hit).collect();
            for flip in [0x01, 0x80] {
                bytes[at] ^= flip;
                assert_eq!(read(&bytes), (expected.clone(), ends[hit] - start), "byte {at} ^ {flip:#x}");
                bytes[at] ^= flip;
            }
        }
    }

    #[test]
    fn i43_a_hole_anywhere_costs_the_frames_it_touches() {
        let (bytes, ends) = journal(60);
        for from in (0..bytes.len()).step_by(7) {
            for length in [1, 5, 50, 400] {
                let until = (from + length).min(bytes.len());
                let mut torn = bytes.clone();
                torn[from..until].fill(0);
                let start = |number: usize| number.checked_sub(1).map_or(0, |before| ends[before]);
                let same = |number: &usize| {
                    let frame = start(*number)..ends[*number];
                    torn[frame.clone()] == bytes[frame]
                };
                let expected: Vec<usize> = (0..60).filter(same).collect();
                assert_eq!(read(&torn).0, expected, "{from}..{until}");
            }
        }
    }

    #[test]
    fn what_stands_inside_a_payload_is_never_taken_for_a_frame() {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        encode(Kind::Final, &"inner", &mut inner).unwrap();
        let smuggled: String = inner.iter().map(|byte| char::from(*byte)).collect();
        encode(Kind::Final, &smuggled, &mut outer).unwrap();
        outer[HEAD + 2] ^= 1; // the outer frame is damaged, so the scan looks inside
        assert_eq!(scan(&outer).collect::<Vec<_>>(), [Found::Damaged { at: 0, bytes: outer.len() }]);
    }
}
