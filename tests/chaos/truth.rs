//! What reached the upstream, by its own log: the truth that rows are held against.

use std::collections::BTreeSet;

use pointsman::demo::upstream::Running;

/// How far behind its number an entry may be noted, when many come at once.
const OUT_OF_ORDER: u64 = 64;

/// The first words of all prompts that were received.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) reached: BTreeSet<String>,
    read: u64,
}

impl Truth {
    /// Reads what has come since. The log remembers a thousand entries, so this must not wait too long.
    pub(crate) fn read_on(&mut self, upstream: &Running) {
        for entry in upstream.log(self.read.saturating_sub(OUT_OF_ORDER)) {
            self.read = self.read.max(entry.number);
            self.reached.extend(entry.prompt.split_whitespace().next().map(ToOwned::to_owned));
        }
    }
}
