//! The directory for files of ours: the SQLite database, the sealing key, the quarantine, exports.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::typed::{ConfigError, Knob, Typed};

pub(super) const KEY: &str = "data_dir";

pub(super) const KNOBS: &[Knob] = &[Knob::new(KEY, &["DATA_DIR"], Some("./data"))];

pub(super) fn meant(typed: &Typed) -> Result<PathBuf, ConfigError> {
    typed.read(KEY, |text| if text.is_empty() { Err("must not be empty") } else { Ok(PathBuf::from(text)) })
}

/// Makes a directory, and those above it, that only its owner may look into. One that exists is
/// left as it is.
///
/// # Errors
/// When the system does not let us.
pub fn make(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
