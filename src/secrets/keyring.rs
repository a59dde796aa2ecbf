//! The sealing keys a server has: the one it seals with, and others whose blobs it opens as well (C-10).
//!
//! In the data directory `sealing.key` is the current one and `sealing.key.old`, where it is there, the one
//! before. A change makes the current key the old one and puts a new one in its place, each step durable before
//! the next, so whenever the process dies both files together hold every key that something may be sealed with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::sealing_key::{FILE_NAME, KeyError, SealingKey, with_draft};

/// What the file of the key before is called.
pub const OLD_FILE_NAME: &str = "sealing.key.old";

/// The sealing keys a server has.
#[derive(Debug, Clone)]
pub struct Keyring {
    /// The one it seals with.
    pub current: SealingKey,
    /// Those whose blobs it opens as well.
    pub also: Vec<SealingKey>,
}

/// Why the key in the data directory is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The key before is still there.
    #[error("{}: the key before is still there", path.display())]
    OldIsThere {
        /// Its file.
        path: PathBuf,
    },
    /// A file is not as it should be.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An unforeseen failure of ours.
    #[error("the change did not come to an end")]
    Died,
}

impl Keyring {
    /// These keys, none of them twice.
    #[must_use]
    pub fn new(current: SealingKey, also: impl IntoIterator<Item = SealingKey>) -> Self {
        let mut others: Vec<SealingKey> = Vec::new();
        for key in also {
            if key != current && !others.contains(&key) {
                others.push(key);
            }
        }
        Self { current, also: others }
    }

    /// Those in the data directory, where the current one is made if it has to be.
    ///
    /// # Errors
    /// When a file can be read by others, cannot be read or written, or holds no key.
    pub fn in_directory(directory: &Path) -> Result<Self, KeyError> {
        let current = SealingKey::in_directory(directory)?;
        let old = SealingKey::from_private_file(&directory.join(OLD_FILE_NAME))?;
        Ok(Self::new(current, old))
    }

    /// Puts a new key in the place of the one in the data directory, which becomes the old one, and gives both.
    ///
    /// # Errors
    /// When there is an old one already, or files cannot be read or written.
    pub fn change_in_directory(directory: &Path) -> Result<Self, ChangeError> {
        let (path, old) = (directory.join(FILE_NAME), directory.join(OLD_FILE_NAME));
        if !Self::in_directory(directory)?.also.is_empty() {
            return Err(ChangeError::OldIsThere { path: old });
        }
        let changed = with_draft(directory, |draft| {
            match fs::hard_link(&path, &old) {
                // Left by who died at this point: it is the same key.
                Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
                linked => linked?,
            }
            fs::File::open(directory)?.sync_all()?;
            fs::rename(draft, &path)
        });
        changed.map_err(|cause| KeyError::File { path, cause })?;
        Ok(Self::in_directory(directory)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: &str) -> SealingKey {
        SealingKey::parse(&byte.repeat(32)).unwrap()
    }

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn no_key_is_there_twice() {
        let ring = Keyring::new(key("11"), [key("22"), key("11"), key("22"), key("33")]);
        assert_eq!((ring.current, ring.also), (key("11"), vec![key("22"), key("33")]));
    }

    #[test]
    fn c10_a_change_keeps_the_key_before_until_somebody_takes_it_away() {
        let directory = tempfile::tempdir().unwrap();
        let first = Keyring::in_directory(directory.path()).unwrap();
        assert!(first.also.is_empty());
        let changed = Keyring::change_in_directory(directory.path()).unwrap();
        assert!(changed.current != first.current);
        assert_eq!(changed.also, [first.current]);
        let read = Keyring::in_directory(directory.path()).unwrap();
        assert_eq!((&read.current, &read.also), (&changed.current, &changed.also));
        assert_eq!(files(directory.path()), 2, "no draft is left behind");

        let again = Keyring::change_in_directory(directory.path());
        assert!(matches!(again, Err(ChangeError::OldIsThere { .. })), "{again:?}");
        let read = Keyring::in_directory(directory.path()).unwrap();
        assert_eq!(read.current, changed.current, "a refused change changes nothing");
        assert_eq!(files(directory.path()), 2);

        fs::remove_file(directory.path().join(OLD_FILE_NAME)).unwrap();
        let again = Keyring::change_in_directory(directory.path()).unwrap();
        assert_eq!(again.also, [changed.current]);
    }

    #[test]
    fn c10_a_change_goes_on_where_the_process_died_between_its_steps() {
        let directory = tempfile::tempdir().unwrap();
        let first = Keyring::in_directory(directory.path()).unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::hard_link(path(FILE_NAME), path(OLD_FILE_NAME)).unwrap();
        let between = Keyring::in_directory(directory.path()).unwrap();
        assert!(between.current == first.current && between.also.is_empty());
        let changed = Keyring::change_in_directory(directory.path()).unwrap();
        assert!(changed.current != first.current);
        assert_eq!(changed.also, [first.current]);
    }

    #[test]
    fn an_old_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        Keyring::change_in_directory(directory.path()).unwrap();
        let old = directory.path().join(OLD_FILE_NAME);
        fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Keyring::in_directory(directory.path()).unwrap_err();
        assert!(refused.to_string().contains(OLD_FILE_NAME), "{refused}");
    }
}
