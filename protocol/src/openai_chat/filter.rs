//! Takes out of a stream what our asking for usage put into it, for callers who had not asked: the
//! extra chunk with the usage, and the `"usage":null` members of all others. Every other byte
//! stays.
//!
//! The stream is cut into blocks (up to and with the blank line); a block is looked at when it is
//! whole, and passed as soon as it is. Invariants
//! - The output depends on the bytes, not on how they were cut (I-26).
//! - A block beyond [`MAX_BLOCK_BYTES`] passes untouched, and unheld from there on (I-29).

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::scan::end_of_string;

/// Blocks longer than this are not looked at: a usage chunk has a few hundred bytes.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));

/// Where vendors put it. What stands before the last brace of a document is on its top level.
const NULL_AT_END: &[u8] = b",\"usage\":null}";

/// The filter, between upstream and caller.
#[derive(Debug, Default)]
pub struct UsageFilter {
    /// What earlier chunks held of the block under way.
    held: Vec<u8>,
    /// The line under way has bytes already.
    in_line: bool,
    /// The last line ended in CR, so that an LF may still belong to it.
    after_cr: bool,
    /// That line was the blank one.
    ending: bool,
    /// The block under way is too long and partly passed on.
    passing: bool,
}

impl UsageFilter {
    /// A filter at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a chunk and adds to `out` what may go on.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut start = 0;
        let mut at = 0;
        loop {
            if self.after_cr && at < chunk.len() {
                at += usize::from(chunk[at] == b'\n');
                self.after_cr = false;
                if std::mem::take(&mut self.ending) {
                    self.end_block(&chunk[start..at], out);
                    start = at;
                }
            }
            let Some(found) = memchr2(b'\n', b'\r', &chunk[at..]) else { break };
            let in_line = std::mem::take(&mut self.in_line);
            let blank = found == 0 && !in_line;
            at += found + 1;
            if chunk[at - 1] == b'\r' {
                self.after_cr = true;
                self.ending = blank;
            } else if blank {
                self.end_block(&chunk[start..at], out);
                start = at;
            }
        }
        self.in_line |= at < chunk.len();
        self.hold(&chunk[start..], out);
    }

    /// The stream is over: what is held goes on, unless it is the usage chunk.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_block(&[], out);
    }

    /// Whether the caller has got whole events only, so that another may be written.
    #[must_use]
    pub fn between_events(&self) -> bool {
        !self.passing
    }

    fn hold(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        if !self.passing && self.held.len() + rest.len() <= MAX_BLOCK_BYTES {
            self.held.extend_from_slice(rest);
            return;
        }
        self.passing = true;
        out.extend_from_slice(&std::mem::take(&mut self.held));
        out.extend_from_slice(rest);
    }

    fn end_block(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        if std::mem::take(&mut self.passing) {
            out.extend_from_slice(rest);
        } else if self.held.is_empty() {
            filtered(rest, out);
        } else if self.held.len() + rest.len() > MAX_BLOCK_BYTES {
            out.extend_from_slice(&std::mem::take(&mut self.held));
            out.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(rest);
            filtered(&self.held, out);
            self.held.clear();
        }
    }
}

/// Adds a whole block to `out`, without what our asking put into it.
fn filtered(block: &[u8], out: &mut Vec<u8>) {
    let gap = if block.len() > MAX_BLOCK_BYTES { None } else { gap_in(block) };
    let gap = gap.unwrap_or(0..0);
    out.extend_from_slice(&block[..gap.start]);
    out.extend_from_slice(&block[gap.end..]);
}

/// The bytes of a block to leave out.
fn gap_in(block: &[u8]) -> Option<Range<usize>> {
    USAGE.find(block)?;
    let line = data_line(block)?;
    let inside = line.start + b"data:".len()..line.end;
    let json = &block[inside.clone()];
    if !json.trim_ascii_end().ends_with(NULL_AT_END) && is_usage_chunk(json) {
        let alone = block[..line.start].iter().chain(&block[line.end..]).all(|byte| b"\r\n".contains(byte));
        // Beside comments only the data line goes; its line end then closes the block.
        return Some(if alone { 0..block.len() } else { line });
    }
    let member = null_usage(json)?;
    Some(inside.start + member.start..inside.start + member.end)
}

