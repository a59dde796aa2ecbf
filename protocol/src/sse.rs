//! Server-sent events: bytes in, events out, the same for every cut of the bytes (I-26).
//!
//! Lines end in LF, CRLF or CR. A line that lies within a chunk is used where it lies; one that is
//! cut goes through a small machine that remembers where in the line it stands:
//!
//! ```text
//! Fresh --any byte--> Field --colon--> Blank --blank or not--> Value --line end--> Fresh
//! ```
//!
//! Invariants
//! - An event depends on its bytes only, not on where chunks ended.
//! - Memory stays within [`MAX_EVENT_BYTES`] and a little: of a longer event, head and tail are
//!   kept (I-29). Lines that are not data are never kept at all.

use memchr::{memchr, memchr2};

pub use crate::gather::Data;
use crate::gather::Gather;

/// The longest event data that is kept whole.
pub const MAX_EVENT_BYTES: usize = 128 * 1024;

/// Event names are short words; of a longer one this much is looked at.
const MAX_NAME_BYTES: usize = 64;

/// Field names longer than this are none we know, byte order mark included.
const MAX_FIELD_BYTES: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event that carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The name from its `event` line; empty if it has none.
    pub name: &'a [u8],
    /// Its data, lines joined by LF.
    pub data: Data<'a>,
}

/// Reads events out of chunks.
#[derive(Debug)]
pub struct Framer {
    line: Line,
    field: Vec<u8>,
    first_line: bool,
    after_cr: bool,
    name: Vec<u8>,
    data: Gather,
    has_data: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Fresh,
    Field,
    Blank(Field),
    Value(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Data,
    Name,
    Other,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A reader at the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: Line::Fresh,
            field: Vec::new(),
            first_line: true,
            after_cr: false,
            name: Vec::new(),
            data: Gather::new(MAX_EVENT_BYTES),
            has_data: false,
        }
    }

    /// Takes in a chunk, and gives out every event that ends in it.
    pub fn push(&mut self, chunk: &[u8], mut sink: impl FnMut(Event<'_>)) {
        let mut rest = chunk;
        // What this chunk holds of the event under way and nobody has copied yet.
        let mut name: Option<&[u8]> = None;
        let mut data: Option<&[u8]> = None;
        loop {
            if self.after_cr {
                match rest.first() {
                    None => break,
                    Some(b'\n') => rest = &rest[1..],
                    Some(_) => {}
                }
                self.after_cr = false;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else { break };
            let line = &rest[..end];
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];

            if self.line != Line::Fresh {
                self.part_of_line(line);
                self.end_line();
                continue;
            }
            let line = self.without_mark(line);
            if line.is_empty() {
                self.dispatch(name.take(), data.take(), &mut sink);
                continue;
            }
            match whole_line(line) {
                (Field::Name, value) => name = Some(value),
                (Field::Data, value) if data.is_none() && !self.has_data => data = Some(value),
                (Field::Data, value) => {
                    self.keep(None, data.take());
                    self.keep(None, Some(value));
                }
                (Field::Other, _) => {}
            }
        }
        self.keep(name, data);
        if !rest.is_empty() {
            self.part_of_line(rest);
        }
    }

    /// The stream is over. What stands at its end counts as an event even without the blank line:
    /// vendors have been seen to leave it out behind their end mark.
    pub fn finish(&mut self, mut sink: impl FnMut(Event<'_>)) {
        if self.line != Line::Fresh {
            self.end_line();
        }
        self.dispatch(None, None, &mut sink);
    }

    /// Whether the bytes so far end between two events, so that another may be written.
    #[must_use]
    pub fn between_events(&self) -> bool {
        self.line == Line::Fresh && !self.has_data && self.name.is_empty()
    }

    fn dispatch(&mut self, name: Option<&[u8]>, data: Option<&[u8]>, sink: &mut impl FnMut(Event<'_>)) {
        let name = name.map_or(self.name.as_slice(), clipped);
        if let Some(data) = data {
            sink(Event { name, data: Data::of(data, MAX_EVENT_BYTES) });
        } else if self.has_data {
            sink(Event { name, data: self.data.view() });
            self.data.clear();
        }
        self.name.clear();
        self.has_data = false;
    }

    /// Copies what the chunk holds of the event under way, since the chunk goes.
    fn keep(&mut self, name: Option<&[u8]>, data: Option<&[u8]>) {
        if let Some(name) = name {
            self.begin(Field::Name);
            self.value(Field::Name, name);
        }
        if let Some(data) = data {
            self.begin(Field::Data);
            self.value(Field::Data, data);
        }
    }

    fn begin(&mut self, field: Field) {
        match field {
            Field::Data if self.has_data => self.data.push(b"\n"),
            Field::Data => self.has_data = true,
            Field::Name => self.name.clear(),
            Field::Other => {}
        }
    }

    fn value(&mut self, field: Field, bytes: &[u8]) {
        match field {
            Field::Data => self.data.push(bytes),
            Field::Name => {
                let room = MAX_NAME_BYTES - self.name.len();
                self.name.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Field::Other => {}
        }
    }

    /// Takes in part of a line that a chunk's end has cut.
    fn part_of_line(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            match self.line {
                Line::Fresh => self.line = Line::Field,
                Line::Field => {
                    let colon = memchr(b':', bytes);
                    let name = &bytes[..colon.unwrap_or(bytes.len())];
                    let room = (MAX_FIELD_BYTES + 1) - self.field.len();
                    self.field.extend_from_slice(&name[..name.len().min(room)]);
                    if let Some(colon) = colon {
                        let field = self.field_of_name();
                        self.begin(field);
                        self.line = Line::Blank(field);
                        bytes = &bytes[colon + 1..];
                    } else if self.field.len() > MAX_FIELD_BYTES {
                        self.line = Line::Value(Field::Other);
                    } else {
                        bytes = &[];
                    }
                }
                Line::Blank(field) => {
                    if first == b' ' {
                        bytes = &bytes[1..];
                    }
                    self.line = Line::Value(field);
                }
                Line::Value(field) => {
                    self.value(field, bytes);
                    bytes = &[];
                }
            }
        }
    }

    fn end_line(&mut self) {
        if self.line == Line::Field {
            // A name without a colon is a field with an empty value.
            let field = self.field_of_name();
            self.begin(field);
        }
        self.line = Line::Fresh;
        self.field.clear();
        self.first_line = false;
    }

    fn field_of_name(&self) -> Field {
        let name = self.field.as_slice();
        match if self.first_line { name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name) } else { name } {
            b"data" => Field::Data,
            b"event" => Field::Name,
            _ => Field::Other,
        }
    }

    fn without_mark<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.first_line) {
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        } else {
            line
        }
    }
}

