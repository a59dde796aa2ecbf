//! How a journal is kept, where it is, and why there may be none.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the journal's directory is called.
pub(super) const FOLDER: &str = "journal";
/// What holds other processes off.
const LOCK_FILE: &str = "lock";

/// When what was written is made to outlast a power cut. The death of the process loses nothing either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Whenever the system thinks fit.
    Off,
    /// At most so long after it was written.
    Every(Duration),
    /// Before the first byte goes to an upstream.
    Always,
}

/// How a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Where the journal's folder is.
    pub data_dir: PathBuf,
    /// The bound on all of its files; new work is refused from nine tenths of it on.
    pub max_bytes: u64,
    /// When it is made to outlast a power cut.
    pub sync: Sync,
    /// How many rows a second the database gets beyond what comes in, while it catches up after an outage.
    pub drain_rows_per_s: u32,
}

impl JournalSettings {
    /// The usual settings for a journal in `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            max_bytes: 1 << 30,
            sync: Sync::Every(Duration::from_millis(50)),
            drain_rows_per_s: 5_000,
        }
    }
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Two processes would write over each other's frames.
    #[error("{} is used by another process of ours; give each its own data_dir", .0.display())]
    InUse(PathBuf),
    /// The files can't be read or made.
    #[error("{}: {cause}", directory.display())]
    Files {
        /// The journal's folder.
        directory: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// New work can't be written down, so it must not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal has no room")]
pub struct NoRoom;

/// Holds other processes off, as long as what is returned exists.
pub(super) fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join(LOCK_FILE);
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(|cause| JournalError::Files { directory: directory.to_owned(), cause })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(directory.to_owned())),
        Err(TryLockError::Error(cause)) => {
            Err(JournalError::Files { directory: directory.to_owned(), cause })
        }
    }
}