/// The only data line of a block, without its line end. Data over several lines is left alone.
fn data_line(block: &[u8]) -> Option<Range<usize>> {
    let mut only = None;
    let mut start = 0;
    while start < block.len() {
        let end = memchr2(b'\n', b'\r', &block[start..]).map_or(block.len(), |found| start + found);
        if block[start..end].starts_with(b"data:") && only.replace(start..end).is_some() {
            return None;
        }
        start = end + 1;
    }
    only
}

/// The chunk that only carries usage: no choices, and the counts.
fn is_usage_chunk(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Vec<IgnoredAny>,
        #[expect(dead_code, reason = "only its type is of interest")]
        usage: Counts,
    }
    /// Any object.
    #[derive(Deserialize)]
    struct Counts {}

    serde_json::from_slice::<Chunk>(json).is_ok_and(|chunk| chunk.choices.is_empty())
}

/// Where the top level holds `"usage":null`, with the comma that joins it.
fn null_usage(json: &[u8]) -> Option<Range<usize>> {
    let end = json.trim_ascii_end();
    if end.ends_with(NULL_AT_END) {
        return Some(end.len() - NULL_AT_END.len()..end.len() - 1);
    }
    let mut depth = 0_usize;
    let mut comma = None;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => comma = Some(at - 1),
            b'"' => {
                let start = at - 1;
                at = end_of_string(json, at);
                if depth == 1 && &json[start..at] == b"\"usage\"" {
                    let colon = at + blanks(&json[at..]);
                    if json.get(colon) != Some(&b':') {
                        continue;
                    }
                    let value = colon + 1 + blanks(&json[colon + 1..]);
                    if !json[value..].starts_with(b"null") {
                        return None;
                    }
                    let end = value + b"null".len();
                    let behind = end + blanks(&json[end..]);
                    return Some(match comma {
                        Some(comma) => comma..end,
                        None if json.get(behind) == Some(&b',') => start..behind + 1,
                        None => start..end,
                    });
                }
            }
            _ => {}
        }
    }
    None
}

fn blanks(json: &[u8]) -> usize {
    json.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i29_no_block_makes_the_filter_grow() {
        for repeated in [&b"xxxxxxxx"[..], b"data: x\n", b": x\r\r\n"] {
            for size in [999, 65_536, 1 << 20] {
                let mut filter = UsageFilter::new();
                let chunk = repeated.repeat(size / repeated.len());
                let mut passed = 0;
                for round in 1..=8 {
                    let mut out = Vec::new();
                    filter.push(&chunk, &mut out);
                    passed += out.len();
                    assert!(filter.held.capacity() <= 2 * MAX_BLOCK_BYTES);
                    assert!(round * chunk.len() - passed <= MAX_BLOCK_BYTES, "bytes are withheld");
                }
            }
        }
    }

    #[test]
    fn the_null_member_goes_with_one_comma_wherever_it_stands() {
        let without = |json: &str| {
            let mut out = Vec::new();
            filtered(format!("data: {json}\n\n").as_bytes(), &mut out);
            String::from_utf8(out).unwrap().trim().trim_start_matches("data: ").to_owned()
        };
        assert_eq!(without(r#"{"a":1,"usage":null}"#), r#"{"a":1}"#);
        assert_eq!(without(r#"{"usage":null,"a":1}"#), r#"{"a":1}"#);
        assert_eq!(without(r#"{"a":1, "usage" : null , "b":2}"#), r#"{"a":1 , "b":2}"#);
        assert_eq!(without(r#"{"usage":null}"#), "{}");
        for kept in [
            r#"{"a":{"usage":null}}"#,
            r#"{"a":""usage":null"}"#,
            r#"{"usage":{"prompt_tokens":1},"choices":[{}]}"#,
            r#"{"a":["usage",null]}"#,
            r#"{"usage":nul"#,
        ] {
            assert_eq!(without(kept), kept);
        }
    }

    #[test]
    fn a_comment_beside_the_usage_chunk_stays() {
        let block = b": still here\ndata: {\"choices\":[],\"usage\":{}}\n\n";
        let mut out = Vec::new();
        filtered(block, &mut out);
        assert_eq!(out, b": still here\n\n\n");
    }
}
