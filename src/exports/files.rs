//! Where exports lie: a directory of their own, emptied at the start, that only its owner may look into.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors::{exports::shelf::FileFormat, ids::ExportId};
use tempfile::NamedTempFile;

use crate::config::data_dir;

/// What it is called in the data directory.
const FOLDER: &str = "exports";
/// What must stay free on the disk for everybody else.
const SPARE_BYTES: u64 = 256 << 20;

/// The directory.
#[derive(Debug, Clone)]
pub struct Files(Arc<Path>);

impl Files {
    /// Makes the directory. What lies in it is of a process that is gone, and so is whoever could fetch it.
    ///
    /// # Errors
    /// When it can't be made or emptied.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let directory = data_dir.join(FOLDER);
        data_dir::make(&directory)?;
        for left in fs::read_dir(&directory)? {
            fs::remove_file(left?.path())?;
        }
        Ok(Self(directory.into()))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    /// A file that goes by itself unless it is kept. Only its owner may read it.
    pub(super) fn begin(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.0)
    }

    /// Gives it its name.
    pub(super) fn keep(&self, file: NamedTempFile, id: ExportId, format: FileFormat) -> io::Result<()> {
        file.persist(self.path(id, format)).map_err(|failed| failed.error)?;
        Ok(())
    }

    /// Where that one is, or will be.
    pub(super) fn path(&self, id: ExportId, format: FileFormat) -> PathBuf {
        self.0.join(format!("{id}.{}", format.name()))
    }

    /// Removes it, if it is there.
    pub(super) fn remove(&self, id: ExportId, format: FileFormat) {
        match fs::remove_file(self.path(id, format)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("export {id} is still there: {error}");
            }
            _ => {}
        }
    }

    /// Whether the disk has room for more than what is already on it.
    pub(super) fn has_room(&self) -> io::Result<bool> {
        let disk = rustix::fs::statvfs(&*self.0)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) > SPARE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn only_what_is_whole_stays_and_nothing_does_beyond_a_start() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::open(home.path()).unwrap();
        let list = || fs::read_dir(home.path().join(FOLDER)).unwrap().count();
        let mut broken_off = files.begin().unwrap();
        broken_off.write_all(b"half").unwrap();
        let mode = broken_off.as_file().metadata().unwrap().permissions().mode();
        assert_eq!((mode & 0o777, list()), (0o600, 1));
        drop(broken_off);
        assert_eq!(list(), 0);
        let id = ExportId::new();
        files.keep(files.begin().unwrap(), id, FileFormat::Csv).unwrap();
        files.remove(ExportId::new(), FileFormat::Csv);
        files.remove(id, FileFormat::Xlsx);
        assert_eq!(list(), 1);
        // Killed, with one whole and one half.
        files.begin().unwrap().keep().unwrap();
        Files::open(home.path()).unwrap();
        assert_eq!(list(), 0);
    }
}