fn clipped(name: &[u8]) -> &[u8] {
    &name[..name.len().min(MAX_NAME_BYTES)]
}

fn whole_line(line: &[u8]) -> (Field, &[u8]) {
    let (field, value) = if let Some(value) = line.strip_prefix(b"data:") {
        (Field::Data, value)
    } else if let Some(value) = line.strip_prefix(b"event:") {
        (Field::Name, value)
    } else if line == b"data" {
        (Field::Data, &line[4..])
    } else if line == b"event" {
        (Field::Name, &line[5..])
    } else {
        (Field::Other, line)
    };
    (field, value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I-29: whatever an upstream sends without an end, in whatever place of an event.
    #[test]
    fn i29_no_line_and_no_event_makes_the_reader_grow() {
        let endless: [(&[u8], &[u8]); 6] = [
            (b"data: ", b"xxxxxxxx"),
            (b"", b"data: x\n"),
            (b": ", b"xxxxxxxx"),
            (b"event: ", b"xxxxxxxx"),
            (b"", b"xxxxxxxx"),
            (b"data: {}\n", b"event: x\rid: y\r\n"),
        ];
        for (start, repeated) in endless {
            for size in [1000, 65_536] {
                let mut framer = Framer::new();
                framer.push(start, |_| {});
                let chunk = repeated.repeat(size / repeated.len());
                for _ in 0..2 * 1024 * 1024 / chunk.len() {
                    framer.push(&chunk, |_| {});
                    let held = framer.data.held() + framer.name.capacity() + framer.field.capacity();
                    assert!(held <= MAX_EVENT_BYTES + 1024, "{held} bytes held");
                }
            }
        }
    }

    #[test]
    fn the_memory_of_a_long_event_is_given_back_after_it() {
        let mut framer = Framer::new();
        framer.push(b"data: ", |_| {});
        framer.push(&vec![b'x'; MAX_EVENT_BYTES], |_| {});
        framer.push(b"\n\n", |_| {});
        assert!(framer.data.held() <= 8 * 1024);
    }
}
