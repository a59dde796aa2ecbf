//! Bytes gathered across chunks under a bound: all of them up to it, beyond it the head and the
//! tail only. Usage and end marks stand at the tail, whatever megabytes of text come before.

use serde::Deserialize;

/// What is kept of the start of something too long.
const HEAD_BYTES: usize = 4 * 1024;

/// What is kept of its end.
const TAIL_BYTES: usize = 16 * 1024;

/// An event's data, or as much of it as is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// Longer than the reader keeps: its first and last bytes.
    Giant {
        /// The first 4 KiB.
        head: &'a [u8],
        /// The last 16 KiB.
        tail: &'a [u8],
    },
}

impl<'a> Data<'a> {
    /// Bytes that lie together in a chunk, cut down if they are beyond the bound.
    pub(crate) fn of(bytes: &'a [u8], bound: usize) -> Self {
        if bytes.len() <= bound {
            Self::Whole(bytes)
        } else {
            Self::Giant { head: &bytes[..HEAD_BYTES], tail: &bytes[bytes.len() - TAIL_BYTES..] }
        }
    }

    /// The first bytes, at least enough for the type and the small fields.
    #[must_use]
    pub fn head(&self) -> &'a [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Giant { head, .. } => head,
        }
    }
}

/// Gathers bytes under a bound. Invariant: what [`view`](Self::view) shows depends on the bytes
/// taken in, never on how they were cut.
#[derive(Debug)]
pub(crate) struct Gather {
    bytes: Vec<u8>,
    total: u64,
    bound: usize,
}

impl Gather {
    pub(crate) const fn new(bound: usize) -> Self {
        assert!(bound >= HEAD_BYTES + 2 * TAIL_BYTES);
        Self { bytes: Vec::new(), total: 0, bound }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if !self.is_giant() {
            self.make_room(bytes.len());
            self.bytes.extend_from_slice(bytes);
            return;
        }
        let (head, rest) = bytes.split_at(HEAD_BYTES.saturating_sub(self.bytes.len()).min(bytes.len()));
        self.bytes.extend_from_slice(head);
        if rest.len() >= TAIL_BYTES {
            self.bytes.truncate(HEAD_BYTES);
            self.bytes.extend_from_slice(&rest[rest.len() - TAIL_BYTES..]);
            return;
        }
        // Room is made before bytes are added, and only now and then: draining moves the tail.
        if self.bytes.len() + rest.len() > HEAD_BYTES + 2 * TAIL_BYTES {
            let kept = self.bytes.len() - (TAIL_BYTES - rest.len());
            self.bytes.drain(HEAD_BYTES..kept.max(HEAD_BYTES));
        }
        self.bytes.extend_from_slice(rest);
    }

    /// Grows by doubling, as a vector does by itself, but never beyond the bound.
    fn make_room(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let target = needed.max(2 * self.bytes.capacity()).min(self.bound);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
    }

    /// Memory held at the moment.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn is_giant(&self) -> bool {
        self.total > self.bound as u64
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn view(&self) -> Data<'_> {
        if self.is_giant() {
            let tail = self.bytes.len() - TAIL_BYTES;
            Data::Giant { head: &self.bytes[..HEAD_BYTES], tail: &self.bytes[tail..] }
        } else {
            Data::Whole(&self.bytes)
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        // A stream lives for minutes; one long event must not cost its memory until the end.
        self.bytes.shrink_to(HEAD_BYTES);
        self.total = 0;
    }
}

/// The last object under `key` (given with quotes) in the tail of a document. Inside strings
/// quotes are escaped, so text that merely looks like the key does not match.
pub(crate) fn last_object<'a, T: Deserialize<'a>>(tail: &'a [u8], key: &[u8]) -> Option<T> {
    let behind = memchr::memmem::rfind(tail, key)? + key.len();
    let colon = behind + tail[behind..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    if tail[colon] != b':' {
        return None;
    }
    serde_json::Deserializer::from_slice(&tail[colon + 1..]).into_iter().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_of_something_giant_does_not_depend_on_the_cuts() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 7, 4095, 4096, 16_384, 40_000, 100_000] {
            let mut gather = Gather::new(50_000);
            bytes.chunks(size).for_each(|chunk| gather.push(chunk));
            assert_eq!(gather.view(), Data::of(&bytes, 50_000), "chunks of {size}");
            assert!(gather.held() <= 60_000, "{}", gather.held());
        }
    }

    #[test]
    fn the_last_object_is_found_behind_text_that_looks_like_it() {
        let tail = br#"aa","x":"\"usage\":{","usage" : {"n":7},"z":1}"#;
        let found: Option<serde_json::Value> = last_object(tail, b"\"usage\"");
        assert_eq!(found, Some(serde_json::json!({"n": 7})));
    }
}
