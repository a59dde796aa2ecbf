//! A JSON array that grows: bytes in, elements out, the same for every cut of the bytes.
//!
//! This is how Gemini streams without `alt=sse`. A body that starts with an object instead (an
//! error, as a rule) gives that object as its only element.

use memchr::memchr2;

use crate::gather::{Data, Gather};
use crate::sse::MAX_EVENT_BYTES;

/// Reads elements out of chunks.
#[derive(Debug)]
pub struct Splitter {
    element: Gather,
    /// Brackets open inside the element; 0 between elements.
    depth: u32,
    in_string: bool,
    escaped: bool,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    /// A lone object is not in an array, so that no bracket will close it.
    Lone,
    Closed,
    /// Something that is no array of objects: nothing behind it can be read.
    Garbage,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// A reader at the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            element: Gather::new(MAX_EVENT_BYTES),
            depth: 0,
            in_string: false,
            escaped: false,
            place: Place::Before,
        }
    }

    /// Takes in a chunk, and gives out every element that ends in it.
    pub fn push(&mut self, chunk: &[u8], mut sink: impl FnMut(Data<'_>)) {
        let mut at = 0;
        let mut start = 0;
        while at < chunk.len() {
            if self.in_string {
                at = self.through_string(chunk, at);
                continue;
            }
            let byte = chunk[at];
            at += 1;
            if self.depth == 0 {
                start = at - 1;
                self.between(byte);
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        if self.element.total() == 0 {
                            sink(Data::of(&chunk[start..at], MAX_EVENT_BYTES));
                        } else {
                            self.element.push(&chunk[start..at]);
                            sink(self.element.view());
                            self.element.clear();
                        }
                        if self.place == Place::Lone {
                            self.place = Place::Closed;
                        }
                    }
                }
                _ => {}
            }
        }
        if self.depth > 0 {
            self.element.push(&chunk[start..]);
        }
    }

    /// Whether the array has come to its closing bracket.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    /// Whether this is no array of objects.
    #[must_use]
    pub fn is_garbage(&self) -> bool {
        self.place == Place::Garbage
    }

    /// Whether another element may be written where the bytes so far end.
    #[must_use]
    pub fn between_elements(&self) -> bool {
        self.place == Place::Inside && self.depth == 0
    }

    fn between(&mut self, byte: u8) {
        match (self.place, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') | (Place::Inside, b',') | (Place::Garbage, _) => {}
            (Place::Before, b'[') => self.place = Place::Inside,
            (Place::Before, b'{') => {
                self.place = Place::Lone;
                self.depth = 1;
            }
            (Place::Inside, b'{') => self.depth = 1,
            (Place::Inside, b']') => self.place = Place::Closed,
            (Place::Before | Place::Inside | Place::Lone | Place::Closed, _) => self.place = Place::Garbage,
        }
    }

    /// Goes on inside a string to its end or the chunk's.
    fn through_string(&mut self, chunk: &[u8], mut at: usize) -> usize {
        if std::mem::take(&mut self.escaped) {
            return at + 1;
        }
        match memchr2(b'"', b'\\', &chunk[at..]) {
            None => chunk.len(),
            Some(found) => {
                at += found;
                if chunk[at] == b'"' {
                    self.in_string = false;
                } else {
                    self.escaped = true;
                }
                at + 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i29_no_element_makes_the_reader_grow() {
        let endless: [(&[u8], &[u8]); 4] =
            [(b"[{\"a\":\"", b"xxxx"), (b"[", b"    "), (b"", b"[[[["), (b"[{\"a\":", b"[[[[")];
        for (start, repeated) in endless {
            let mut splitter = Splitter::new();
            splitter.push(start, |_| {});
            for _ in 0..32 {
                splitter.push(&repeated.repeat(16_384), |_| {});
                assert!(splitter.element.held() <= MAX_EVENT_BYTES, "{} bytes held", splitter.element.held());
            }
        }
    }

    #[test]
    fn what_is_no_array_of_objects_is_garbage_and_a_lone_object_is_not() {
        let read = |text: &str| {
            let mut splitter = Splitter::new();
            let mut elements = 0;
            splitter.push(text.as_bytes(), |_| elements += 1);
            (elements, splitter.is_garbage(), splitter.is_closed())
        };
        assert_eq!(read("<html>"), (0, true, false));
        assert_eq!(read("[1]"), (0, true, false));
        assert_eq!(read("[[{}]]"), (0, true, false));
        assert_eq!(read("[{}] x"), (1, true, false));
        assert_eq!(read("\n{\"error\":{}}\n"), (1, false, true));
        assert_eq!(read("[]"), (0, false, true));
        assert_eq!(read(" "), (0, false, false));
    }
}
