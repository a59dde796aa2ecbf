//! The sealing key: read from the environment or a file, or made once in the data directory.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the file in the data directory is called.
pub const FILE_NAME: &str = "sealing.key";

/// 32 secret bytes that everything else is sealed under.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey([u8; 32]);

/// Why there is no usable sealing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in hex or base64.
    #[error("a sealing key is 32 bytes, written in hex or base64")]
    Malformed,
    /// The file can be read by others than its owner.
    #[error("{}: mode {mode:04o} lets others read the sealing key; set it to 0600", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{}: a sealing key is 32 bytes, written in hex or base64", path.display())]
    MalformedFile {
        /// The file.
        path: PathBuf,
    },
}

impl SealingKey {
    /// Reads a key written in hex (64 digits) or base64 (standard or URL-safe).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] unless it comes to exactly 32 bytes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = if text.len() == 64 {
            hex::decode(text).ok()
        } else {
            let bare = text.trim_end_matches('=');
            general_purpose::STANDARD_NO_PAD
                .decode(bare)
                .or_else(|_| general_purpose::URL_SAFE_NO_PAD.decode(bare))
                .ok()
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(KeyError::Malformed)
    }

    /// Reads several keys, with spaces, line ends or commas between them.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] unless every one is a key.
    pub fn parse_many(text: &str) -> Result<Vec<Self>, KeyError> {
        let between = |character: char| character.is_whitespace() || character == ',';
        text.split(between).filter(|key| !key.is_empty()).map(Self::parse).collect()
    }

    /// Reads the key in a file that the operator named. Its mode is not looked at: secrets that an
    /// orchestrator mounts are commonly readable by all in the container.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read(path)?).map_err(|_| KeyError::MalformedFile { path: path.into() })
    }

    /// Reads the keys in a file that the operator named.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn many_from_file(path: &Path) -> Result<Vec<Self>, KeyError> {
        Self::parse_many(&read(path)?).map_err(|_| KeyError::MalformedFile { path: path.into() })
    }

    /// Reads the key in the data directory, after making one if there is none.
    ///
    /// # Errors
    /// When the file can be read by others, cannot be read or written, or holds no key.
    pub fn in_directory(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE_NAME);
        if let Some(key) = Self::from_private_file(&path)? {
            return Ok(key);
        }
        let failed = |cause| KeyError::File { path: path.clone(), cause };
        make_file(directory, &path).map_err(failed)?;
        Self::from_private_file(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// Reads the key in a file that only its owner may read, if there is such a file.
    pub(super) fn from_private_file(path: &Path) -> Result<Option<Self>, KeyError> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(KeyError::File { path: path.into(), cause }),
        };
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen { path: path.into(), mode });
        }
        Self::from_file(path).map(Some)
    }

    /// The bytes, for what was made with them before there was a digest key.
    pub(super) const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The key for one use.
    pub(super) fn derive(&self, label: &str) -> [u8; 32] {
        hmac_sha256(&self.0, label.as_bytes())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// Writes a fresh key to `path` unless somebody else was faster, so that two servers starting at once end up with
/// the same key.
fn make_file(directory: &Path, path: &Path) -> io::Result<()> {
    crate::config::data_dir::make(directory)?;
    with_draft(directory, |draft| match fs::hard_link(draft, path) {
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    })
}

/// Writes a fresh key to a file beside the others and has `place` put it where it belongs: there it appears whole or
/// not at all.
pub(super) fn with_draft(directory: &Path, place: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut key = [0; 32];
    rand::fill(&mut key);
    let draft = directory.join(format!("{FILE_NAME}.{}", uuid::Uuid::now_v7().simple()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let placed = writeln!(file, "{}", general_purpose::STANDARD.encode(key))
        .and_then(|()| file.sync_all())
        .and_then(|()| place(&draft))
        .and_then(|()| fs::File::open(directory)?.sync_all());
    match fs::remove_file(&draft) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => placed, // it was moved to its place
        removed => placed.and(removed),
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(|cause| KeyError::File { path: path.into(), cause })
}

/// HMAC-SHA-256 of `message`.
pub(super) fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_both_kinds_of_base64_are_understood() {
        let key = SealingKey::parse(&"fb".repeat(32)).unwrap();
        for text in [
            general_purpose::STANDARD.encode([0xfb; 32]),
            general_purpose::URL_SAFE.encode([0xfb; 32]),
            general_purpose::URL_SAFE_NO_PAD.encode([0xfb; 32]),
            format!("  {}\n", general_purpose::STANDARD.encode([0xfb; 32])),
        ] {
            assert_eq!(SealingKey::parse(&text).unwrap().0, key.0, "{text}");
        }
    }

    #[test]
    fn anything_but_32_bytes_is_refused() {
        for text in ["", "change-me", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32)] {
            assert!(matches!(SealingKey::parse(text), Err(KeyError::Malformed)), "{text}");
        }
    }

    #[test]
    fn several_keys_stand_side_by_side() {
        let (one, other) = ("11".repeat(32), "22".repeat(32));
        for text in [format!("{one},{other}"), format!("\n{one}\n {other}\n"), format!("{one}, {other},")] {
            let keys = SealingKey::parse_many(&text).unwrap();
            assert_eq!(keys, [SealingKey([0x11; 32]), SealingKey([0x22; 32])], "{text}");
        }
        assert!(matches!(SealingKey::parse_many(&format!("{one} x")), Err(KeyError::Malformed)));
        assert!(SealingKey::parse_many(" ,\n").unwrap().is_empty());
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("data");
        let made = SealingKey::in_directory(&home).unwrap();
        let again = SealingKey::in_directory(&home).unwrap();
        assert_eq!(made.0, again.0);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.join(FILE_NAME)), 0o600);
        assert_eq!(mode(&home), 0o700);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        SealingKey::in_directory(directory.path()).unwrap();
        let path = directory.path().join(FILE_NAME);
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = SealingKey::in_directory(directory.path()).unwrap_err();
            assert!(refused.to_string().contains("set it to 0600"), "{refused}");
        }
    }

    #[test]
    fn a_damaged_key_file_is_an_error_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        SealingKey::in_directory(directory.path()).unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, "half a k").unwrap();
        assert!(matches!(SealingKey::in_directory(directory.path()), Err(KeyError::MalformedFile { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a k");
    }
}
