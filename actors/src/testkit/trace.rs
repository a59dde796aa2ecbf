//! What happened in one simulated run: a digest of every line, and the last lines themselves.

use std::{collections::VecDeque, hash::Hasher, time::Duration};

use siphasher::sip::SipHasher13;

/// Lines that are kept for reading; the digest covers all.
const TAIL: usize = 60;

/// The running record.
#[derive(Debug, Default)]
pub struct Trace {
    hasher: SipHasher13,
    lines: u64,
    tail: VecDeque<String>,
}

impl Trace {
    /// Adds one line.
    pub fn line(&mut self, at: Duration, what: &str) {
        let line = format!("{:>9} ms  {what}", at.as_millis());
        self.hasher.write(line.as_bytes());
        self.hasher.write_u8(b'\n');
        self.lines += 1;
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// Equal for two runs exactly when they did the same things at the same times in the same order.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many lines there were.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The last lines.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}
