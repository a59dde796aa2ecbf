//! The pid file: tells `pointsman drain` whom to signal. It is locked as long as the server lives, so that a
//! number that another process has got since is never taken for the server's.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process,
};

/// What it is called in the data directory.
const FILE_NAME: &str = "pointsman.pid";

/// The file of the server that runs; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Writes our number; none when another server has the directory.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn take(data_dir: &Path) -> io::Result<Option<Self>> {
        let path = data_dir.join(FILE_NAME);
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        writeln!(file, "{}", process::id())?;
        Ok(Some(Self { path, _locked: file }))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // One that stays is not locked, and so means nothing.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes our number, if that can be done: without it the server can still be told to stop, only not by its data
/// directory.
pub(super) fn leave(data_dir: &Path) -> Option<PidFile> {
    match PidFile::take(data_dir) {
        Ok(Some(file)) => return Some(file),
        Ok(None) => log::warn!("no pid file: another server uses the same data directory"),
        Err(error) => log::warn!("no pid file: {error}"),
    }
    None
}

/// The server that runs with that data directory, if one does.
///
/// # Errors
/// When the file is there and can't be read.
pub fn running(data_dir: &Path) -> io::Result<Option<u32>> {
    let mut file = match File::open(data_dir.join(FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let malformed = |_| io::Error::other(format!("{FILE_NAME} holds no number"));
    text.trim().parse().map(Some).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_only_as_long_as_its_server_lives() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(running(home.path()).unwrap(), None);
        let ours = PidFile::take(home.path()).unwrap().unwrap();
        assert_eq!(running(home.path()).unwrap(), Some(process::id()));
        assert!(PidFile::take(home.path()).unwrap().is_none(), "the directory is taken");
        drop(ours);
        assert_eq!(running(home.path()).unwrap(), None);
        fs::write(home.path().join(FILE_NAME), "1\n").unwrap();
        assert_eq!(running(home.path()).unwrap(), None, "what a dead server left means nothing");
    }
}
