//! The chunked coding, byte by byte, strictly: a checker that lets data pass and keeps nothing.
//!
//! ```text
//! Size -> [Extension ->] SizeLf --n--> Data -> DataCr -> DataLf -> Size
//!                          `---0--> Line -> [Trailer -> TrailerLf -> Line]* -> EndLf -> done
//! ```
//! Invariants
//! - How the bytes are cut changes neither what is accepted nor where the end is.
//! - Whatever is accepted here, awc's own decoder accepts with the same end.
//! - Size lines and trailers are bounded.

use super::fault::Malformed;

/// A size line longer than this, extensions included, is nobody's honest work.
const MAX_SIZE_LINE: u16 = 1024;
/// All trailer lines together.
const MAX_TRAILER: u16 = 8 * 1024;

/// Where in the coding we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Reading hexadecimal digits.
    Size {
        digits: u8,
        size: u64,
    },
    /// Blanks or an extension after the size, `used` bytes so far.
    Extension {
        size: u64,
        used: u16,
        named: bool,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk.
    Line {
        used: u16,
    },
    Trailer {
        used: u16,
        named: bool,
    },
    TrailerLf {
        used: u16,
    },
    EndLf,
}

/// What a run of bytes led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
    Broken(Malformed),
}

impl Chunks {
    /// Before the first chunk.
    pub(super) const START: Self = Self::Size { digits: 0, size: 0 };

    /// Goes through `input`; returns how many bytes of it belong to the body and what they led to.
    pub(super) fn take(&mut self, input: &[u8]) -> (usize, Progress) {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if let Self::Data { left } = self {
                let run = (input.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                at += run;
                *left -= run as u64;
                if *left == 0 {
                    *self = Self::DataCr;
                }
                continue;
            }
            match self.after(byte) {
                Ok(Some(next)) => *self = next,
                Ok(None) => return (at + 1, Progress::Done),
                Err(malformed) => return (at, Progress::Broken(malformed)),
            }
            at += 1;
        }
        (at, Progress::More)
    }

    /// The state after one byte outside of chunk data; none when that byte was the last of the body.
    fn after(self, byte: u8) -> Result<Option<Self>, Malformed> {
        Ok(Some(match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == 16 {
                    return Err(Malformed::ChunkSize); // would not fit 64 bits
                }
                let digit = char::from(byte).to_digit(16).ok_or(Malformed::ChunkSize)?;
                Self::Size { digits: digits + 1, size: (size << 4) | u64::from(digit) }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Malformed::ChunkSize),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => Self::SizeLf { size },
            (Self::Size { size, .. }, b' ' | b'\t') => Self::Extension { size, used: 1, named: false },
            (Self::Size { size, .. }, b';') => Self::Extension { size, used: 1, named: true },
            (Self::Extension { size, used, named }, _) => {
                // Only blanks before the semicolon, only visible bytes after it.
                let fits = if named { visible(byte) } else { matches!(byte, b' ' | b'\t' | b';') };
                if !fits || used == MAX_SIZE_LINE {
                    return Err(Malformed::ChunkSize);
                }
                Self::Extension { size, used: used + 1, named: named || byte == b';' }
            }
            (Self::SizeLf { size: 0 }, b'\n') => Self::Line { used: 0 },
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::Size { .. } | Self::SizeLf { .. }, _) => return Err(Malformed::ChunkSize),

            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::Data { .. } | Self::DataCr | Self::DataLf, _) => return Err(Malformed::ChunkEnd),

            (Self::Line { .. }, b'\r') => Self::EndLf,
            // A line that starts with a blank would be a folded header, that is, an ambiguous one.
            (Self::Line { used }, b'!'..=b'~') if byte != b':' && used < MAX_TRAILER => {
                Self::Trailer { used: used + 1, named: false }
            }
            (Self::Trailer { used, named: true }, b'\r') => Self::TrailerLf { used },
            (Self::Trailer { used, named }, _) if visible(byte) && used < MAX_TRAILER => {
                Self::Trailer { used: used + 1, named: named || byte == b':' }
            }
            (Self::TrailerLf { used }, b'\n') => Self::Line { used },
            (Self::EndLf, b'\n') => return Ok(None),
            (Self::Line { .. } | Self::Trailer { .. } | Self::TrailerLf { .. } | Self::EndLf, _) => {
                return Err(Malformed::Trailer);
            }
        }))
    }
}

const fn visible(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::{Chunks, Malformed, Progress};

    fn check(input: &str, passed: usize, progress: Progress) {
        let mut chunks = Chunks::START;
        assert_eq!(chunks.take(input.as_bytes()), (passed, progress), "{input:?}");
    }

    #[test]
    fn well_formed_bodies_end_where_they_end() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "05\r\nhello\r\n00\r\n\r\n",
            "A\r\n0123456789\r\n0\r\n\r\n",
            "5;name=\"v\"\r\nhello\r\n0;x\r\n\r\n",
            "5  \r\nhello\r\n0 \t;x\r\n\r\n",
            "0\r\nx-sum: 1\r\ny:\r\n\r\n",
        ] {
            check(body, body.len(), Progress::Done);
            check(&format!("{body}HTTP/1.1"), body.len(), Progress::Done);
        }
    }

    #[test]
    fn ambiguous_bodies_stop_at_the_offending_byte() {
        use Malformed::*;
        for (body, passed, malformed) in [
            ("\r\n", 0, ChunkSize),
            ("x\r\n", 0, ChunkSize),
            ("+5\r\n", 0, ChunkSize),
            ("-1\r\n", 0, ChunkSize),
            (" 5\r\n", 0, ChunkSize),
            (";\r\n", 0, ChunkSize),
            ("5\n", 1, ChunkSize),
            ("5\rx", 2, ChunkSize),
            ("5 5\r\n", 2, ChunkSize),
            ("0x5\r\n", 1, ChunkSize),
            ("5;a\nb", 3, ChunkSize),
            ("11111111111111111\r\n", 16, ChunkSize),
            ("1\r\nab", 4, ChunkEnd),
            ("1\r\na\rb", 5, ChunkEnd),
            ("0\r\n folded\r\n\r\n", 3, Trailer),
            ("0\r\n: empty name\r\n\r\n", 3, Trailer),
            ("0\r\nno colon\r\n\r\n", 11, Trailer),
            ("0\r\na: b\n\r\n", 7, Trailer),
            ("0\r\n\rx", 4, Trailer),
        ] {
            check(body, passed, Progress::Broken(malformed));
        }
    }

    #[test]
    fn size_lines_and_trailers_are_bounded() {
        let long = "x".repeat(20_000);
        check(&format!("5;{long}"), 1025, Progress::Broken(Malformed::ChunkSize));
        check(&format!("0\r\na:{long}"), 3 + 8192, Progress::Broken(Malformed::Trailer));
        let many = "a:b\r\n".repeat(10_000);
        let mut chunks = Chunks::START;
        assert!(matches!(chunks.take(format!("0\r\n{many}").as_bytes()).1, Progress::Broken(_)));
    }
}
