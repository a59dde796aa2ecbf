//! Where records go that the database refuses: one JSON line each, as in the journal, so that nothing
//! is lost and an operator can look at them, mend them, and put them in by hand.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::record::Record;

/// What the file in the data directory is called.
pub const FILE_NAME: &str = "quarantine.ndjson";

/// The file of refused records.
#[derive(Debug, Clone)]
pub struct Quarantine {
    path: PathBuf,
}

impl Quarantine {
    /// The quarantine in the data directory. The file is made with the first record.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE_NAME) }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one record with the reason. The line is on disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_aside(&self, record: &Record, reason: &str) -> io::Result<()> {
        let mut line = json!({ "reason": reason, "record": record }).to_string();
        line.push('\n');
        let mut file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}
