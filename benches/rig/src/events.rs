//! Counts the events of a stream and reads the times written into them, however the bytes were cut.

use memchr::{memchr, memmem};

use crate::{clock::unix_micros, upstream::STAMP};

/// One stream as it arrives.
#[derive(Default)]
pub(crate) struct Events {
    /// Text deltas so far.
    pub(crate) deltas: u64,
    /// Whether the end mark came.
    pub(crate) ended: bool,
    carry: Vec<u8>,
}

impl Events {
    /// Takes the next bytes; hands each delta's delay, in microseconds, to `on_delta`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut on_delta: impl FnMut(u64)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            if self.carry.is_empty() {
                self.line(line, &mut on_delta);
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(line);
                self.line(&whole, &mut on_delta);
            }
            bytes = &rest[1..];
        }
        self.carry.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], on_delta: &mut impl FnMut(u64)) {
        if let Some(data) = line.strip_prefix(b"data: ") {
            if let Some(at) = memmem::find(data, STAMP) {
                let digits = &data[at + STAMP.len()..];
                let sent_us =
                    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |number: u64, digit| {
                        number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
                    });
                self.deltas += 1;
                on_delta(unix_micros().saturating_sub(sent_us));
            }
        } else if line == b"event: message_stop" {
            self.ended = true;
        }
    }
}
